//! What CPUs must forget before a change of the tables is over, and what is freed then (`mm/mmu_gather.c`,
//! `struct mmu_gather`).
//!
//! ```text
//!   begun: pending + 1 --> entries cleared or lowered, range grows --> flushed --> freed --> pending - 1
//! ```
//!
//! Who takes pages away gathers them with the entries; who only changes rights has nothing to free.
//!
//! # Invariants
//! - I1 (D36). What was gathered is freed only after every CPU has forgotten it.
//! - I2 (D35, M56). Who comes to the end has every CPU forget what it cleared or lowered, and what it found cleared.
//!   For the second it may rely on who cleared it only if that one is through with its flush; else it flushes itself,
//!   everything, since it does not know what.
//!
//! Not modelled: batches of limited size, which flush and free in between when they are full; the reverse map's
//! removal of a dirty page of a file, which Linux delays until after a flush that it forces before the lock of the
//! table is released (`tlb_flush_rmaps`), so that writeback does not take a page for clean that a CPU may still write
//! to: nobody writes pages back here. Linux 4.4 has no such count, and the window that it closes; here every
//! generation has it. (4.4's flag of this name says only that rights are being changed, and nobody flushes more for
//! it.)

use crate::mm::{Mm, Owed, flush_tlb_mm, flush_tlb_range};
use crate::phys::{CpuId, Pfn};
use crate::platform::{Platform, Variant, enter, lacks, recheck, remark};
use crate::x86::{EntryFlags, VirtAddr};

/// What one change of the tables has gathered: what is still to be flushed, and what is freed after that.
#[must_use = "what was gathered is leaked unless it is finished"]
pub(super) struct Gather<'m, P: Platform> {
    mm: &'m Mm<P>,
    cpu: CpuId,
    pages: Vec<Pfn>,
    tables: Vec<Pfn>,
    range: Option<(VirtAddr, VirtAddr)>,
    flushes: Flushes,
    owed: Owed<'m, P>,
}

/// What is flushed in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flushes {
    /// From the first entry that needs it to the last.
    Range,
    /// The whole address space (`fullmm`).
    Everything,
}

impl<'m, P: Platform> Gather<'m, P> {
    /// Begins (`tlb_gather_mmu`).
    pub(super) fn new(mm: &'m Mm<P>, cpu: CpuId) -> Self {
        let owed = Owed::new(mm);
        enter::<P>("tlb_gather_mmu", format_args!("")).run(|| mm.tlb_flush_pending().inc(), |()| String::new());
        Self { mm, cpu, pages: Vec::new(), tables: Vec::new(), range: None, flushes: Flushes::Range, owed }
    }

    /// Begins to take down a whole address space, which nobody uses any more (`tlb_gather_mmu_fullmm`).
    pub(super) fn fullmm(mm: &'m Mm<P>, cpu: CpuId) -> Self {
        Self { flushes: Flushes::Everything, ..Self::new(mm, cpu) }
    }

    /// The CPU that unmaps.
    pub(super) fn cpu(&self) -> CpuId {
        self.cpu
    }

    /// Entries that mapped something were cleared, or lost all rights, under the lock of their table
    /// (`tlb_remove_tlb_entry`).
    pub(super) fn cleared(&mut self, range: (VirtAddr, VirtAddr)) {
        self.must_flush(range);
        self.owed.gone(range);
    }

    /// The entries of a range need a flush (`tlb_flush_pte_range`, `tlb_flush_pmd_range`).
    pub(super) fn must_flush(&mut self, (start, end): (VirtAddr, VirtAddr)) {
        let grows = !lacks::<P>(Variant::FlushRange);
        let (first, last) = self.range.filter(|_| grows).unwrap_or((start, end));
        self.range = Some((first.min(start), last.max(end)));
    }

    /// Ghost: under the lock of their table, the entries of a range were given these rights. What they need is said
    /// apart, so that it can be judged.
    pub(super) fn now_allow(&mut self, range: (VirtAddr, VirtAddr), rights: EntryFlags) {
        self.owed.lowered(range, rights);
    }

    /// Under the lock of their table, entries were found to map nothing.
    pub(super) fn found_empty(&mut self, range: (VirtAddr, VirtAddr)) {
        self.owed.gone(range);
    }

    /// Takes a page with the reference that its entry held (`__tlb_remove_page`).
    pub(super) fn page(&mut self, pfn: Pfn) {
        self.pages.push(pfn);
    }

    /// Takes a table that no entry points to any more, which translated this range (`pte_free_tlb`).
    pub(super) fn table(&mut self, pfn: Pfn, range: (VirtAddr, VirtAddr)) {
        self.tables.push(pfn);
        self.cleared(range);
    }

