//! The translations that a CPU remembers.
//!
//! ```text
//!            miss: walk, fill
//!   nothing -----------------> remembered --------------------------------> nothing
//!                               |      ^        flush; an access that it forbids;
//!                               +------+        a first write, which walks again; the CPU's own pleasure
//!                               hit: no table is read
//! ```
//!
//! An entry says which page of which address space lies in which frame, with the rights of all levels together, and
//! whether D was set when it was filled. It is marked with the root of the tables (hardware: a PCID), so a CPU keeps it
//! when it runs another process. What is *not* remembered: tables (no paging-structure caches), entries that are not
//! present, global entries; and nothing is remembered before it is used (no speculative walks).
//!
//! # Invariants
//! - I1 (D4). Of the entries of one address space no two are for the same address. A fill asserts it: what is there
//!   would have been hit.
//! - I2 (D36). While an entry is there, its frame belongs to whom it belonged at the fill. Whoever frees a frame
//!   asserts that nobody remembers it; a hit, that it was not freed since; and whoever forgets an entry reads the
//!   frame's state, which is a data race with a free that nothing orders behind it. So each order of a free and a
//!   flush, and of a free and an access, is judged in whichever order it is run.
//! - I3. A hit sets neither A nor D: A was set by the walk, and a write hits only an entry that was filled when D was
//!   set.
//!
//! A fault on an entry that is there drops it (Intel SDM volume 3, 4.10.4.1): so an entry with fewer rights than the
//! tables by now costs one spurious fault at most. That is also all that the SDM allows: the tables are not looked at
//! before the fault is raised.

use crate::phys::{CpuId, Pfn, PhysMem};
use crate::platform::{Arc, Platform, RaceCell, remark};

use super::access::{Access, AccessKind};
use super::address::VirtAddr;
use super::entry::EntryFlags;
use super::machine::Machine;
use super::walk::{Leaf, PageFault, Translation, walk};

/// How long a CPU remembers. Hardware may forget whenever it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Until it is told to forget, and for ever if nobody tells: what is stale is as stale as can be.
    Keeps,
    /// At each access that finds an entry, one or the other: a checker tries both.
    Chooses,
    /// Not beyond the instruction.
    Forgets,
}

impl Retention {
    /// What a machine has unless it asks for something else. Natively every access walks: a TLB as data of the host
    /// would be slower than the walk of tables that lie in the host's cache.
    pub const fn usual<P: Platform>() -> Self {
        if P::CHECKED { Self::Keeps } else { Self::Forgets }
    }
}

/// What a CPU remembers of one entry of the tables.
#[derive(Debug)]
pub struct Remembered<P: Platform> {
    /// The CPU.
    pub cpu: CpuId,
    /// The root of the tables.
    pub root: Pfn,
    /// The first address of the page.
    pub start: VirtAddr,
    /// The entry as it was at the walk.
    pub leaf: Leaf,
    generation: u64,
    forgotten: RaceCell<P, bool>,
}

impl<P: Platform> Remembered<P> {
    /// The first address after the page.
    pub fn end(&self) -> VirtAddr {
        self.start.offset(self.leaf.bytes::<P>())
    }

    /// Whether it translates an address of the range in this address space.
    pub fn lies_in(&self, root: Pfn, (start, end): (VirtAddr, VirtAddr)) -> bool {
        self.root == root && self.start < end && start < self.end()
    }

    /// Whether the CPU has forgotten it; whoever asks must be ordered behind that (a data race otherwise).
    pub fn is_forgotten(&self) -> bool {
        self.forgotten.get()
    }

    fn frames(&self) -> impl Iterator<Item = Pfn> + use<P> {
        let first = self.leaf.pfn.number();
        (first..first + self.leaf.pages::<P>()).map(Pfn::truncate)
    }
}

/// The translations of one CPU: plain data, under the CPU's `instruction`.
#[derive(Debug)]
pub(super) struct Tlb<P: Platform> {
    retention: Retention,
    entries: Vec<Arc<Remembered<P>>>,
}

impl<P: Platform> Tlb<P> {
    pub(super) fn new(retention: Retention) -> Self {
        Self { retention, entries: Vec::new() }
    }

    /// Translates an address: by what is remembered, or by a walk.
    pub(super) fn translate(
        &mut self,
        (machine, cpu, root): (&Machine<P>, CpuId, Pfn),
        address: VirtAddr,
        access: Access,
    ) -> Result<Translation, PageFault> {
        if let Some(leaf) = self.hit(machine, root, address, access)? {
            return Ok(leaf.translation::<P>(address));
        }
        let leaf = walk(machine.memory(), root, address, access)?;
        remark::<P>(format_args!("the walk reaches {}", leaf.translation::<P>(address).physical::<P>()));
        if self.retention != Retention::Forgets {
            self.fill(machine, (cpu, root), address, leaf);
        }
        Ok(leaf.translation::<P>(address))
    }

