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
use crate::platform::{Arc, AtomicWord, Ordering, Platform, RaceCell, RcuReader, RcuSection, enter, remark};
use crate::x86::VirtAddr;

use super::fault_lock::FaultLock;
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
        let is_write_locked = self.seq.load(Ordering::Relaxed) == mm_seq.0.load(Ordering::Acquire);
        (!is_write_locked).then_some(guard)
    }

    /// Waits until nobody holds the VMA, and keeps everybody out until [`MmLockSeq::end_write_all`]
    /// (`vma_start_write`). The caller holds the mmap lock for writing.
    pub(super) fn start_write(&self, mm_seq: &MmLockSeq<P>) {
        // ORDER none: only who holds the mmap lock for writing changes either number.
        let now = mm_seq.0.load(Ordering::Relaxed);
        // ORDER none: as above.
        if self.seq.load(Ordering::Relaxed) != now {
            // ORDER none: the semaphore orders it for whoever reads next.
            self.semaphore.write(|| self.seq.store(now, Ordering::Relaxed));
        }
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
        self.0.fetch_add(1, Ordering::Release);
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
    /// The VMA that the tree has at `address` (`mas_walk`).
    fn walk<'s>(&'s self, section: &'s RcuSection<'_, P>, address: VirtAddr) -> Option<&'s Arc<Vma<P>>> {
        let pivots = self.tree.get(section);
        let pivot = pivots.get(pivots.partition_point(|pivot| pivot.end <= address))?;
        (pivot.start <= address).then_some(&pivot.vma)
    }
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
                if vma.lock.detached.get() {
                    remark::<P>(format_args!("the VMA was detached meanwhile: look again"));
                    continue;
                }
                return vma.contains(address).then(|| FaultLock::of_vma(guard, Arc::clone(vma), task));
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