    /// Has every CPU forget what it must, and frees what was gathered (`tlb_finish_mmu`).
    pub(super) fn finish(self) {
        enter::<P>("tlb_finish_mmu", format_args!("pages={}, tables={}", self.pages.len(), self.tables.len())).run(
            || {
                if lacks::<P>(Variant::DecBeforeFlush) {
                    self.mm.tlb_flush_pending().dec();
                }
                if lacks::<P>(Variant::FreeBeforeFlush) {
                    self.free();
                    self.flush();
                } else {
                    self.flush();
                    self.free();
                }
                if !lacks::<P>(Variant::DecBeforeFlush) {
                    self.mm.tlb_flush_pending().dec();
                }
                self.owed.assert_paid("tlb_finish_mmu");
            },
            |()| String::new(),
        );
    }

    /// `tlb_batch_pages_flush`, `tlb_table_flush`.
    fn free(&self) {
        let memory = self.mm.memory();
        self.pages.iter().for_each(|pfn| memory.put_page(self.cpu, *pfn));
        self.tables.iter().for_each(|pfn| memory.free_uncharged(self.cpu, *pfn));
    }

    /// `tlb_flush_mmu_tlbonly`.
    fn flush(&self) {
        if lacks::<P>(Variant::GatherFlush) {
            return;
        }
        let is_alone = || !self.mm.tlb_flush_pending().is_nested();
        // mm_tlb_flush_nested (M56).
        if !recheck::<P>(Variant::M56, is_alone) {
            remark::<P>(format_args!("another one has not flushed yet: everything is flushed"));
            flush_tlb_mm(self.mm);
        } else if self.flushes == Flushes::Everything {
            flush_tlb_mm(self.mm);
        } else if let Some(range) = self.range {
            flush_tlb_range(self.mm, range);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::{ProtectError, exit_mmap, madvise_dontneed, mprotect};
    use crate::mm::{Generation, Placement, Process, Protection, Task, mmap};
    use crate::phys::PhysConfig;
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Instruction, Machine, Mode, Retention};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const START: VirtAddr = VirtAddr::user(0x5000);

    const fn page(number: u64) -> VirtAddr {
        START.offset(number * 0x1000)
    }

    /// Four pages that CPU 0 has written to and remembers.
    fn written() -> Mm<P> {
        let config = PhysConfig::linux(Pfn::truncate(0x1000), 256, 2);
        let machine = Machine::boot_with(&config, Retention::Keeps).expect("a little memory");
        let mm = Mm::new(Arc::new(machine), Generation::G6, CPU).expect("a frame for the root table");
        mmap(&mm, Placement::Fixed(START), 0x4000, Protection::READ | Protection::WRITE)
            .expect("an empty address space");
        let task = Task::new(CPU);
        for number in 0..4 {
            let _done = Process::new(&mm, &task).execute(Mode::User, Instruction::store(page(number), 1));
        }
        mm
    }

    /// The numbers of the pages that are remembered.
    fn remembered(mm: &Mm<P>) -> Vec<u64> {
        let all = mm.machine().remembered_of(mm.pgd(), (START, page(4)));
        all.iter().map(|entry| (entry.start.bytes() - START.bytes()) / 0x1000).collect()
    }

    #[test]
    fn what_was_cleared_is_flushed_and_nothing_else() {
        let mm = written();
        madvise_dontneed(&mm, CPU, page(1), 0x2000);
        assert_eq!(remembered(&mm), [0, 3]);
        madvise_dontneed(&mm, CPU, page(1), 0x1000);
        assert_eq!(remembered(&mm), [0, 3], "nothing was there");
        exit_mmap(&mm, CPU);
        assert_eq!(remembered(&mm), [0_u64; 0]);
    }

    #[test]
    fn what_lost_rights_is_flushed_and_nothing_else() {
        let mm = written();
        assert_eq!(mprotect(&mm, CPU, (page(1), 0x2000), Protection::READ), Ok(()));
        assert_eq!(remembered(&mm), [0, 3]);
        let pending = |mm: &Mm<P>| mm.tlb_flush_pending().is_pending();
        assert!(!pending(&mm));
        assert_eq!(mprotect(&mm, CPU, (page(4), 0x1000), Protection::READ), Err(ProtectError::NotMapped));
        assert!(!pending(&mm), "what fails at once announces no flush");
        assert_eq!(mprotect(&mm, CPU, (page(2), 0x3000), Protection::empty()), Err(ProtectError::NotMapped));
        assert_eq!((remembered(&mm), pending(&mm)), (vec![0], false), "what comes before the hole is flushed");
        exit_mmap(&mm, CPU);
    }

    #[test]
    fn who_finds_another_one_under_way_flushes_everything() {
        let mm = written();
        let other = Gather::new(&mm, CpuId::new(1));
        madvise_dontneed(&mm, CPU, page(0), 0x1000);
        assert_eq!(remembered(&mm), [0_u64; 0]);
        let _done = Process::new(&mm, &Task::new(CPU)).execute(Mode::User, Instruction::Load(page(3)));
        assert_eq!((mprotect(&mm, CPU, (page(1), 0x1000), Protection::READ), remembered(&mm)), (Ok(()), vec![]));
        assert!(mm.tlb_flush_pending().is_pending());
        other.finish();
        assert!(!mm.tlb_flush_pending().is_pending());
        exit_mmap(&mm, CPU);
    }
}
