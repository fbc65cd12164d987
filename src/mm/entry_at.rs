//! A place in a page table: which table, which entry, which level (`pte_t *`, `pmd_t *` and so on).

use std::fmt;

use crate::phys::Pfn;
use crate::platform::Platform;
use crate::x86::{VirtAddr, level_name};

/// A pointer to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryAt {
    /// The frame of the table.
    pub table: Pfn,
    /// The index of the entry.
    pub index: usize,
    /// The level of the table: 1 for a PTE table.
    pub level: u32,
}

impl EntryAt {
    /// The entry for `address` in a table of `level`.
    pub fn of<P: Platform>(table: Pfn, level: u32, address: VirtAddr) -> Self {
        Self { table, index: address.index(level, P::GEOMETRY), level }
    }
}

/// As a reader knows it: `PMD[382] of table 0x1003`.
impl fmt::Display for EntryAt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{}] of table {}", level_name(self.level), self.index, self.table)
    }
}
