//! The lock of one VMA, under which a fault of it is handled without the mmap lock (`include/linux/mm.h`,
//! `vma_start_read`, `vma_start_write`; `mm/memory.c`, `lock_vma_under_rcu`).
//!
//! # State
//!
//! ```text
//!   vm_lock_seq != mm_lock_seq                         vm_lock_seq == mm_lock_seq
//!   readers come and go         vma_start_write        write-locked: readers fail
//!                            ------------------------>
//!                            <------------------------
//!                               vma_end_write_all (mm_lock_seq + 1, for all VMAs at once)
//! ```
//!
//! # Invariants
//! - I1 (D51). `vm_lock_seq == mm_lock_seq` only while the mmap lock is held for writing.
//! - I2 (D49). `vma_start_write` passes through the semaphore, so no reader is left when it returns; and it makes the
//!   numbers equal before it lets go, so no reader comes in until the writer ends.
//! - I3 (D50). A VMA is detached under its write lock, before the tree forgets it: whoever gets the read lock of a
//!   detached VMA was too late, and looks again.
//!
//! # Memory ordering
//! - O1. `vma_end_write_all` adds with `Release`, and a reader compares with `Acquire` once it holds the semaphore: if
//!   it sees the number of a writer that has ended, it sees the fields as that writer left them (M38).
//! - O2. The first comparison of a reader is relaxed: it only saves the trouble. A wrong "write-locked" is allowed, and
//!   a wrong "free" is caught by the second.

use std::fmt;

use crate::locks::{OwnedReadGuard, OwnedRwSem};
use crate::platform::{
    Arc, AtomicWord, Ordering, Platform, RaceCell, RcuReader, RcuSection, Variant, enter, lacks, ordering, recheck,
    remark,
};
use crate::x86::VirtAddr;

use super::fault_lock::FaultLock;
use super::mergeable_anon_vma::Neighbours;
use super::mm_struct::Mm;
use super::task::Task;
use super::vma::Vma;

/// `vma->vm_lock`, `vma->vm_lock_seq` and `vma->detached`.
pub(super) struct VmaLock<P: Platform> {
    semaphore: OwnedRwSem<P>,
    /// What `mm_lock_seq` was when the VMA was last locked for writing.
    seq: P::AtomicU64,
    detached: RaceCell<P, bool>,
    alive: RaceCell<P, bool>,
}

/// A number that no address space counts up to: a new VMA is not write-locked.
const NEVER: u64 = u64::MAX;

impl<P: Platform> VmaLock<P> {
    pub(super) fn new() -> Self {
        Self {
            semaphore: OwnedRwSem::new("vma->vm_lock"),
            seq: P::AtomicU64::new(NEVER),
            detached: RaceCell::new("D50 (a fault holds no detached VMA)", false),
            alive: RaceCell::new("D50 (a VMA is not freed while somebody may find it)", true),
        }
    }

    /// Holds the VMA for reading if nobody writes or waits to (`vma_start_read`).
    fn start_read(&self, mm_seq: &MmLockSeq<P>) -> Option<OwnedReadGuard<P>> {
        if P::CHECKED {
            assert!(self.alive.get(), "D50: a VMA was found after it was freed");
        }
        // ORDER none: O2.
        if self.seq.load(Ordering::Relaxed) == mm_seq.0.load(Ordering::Relaxed) {
            return None;
        }
        let guard = self.semaphore.try_read()?;
        // The second test (M37): a writer may have come and made the numbers equal before we had the semaphore.
        // ORDER O1: pairs with `end_write_all` (M38). The VMA's own number is ordered by the semaphore.
        recheck::<P>(Variant::M37, || {
            let order = ordering::<P>(Variant::M38, Ordering::Acquire);
            self.seq.load(Ordering::Relaxed) != mm_seq.0.load(order)
        })
        .then_some(guard)
    }

    /// Waits until nobody holds the VMA, and keeps everybody out until [`MmLockSeq::end_write_all`]
    /// (`vma_start_write`). The caller holds the mmap lock for writing.
    pub(super) fn start_write(&self, mm_seq: &MmLockSeq<P>) {
        // ORDER none: only who holds the mmap lock for writing changes either number.
        let now = mm_seq.0.load(Ordering::Relaxed);
        // ORDER none: as above.
        if self.seq.load(Ordering::Relaxed) != now {
            // ORDER none: the semaphore orders it for whoever reads next.
            let stamp = || self.seq.store(now, Ordering::Relaxed);
            if lacks::<P>(Variant::VmaStartWrite) { stamp() } else { self.semaphore.write(stamp) }
        }
    }