    /// What is remembered of an address, if it will do.
    fn hit(
        &mut self,
        machine: &Machine<P>,
        root: Pfn,
        address: VirtAddr,
        access: Access,
    ) -> Result<Option<Leaf>, PageFault> {
        let covers = |entry: &Arc<Remembered<P>>| entry.root == root && (entry.start..entry.end()).contains(&address);
        let Some(at) = self.entries.iter().position(covers) else { return Ok(None) };
        if self.retention == Retention::Chooses && P::choose(2) == 1 {
            self.forget(machine, at);
            return Ok(None);
        }
        let entry = &self.entries[at];
        let leaf = entry.leaf;
        assert_not_reused(machine.memory(), entry);
        machine.judged("D36", 1);
        if let Err(fault) = access.check(leaf.flags, address) {
            remark::<P>(format_args!("TLB: {} is remembered with fewer rights", entry.start));
            self.forget(machine, at);
            return Err(fault);
        }
        if access.kind == AccessKind::Write && !leaf.flags.contains(EntryFlags::DIRTY) {
            remark::<P>(format_args!("TLB: a first write through {} walks again, to set D", entry.start));
            self.forget(machine, at);
            return Ok(None);
        }
        remark::<P>(format_args!("TLB hit: {} is {}", entry.start, leaf.translation::<P>(address).physical::<P>()));
        Ok(Some(leaf))
    }

    fn fill(&mut self, machine: &Machine<P>, (cpu, root): (CpuId, Pfn), address: VirtAddr, leaf: Leaf) {
        let start = VirtAddr::user(address.bytes() & !(leaf.bytes::<P>() - 1));
        let entry = Arc::new(Remembered {
            cpu,
            root,
            start,
            leaf,
            generation: machine.memory().page(leaf.pfn).generation(),
            forgotten: RaceCell::new("D35 (a flush is owed until no CPU remembers the old entry)", false),
        });
        remark::<P>(format_args!("TLB: {start} is remembered, {} bytes", leaf.bytes::<P>()));
        if let Some(other) = self.entries.iter().find(|other| other.lies_in(root, (start, entry.end()))) {
            let (new, old) = (leaf.bytes::<P>(), other.leaf.bytes::<P>());
            panic!("D4: {cpu:?} has a translation of {old} bytes from {} and fills one of {new}", other.start);
        }
        machine.judged("D4", 1);
        for frame in entry.frames() {
            machine.memory().translated(frame, cpu, start.bytes());
        }
        machine.remembered().with(|all| all.push(Arc::clone(&entry)));
        self.entries.push(entry);
    }

    fn forget(&mut self, machine: &Machine<P>, at: usize) {
        let entry = self.entries.swap_remove(at);
        for frame in entry.frames() {
            // I2: this reads the frame's state.
            machine.memory().translated_no_more(frame, entry.cpu, entry.start.bytes());
        }
        entry.forgotten.set(true);
        machine.remembered().with(|all| all.retain(|other| !Arc::ptr_eq(other, &entry)));
    }

    /// Forgets what translates an address of the range (`INVLPG`, `INVPCID`).
    pub(super) fn flush(&mut self, machine: &Machine<P>, root: Pfn, range: (VirtAddr, VirtAddr)) {
        while let Some(at) = self.entries.iter().position(|entry| entry.lies_in(root, range)) {
            remark::<P>(format_args!("TLB: {} is forgotten", self.entries[at].start));
            self.forget(machine, at);
        }
    }
}

