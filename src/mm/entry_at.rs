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
    /// The first address that the entry translates.
    pub address: VirtAddr,
}

impl EntryAt {
    /// The entry for `address` in a table of `level`.
    pub fn of<P: Platform>(table: Pfn, level: u32, address: VirtAddr) -> Self {
        let span = span::<P>(level);
        let address_of_entry = VirtAddr::user(address.bytes() & !(span - 1));
        Self { table, index: address.index(level, P::GEOMETRY), level, address: address_of_entry }
    }

    /// Another entry of the same table.
    pub fn nth<P: Platform>(self, index: usize) -> Self {
        let span = span::<P>(self.level);
        let table_start = self.address.bytes() - self.index as u64 * span;
        Self { index, address: VirtAddr::user(table_start + index as u64 * span), ..self }
    }

    /// What the entry translates: its first address, and the first one after it.
    pub fn range<P: Platform>(self) -> (VirtAddr, VirtAddr) {
        (self.address, self.address.offset(span::<P>(self.level)))
    }
}

/// Bytes that an entry of a table of `level` translates.
fn span<P: Platform>(level: u32) -> u64 {
    P::GEOMETRY.page_size() << ((level - 1) * P::GEOMETRY.index_bits)
}

/// As a reader knows it: `PMD[382] of table 0x1003`.
impl fmt::Display for EntryAt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{}] of table {}", level_name(self.level), self.index, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Native, TwoLevels};

    type P = Native<TwoLevels>;

    #[test]
    fn an_entry_knows_what_it_translates() {
        let range = |at: EntryAt| (at.range::<P>().0.bytes(), at.range::<P>().1.bytes());
        let pmd = EntryAt::of::<P>(Pfn::truncate(2), 2, VirtAddr::user(40));
        assert_eq!((pmd.index, range(pmd)), (1, (32, 64)));
        assert_eq!(range(pmd.nth::<P>(0)), (0, 32));
        assert_eq!(range(EntryAt::of::<P>(Pfn::truncate(3), 1, VirtAddr::user(56))), (48, 64));
    }
}