    /// Whether a writer keeps faults out (`is_vma_writer_only`).
    fn is_write_locked(&self, mm_seq: &MmLockSeq<P>) -> bool {
        // ORDER none: asked when nobody writes.
        self.seq.load(Ordering::Relaxed) == mm_seq.0.load(Ordering::Relaxed)
    }

    /// Says that the tree is about to forget the VMA (`vma_mark_detached`); it is write-locked.
    pub(super) fn mark_detached(&self) {
        self.detached.set(true);
    }

    /// Ghost: the VMA's memory is somebody else's now.
    pub(super) fn freed(&self) {
        self.alive.set(false);
    }
}

/// How often the mmap lock was held for writing (`mm->mm_lock_seq`).
pub(super) struct MmLockSeq<P: Platform>(P::AtomicU64);

impl<P: Platform> MmLockSeq<P> {
    pub(super) fn new() -> Self {
        Self(P::AtomicU64::new(0))
    }

    /// Ends the write locks of all VMAs (`vma_end_write_all`); the caller holds the mmap lock for writing.
    pub(super) fn end_write_all(&self) {
        // ORDER O1: publishes what was done to the VMAs; pairs with `start_read`.
        self.0.fetch_add(1, ordering::<P>(Variant::M38Release, Ordering::Release));
    }
}

/// A VMA as the tree's readers find it: the range that the tree has it at, which only the tree changes.
pub(super) struct Pivot<P: Platform> {
    pub(super) start: VirtAddr,
    pub(super) end: VirtAddr,
    pub(super) vma: Arc<Vma<P>>,
}

/// What a fault needs to lock a VMA without the mmap lock.
pub(super) struct VmaReaders<P: Platform> {
    pub(super) tree: Arc<RcuReader<P, Vec<Pivot<P>>>>,
    pub(super) seq: Arc<MmLockSeq<P>>,
}

impl<P: Platform> VmaReaders<P> {
    /// Whether a writer keeps faults out of the VMA.
    pub(super) fn is_write_locked(&self, vma: &Vma<P>) -> bool {
        vma.lock.is_write_locked(&self.seq)
    }

    /// The VMA that the tree has at `address` (`mas_walk`).
    fn walk<'s>(&'s self, section: &'s RcuSection<'_, P>, address: VirtAddr) -> Option<&'s Arc<Vma<P>>> {
        let pivots = self.tree.get(section);
        let pivot = pivots.get(pivots.partition_point(|pivot| pivot.end <= address))?;
        (pivot.start <= address).then_some(&pivot.vma)
    }
}

/// The VMAs next to one, as somebody finds them who has neither the mmap lock nor their own: they may be freed any
/// moment (what [`Variant::M44`] does).
pub(super) fn neighbours_under_rcu<P: Platform>(mm: &Mm<P>, task: &Task, vma: &Vma<P>) -> Neighbours<P> {
    let section = mm.machine().rcu().read(task.cpu().index());
    let below = vma.start().bytes().checked_sub(P::GEOMETRY.page_size());
    let above = Some(vma.end().bytes()).filter(|end| *end < P::GEOMETRY.task_size());
    [below, above].map(|at| at.and_then(|at| mm.vma_readers().walk(&section, VirtAddr::user(at)).map(Arc::clone)))
}

/// Locks the VMA of an address for a fault, without the mmap lock; `None` if that cannot be had at once.
pub(super) fn lock_vma_under_rcu<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    address: VirtAddr,
) -> Option<FaultLock<'m, P>> {
    enter::<P>("lock_vma_under_rcu", format_args!("address={address}")).run(
        || {
            let section = mm.machine().rcu().read(task.cpu().index());
            let readers = mm.vma_readers();
            loop {
                let vma = readers.walk(&section, address)?;
                let guard = vma.lock.start_read(&readers.seq)?;
                // The detached test (M39) comes before the range: of a detached VMA the range says nothing.
                if !recheck::<P>(Variant::M39, || !vma.lock.detached.get()) {
                    remark::<P>(format_args!("the VMA was detached meanwhile: look again"));
                    continue;
                }
                let covers = recheck::<P>(Variant::VmaRange, || vma.contains(address));
                return covers.then(|| FaultLock::of_vma(guard, Arc::clone(vma), task));
            }
        },
        |lock| lock.as_ref().map_or("NULL".to_owned(), |lock| format!("vma {:?}", lock.vma())),
    )
}

