//! Tables that are kept ready for the day when a huge entry must become a table (`pgtable_trans_huge_deposit`,
//! `pgtable_trans_huge_withdraw`). The caller holds the lock of the PMD table.

use std::iter;

use crate::platform::Platform;

use super::address::Pfn;
use super::memory::PhysMem;

impl<P: Platform> PhysMem<P> {
    /// Keeps `table` with the PMD table.
    pub fn deposit(&self, pmd_table: Pfn, table: Pfn) {
        let first = self.page(pmd_table).deposit();
        self.page(table).deposit().set(first.get());
        first.set(u64::from(self.index(table)) + 1);
    }

    /// Takes one of the PMD table's deposits; `None` if it has none.
    pub fn withdraw(&self, pmd_table: Pfn) -> Option<Pfn> {
        let table = self.deposits(pmd_table).next()?;
        let rest = self.page(table).deposit();
        self.page(pmd_table).deposit().set(rest.get());
        rest.set(0);
        Some(table)
    }

    /// The tables deposited with a PMD table.
    pub fn deposits(&self, pmd_table: Pfn) -> impl Iterator<Item = Pfn> + '_ {
        let next = |of: Pfn| self.page(of).deposit().get().checked_sub(1).map(|index| self.pfn(index as u32));
        iter::successors(next(pmd_table), move |table| next(*table))
    }
}
