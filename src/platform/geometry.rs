//! The shape of the page tables: how many levels there are, and how many entries a table has.
//!
//! A table fills one frame, as on hardware: a frame holds `entries` words of 8 bytes, so the page size follows from
//! the index bits. The real machine has 4 levels of 512 entries; a model checker gets tables of two entries, where the
//! same code has the same races and a thousand times fewer steps.

/// Levels and index bits of the page tables, and with them the page size and the width of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Levels of tables, 2 to 4; a missing level is folded into the one above, as Linux folds it.
    pub levels: u32,
    /// Bits of an address that index one table.
    pub index_bits: u32,
    /// Whether user space is the lower half of a sign-extended address space or all of it.
    pub layout: AddressLayout,
}

/// Which addresses belong to user space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressLayout {
    /// Two halves with a gap of non-canonical addresses between them (x86-64).
    Halves,
    /// User space only: the small worlds of the checkers have no kernel half.
    UserOnly,
}

impl Geometry {
    /// Entries in a table, which is also the number of words in a frame.
    pub const fn entries(self) -> usize {
        1 << self.index_bits
    }

    /// Bits of an address that lie inside a page.
    pub const fn page_shift(self) -> u32 {
        self.index_bits + 3
    }

    /// Bytes in a page.
    pub const fn page_size(self) -> u64 {
        1 << self.page_shift()
    }

    /// Bytes in a huge page, which one PMD entry translates (`HPAGE_PMD_SIZE`).
    pub const fn huge_page_size(self) -> u64 {
        self.page_size() << self.index_bits
    }

    /// Bits of an address that are translated.
    pub const fn address_bits(self) -> u32 {
        self.page_shift() + self.levels * self.index_bits
    }

    /// The lowest address that may be mapped without asking for it (`mmap_min_addr`).
    pub const fn lowest_mapping(self) -> u64 {
        match self.layout {
            AddressLayout::Halves => 1 << 16,
            AddressLayout::UserOnly => 0,
        }
    }

    /// Bytes that a stack keeps free between itself and the mapping below (`stack_guard_gap`).
    pub const fn stack_guard_gap(self) -> u64 {
        match self.layout {
            AddressLayout::Halves => 256 * self.page_size(),
            AddressLayout::UserOnly => self.page_size(),
        }
    }

    /// The first address that user space cannot have (`TASK_SIZE_MAX`; x86-64 leaves a guard page below the gap).
    pub const fn task_size(self) -> u64 {
        match self.layout {
            AddressLayout::Halves => (1 << (self.address_bits() - 1)) - self.page_size(),
            AddressLayout::UserOnly => 1 << self.address_bits(),
        }
    }
}

/// A geometry as a type, so that a platform can carry it.
pub trait Shape: Send + Sync + 'static {
    /// The geometry.
    const GEOMETRY: Geometry;
}

/// x86-64 with 4-level paging: 4 × 9 bits, pages of 4 KiB.
#[derive(Debug)]
pub struct X86_64;

impl Shape for X86_64 {
    const GEOMETRY: Geometry = Geometry { levels: 4, index_bits: 9, layout: AddressLayout::Halves };
}

/// Two levels of two entries, pages of two words: the smallest world in which tables race.
#[derive(Debug)]
pub struct TwoLevels;

impl Shape for TwoLevels {
    const GEOMETRY: Geometry = Geometry { levels: 2, index_bits: 1, layout: AddressLayout::UserOnly };
}

/// Four levels of two entries: the whole walk, still small.
#[derive(Debug)]
pub struct FourLevels;

impl Shape for FourLevels {
    const GEOMETRY: Geometry = Geometry { levels: 4, index_bits: 1, layout: AddressLayout::UserOnly };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_64_has_the_architectural_numbers() {
        let geometry = X86_64::GEOMETRY;
        assert_eq!(geometry.entries(), 512);
        assert_eq!(geometry.page_size(), 4096);
        assert_eq!(geometry.address_bits(), 48);
        assert_eq!(geometry.task_size(), 0x7fff_ffff_f000);
    }

    #[test]
    fn a_table_fills_a_frame_in_every_geometry() {
        for geometry in [X86_64::GEOMETRY, TwoLevels::GEOMETRY, FourLevels::GEOMETRY] {
            assert_eq!(geometry.entries() as u64 * 8, geometry.page_size());
        }
    }
}
