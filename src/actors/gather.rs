//! Pages and tables on their way out (`struct mmu_gather`).
//!
//! # Invariants
//! - I1 (D36). What was gathered is freed only after a shootdown: until then some CPU may still be in the middle of an
//!   instruction that uses it.

use crate::mm::Mm;
use crate::phys::{CpuId, Pfn};
use crate::platform::{Platform, enter};

/// What one unmapping has taken out of the tables and not yet freed.
#[must_use = "what was gathered is leaked unless it is finished"]
pub(super) struct Gather<'m, P: Platform> {
    mm: &'m Mm<P>,
    cpu: CpuId,
    pages: Vec<Pfn>,
    tables: Vec<Pfn>,
}

impl<'m, P: Platform> Gather<'m, P> {
    /// Begins (`tlb_gather_mmu`).
    pub(super) fn new(mm: &'m Mm<P>, cpu: CpuId) -> Self {
        Self { mm, cpu, pages: Vec::new(), tables: Vec::new() }
    }

    /// The CPU that unmaps.
    pub(super) fn cpu(&self) -> CpuId {
        self.cpu
    }

    /// Takes a page with the reference that its entry held (`__tlb_remove_page`).
    pub(super) fn page(&mut self, pfn: Pfn) {
        self.pages.push(pfn);
    }

    /// Takes a table that no entry points to any more (`pte_free_tlb`).
    pub(super) fn table(&mut self, pfn: Pfn) {
        self.tables.push(pfn);
    }

    /// Waits for every CPU and frees what was gathered (`tlb_finish_mmu`).
    pub(super) fn finish(self) {
        enter::<P>("tlb_finish_mmu", format_args!("pages={}, tables={}", self.pages.len(), self.tables.len())).run(
            || {
                self.mm.machine().shoot_down();
                let memory = self.mm.memory();
                self.pages.into_iter().for_each(|pfn| memory.put_page(self.cpu, pfn));
                self.tables.into_iter().for_each(|pfn| memory.free_uncharged(self.cpu, pfn));
            },
            |()| String::new(),
        );
    }
}