/// I2.
fn assert_not_reused<P: Platform>(memory: &PhysMem<P>, entry: &Remembered<P>) {
    if P::CHECKED {
        let page = memory.page(entry.leaf.pfn);
        let (cpu, start, pfn) = (entry.cpu, entry.start, entry.leaf.pfn);
        assert!(
            page.generation() == entry.generation,
            "D36: {cpu:?} translates {start} to frame {pfn}, which was freed since"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::access::Mode;
    use super::super::pkru::Pkru;
    use super::*;
    use crate::phys::{PageState, PhysConfig};
    use crate::platform::{Native, Ordering, TwoLevels};
    use crate::x86::{PmdVal, PteVal};

    type P = Native<TwoLevels>;

    const CPU: CpuId = CpuId::new(0);
    const ADDRESS: VirtAddr = VirtAddr::user(8);
    const RIGHTS: EntryFlags = EntryFlags::PRESENT.union(EntryFlags::USER).union(EntryFlags::ACCESSED);

    struct World {
        machine: Machine<P>,
        tlb: Tlb<P>,
        root: Pfn,
        table: Pfn,
        page: Pfn,
    }

    fn world(retention: Retention, flags: EntryFlags) -> World {
        let config = PhysConfig { pcp_batch: 1, ..PhysConfig::linux(Pfn::truncate(0x100), 8, 1) };
        let machine = Machine::<P>::boot(&config).expect("a little memory");
        let alloc = |state| machine.memory().alloc_page(CPU, state).expect("a frame");
        let [root, table] = [2, 1].map(|level| alloc(PageState::Table { level }));
        let page = alloc(PageState::User);
        machine.memory().word(root, 0).store(PmdVal::table(table).bits(), Ordering::Relaxed);
        let world = World { machine, tlb: Tlb::new(retention), root, table, page };
        world.set(PteVal::new(page, flags));
        world
    }

    impl World {
        fn set(&self, entry: PteVal) {
            self.machine.memory().word(self.table, 0).store(entry.bits(), Ordering::Relaxed);
        }

        fn entry(&self) -> PteVal {
            PteVal::from_bits(self.machine.memory().word(self.table, 0).load(Ordering::Relaxed))
        }

        /// The frame that an access reaches, or the error code.
        fn access(&mut self, kind: AccessKind) -> Result<Pfn, u64> {
            let access = Access { kind, mode: Mode::User, pkru: Pkru::ALL };
            let translated = self.tlb.translate((&self.machine, CPU, self.root), ADDRESS, access);
            translated.map(|translation| translation.pfn).map_err(|fault| fault.error_code.bits())
        }
    }

    #[test]
    fn what_is_remembered_outlives_the_entry_until_it_is_flushed() {
        let mut world = world(Retention::Keeps, RIGHTS);
        assert_eq!(world.access(AccessKind::Read), Ok(world.page));
        world.set(PteVal::NONE);
        assert_eq!(world.access(AccessKind::Read), Ok(world.page), "a hit reads no table");
        let elsewhere = (VirtAddr::user(16), VirtAddr::user(32));
        world.tlb.flush(&world.machine, world.root, elsewhere);
        world.tlb.flush(&world.machine, world.table, (VirtAddr::ZERO, VirtAddr::user(64)));
        assert_eq!(world.access(AccessKind::Read), Ok(world.page), "neither its page nor its address space");
        world.tlb.flush(&world.machine, world.root, (VirtAddr::ZERO, VirtAddr::user(1)));
        assert_eq!(world.access(AccessKind::Read), Err(4));
    }

    #[test]
    fn a_cpu_that_forgets_walks_every_time() {
        let mut world = world(Retention::Forgets, RIGHTS);
        assert_eq!(world.access(AccessKind::Read), Ok(world.page));
        world.set(PteVal::NONE);
        assert_eq!(world.access(AccessKind::Read), Err(4));
    }

    #[test]
    fn a_stale_right_faults_once() {
        let mut world = world(Retention::Keeps, RIGHTS);
        assert_eq!(world.access(AccessKind::Read), Ok(world.page));
        world.set(world.entry().dirty_and_writable());
        assert_eq!(world.access(AccessKind::Write), Err(7), "the tables would allow it");
        assert_eq!(world.access(AccessKind::Write), Ok(world.page));
    }

    #[test]
    fn a_first_write_walks_to_set_the_dirty_mark_and_later_ones_do_not() {
        let mut world = world(Retention::Keeps, RIGHTS | EntryFlags::WRITABLE);
        assert_eq!(world.access(AccessKind::Read), Ok(world.page));
        assert!(!world.entry().is_dirty());
        assert_eq!(world.access(AccessKind::Write), Ok(world.page));
        assert!(world.entry().is_dirty());
        world.set(world.entry().without(EntryFlags::DIRTY | EntryFlags::ACCESSED));
        assert_eq!(world.access(AccessKind::Write), Ok(world.page));
        assert!(!world.entry().is_dirty() && !world.entry().flags().contains(EntryFlags::ACCESSED));
    }

    #[test]
    fn a_huge_translation_serves_all_its_pages_and_goes_with_any_of_them() {
        let mut world = world(Retention::Keeps, RIGHTS);
        let head = world.machine.memory().alloc_huge(CPU, PageState::User).expect("two frames");
        let pmd = world.machine.memory().word(world.root, 0);
        pmd.store(PmdVal::huge(head, RIGHTS).bits(), Ordering::Relaxed);
        assert_eq!(world.access(AccessKind::Read), Ok(head));
        assert_eq!(world.tlb.entries[0].end().bytes(), 32);
        world.tlb.flush(&world.machine, world.root, (VirtAddr::user(16), VirtAddr::user(32)));
        assert!(world.tlb.entries.is_empty());
    }

    #[test]
    #[should_panic(expected = "D4: CPU0 has a translation of 16 bytes from 0x0 and fills one of 32")]
    fn two_sizes_at_once_are_noticed() {
        let mut world = world(Retention::Keeps, RIGHTS);
        assert_eq!(world.access(AccessKind::Read), Ok(world.page));
        let leaf = Leaf { pfn: Pfn::truncate(0x106), level: 2, flags: RIGHTS };
        world.tlb.fill(&world.machine, (CPU, world.root), VirtAddr::user(16), leaf);
    }
}
