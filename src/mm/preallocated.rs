//! A PTE table that a fault allocates before it locks a folio (`vmf->prealloc_pte`).
//!
//! # Invariants
//! - I1. It is allocated while no folio is locked: an allocation may wait for reclaim, and reclaim for the folio.
//! - I2 (D57). Whoever does not install it frees it: that happens when it is dropped.

use crate::phys::{OutOfMemory, Pfn};
use crate::platform::{Platform, remark};
use crate::x86::PmdState;

use super::pte_table::{pmd_install, pmdp_get_lockless};
use super::vmf::Vmf;
use super::walk::new_table;
use super::{Mm, Task};

/// At most one table that nobody else knows.
pub(super) struct PreallocatedTable<'m, P: Platform> {
    mm: &'m Mm<P>,
    task: &'m Task,
    table: Option<Pfn>,
}

impl<'m, P: Platform> PreallocatedTable<'m, P> {
    /// None yet.
    pub(super) fn none(vmf: &Vmf<'m, P>) -> Self {
        Self { mm: vmf.mm, task: vmf.task, table: None }
    }

    /// Has a table ready if the PMD entry is empty (`pte_alloc_one`).
    pub(super) fn prepare(&mut self, vmf: &Vmf<'_, P>) -> Result<(), OutOfMemory> {
        if self.table.is_none() && pmdp_get_lockless(self.mm, vmf.pmd).state() == PmdState::None {
            let table = new_table(self.mm, self.task, 1)?;
            remark::<P>(format_args!("table {table} is allocated before any page is locked"));
            self.table = Some(table);
        }
        Ok(())
    }

    /// Links the table if there is one and the PMD entry is still empty.
    pub(super) fn install(&mut self, vmf: &Vmf<'_, P>) {
        if pmdp_get_lockless(self.mm, vmf.pmd).state() == PmdState::None
            && let Some(table) = self.table.take()
        {
            pmd_install(self.mm, self.task, vmf.pmd, table);
        }
    }
}

impl<P: Platform> Drop for PreallocatedTable<'_, P> {
    fn drop(&mut self) {
        if let Some(table) = self.table.take() {
            remark::<P>(format_args!("table {table} was not needed: it is freed"));
            self.mm.memory().free_uncharged(self.task.cpu(), table);
        }
    }
}