impl<P: Platform> fmt::Debug for MmLockSeq<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the number: reading it would be a step of the model.
        formatter.debug_struct("MmLockSeq").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mm::{Generation, VmFlags};
    use crate::phys::{CpuId, Pfn, PhysConfig};
    use crate::platform::interleaved::{Interleaved, Search, explore};
    use crate::platform::{Native, TwoLevels, Verdict, Watch, X86_64};
    use crate::x86::Machine;

    const CPU: CpuId = CpuId::new(0);
    const RIGHTS: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::MAYWRITE);

    /// An address space with pages 1 and 2.
    fn mm<P: Platform>(cpus: usize) -> Mm<P> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 8, cpus)).expect("a little memory");
        let mm = Mm::new(Arc::new(machine), Generation::G6, CPU).expect("a frame for the root table");
        mm.mmap_lock().write().insert(Vma::new(page::<P>(1), page::<P>(3), RIGHTS));
        mm
    }

    fn page<P: Platform>(number: u64) -> VirtAddr {
        VirtAddr::user(number * P::GEOMETRY.page_size())
    }

    fn locks<P: Platform>(mm: &Mm<P>, number: u64) -> bool {
        lock_vma_under_rcu(mm, &Task::new(CPU), page::<P>(number)).is_some()
    }

    #[test]
    fn a_vma_is_found_by_its_pages_while_nobody_writes_it() {
        type P = Native<X86_64>;
        let mm = mm::<P>(1);
        assert_eq!([0, 1, 2, 3].map(|number| locks(&mm, number)), [false, true, true, false]);
        let mut vmas = mm.mmap_lock().write();
        assert!(locks(&mm, 1), "the mmap lock alone keeps nobody out");
        let detached = vmas.detach(page::<P>(2), page::<P>(3));
        assert_eq!([1, 2].map(|number| locks(&mm, number)), [false, false], "split, and detached");
        let reader = vmas.downgrade();
        assert_eq!([1, 2].map(|number| locks(&mm, number)), [true, false]);
        detached.into_iter().for_each(|vma| reader.free(vma));
    }

    proptest! {
        /// Whatever was mapped, unmapped and grown: without the mmap lock a fault finds what it would find with it.
        #[test]
        fn readers_find_what_the_tree_has(changes in prop::collection::vec((0u64..12, 1u64..5, 0u8..3), 1..12)) {
            type P = Native<X86_64>;
            let (mm, task) = (mm::<P>(1), Task::new(CPU));
            for (first, pages, what) in changes {
                let (start, end) = (page::<P>(first), page::<P>(first + pages));
                let mut vmas = mm.mmap_lock().write();
                match what {
                    0 => vmas.detach(start, end).into_iter().for_each(|vma| vmas.free(vma)),
                    1 if !vmas.overlaps(start, end) => vmas.insert(Vma::new(start, end, RIGHTS)),
                    _ => {
                        if let Some(above) = vmas.find(start)
                            && vmas.vma(above).start() > start
                        {
                            vmas.set_start(above, start);
                        }
                    }
                }
                drop(vmas);
                for number in 0..16 {
                    let lock = lock_vma_under_rcu(&mm, &task, page::<P>(number));
                    let found = lock.map(|lock| (lock.vma().start(), lock.vma().end()));
                    let vmas = mm.mmap_lock().read();
                    let expected = vmas.lookup(page::<P>(number)).map(|vma| vmas.vma(vma));
                    prop_assert_eq!(found, expected.map(|vma| (vma.start(), vma.end())), "page {}", number);
                }
            }
        }
    }

    #[test]
    fn a_writer_waits_for_the_fault_that_holds_the_vma() {
        type P = Interleaved<TwoLevels>;
        let report = explore("vma lock", Search::Everything, &Watch::default(), || {
            let mm = Arc::new(mm::<P>(2));
            let reading = Arc::clone(&mm);
            let reader = P::spawn("R".to_owned(), move || {
                let task = Task::new(CpuId::new(1));
                let Some(lock) = lock_vma_under_rcu(&reading, &task, page::<P>(1)) else { return };
                // D49: two reads under one lock agree. D50: the VMA that was found covers the address.
                let end = lock.vma().end();
                assert!(lock.vma().contains(page::<P>(1)) && lock.vma().end() == end);
            });
            let mut vmas = mm.mmap_lock().write();
            let detached = vmas.detach(page::<P>(2), page::<P>(3));
            let vmas = vmas.downgrade();
            detached.into_iter().for_each(|vma| vmas.free(vma));
            drop(vmas);
            P::join(reader);
        });
        assert_eq!(report.verdict, Verdict::Holds, "{:?}", report.counterexample);
        assert!(report.executions > 5, "{}", report.executions);
    }
}
