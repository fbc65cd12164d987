//! Virtual addresses: canonical form, table indices, page arithmetic.

use std::fmt;

use thiserror::Error;

use crate::platform::{AddressLayout, Geometry, Word};

/// A canonical virtual address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtAddr(u64);

/// An address whose upper bits are not all the sign bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{address:#x} is not canonical: with {bits}-bit addresses, bits {sign} to 63 must all be equal",
    sign = bits - 1
)]
pub struct NotCanonical {
    /// The address.
    pub address: u64,
    /// Bits that are translated.
    pub bits: u32,
}

impl VirtAddr {
    /// The lowest address.
    pub const ZERO: Self = Self(0);

    /// The address `address`, if it is canonical in this geometry.
    ///
    /// # Errors
    /// If it is not.
    pub const fn new(address: u64, geometry: Geometry) -> Result<Self, NotCanonical> {
        let bits = geometry.address_bits();
        let canonical = match geometry.layout {
            AddressLayout::Halves => {
                let unused = 64 - bits;
                ((address << unused) as i64 >> unused) as u64
            }
            AddressLayout::UserOnly => address & ((1 << bits) - 1),
        };
        if canonical == address { Ok(Self(address)) } else { Err(NotCanonical { address, bits }) }
    }

    /// An address that user space may have, or its end (which a length check has already bounded).
    pub(crate) const fn user(address: u64) -> Self {
        Self(address)
    }

    /// The address as a number.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The first byte of the page.
    pub const fn page_start(self, geometry: Geometry) -> Self {
        Self(self.0 & !(geometry.page_size() - 1))
    }

    /// Where in its page the address is, in bytes.
    pub const fn page_offset(self, geometry: Geometry) -> u64 {
        self.0 & (geometry.page_size() - 1)
    }

    /// Whether it is the first byte of a page.
    pub const fn is_page_aligned(self, geometry: Geometry) -> bool {
        self.page_offset(geometry) == 0
    }

    /// Whether it is the first byte that a PMD entry translates.
    pub const fn is_huge_aligned(self, geometry: Geometry) -> bool {
        self.0 & (geometry.huge_page_size() - 1) == 0
    }

    /// The first address that the PMD entry of this one translates (`haddr`).
    pub const fn huge_start(self, geometry: Geometry) -> Self {
        Self(self.0 & !(geometry.huge_page_size() - 1))
    }

    /// The address in pages (`addr >> PAGE_SHIFT`).
    pub const fn page_number(self, geometry: Geometry) -> u64 {
        self.0 >> geometry.page_shift()
    }

    /// The index into the table of `level` (1: the one whose entries map pages).
    pub const fn index(self, level: u32, geometry: Geometry) -> usize {
        (self.0 >> shift(level, geometry)) as usize & (geometry.entries() - 1)
    }

    /// The first multiple of `span` (a power of two, in bytes) after the address.
    pub(crate) const fn aligned_after(self, span: u64) -> Self {
        Self((self.0 | (span - 1)) + 1)
    }

    /// The address `bytes` further on, around the end of the address space if need be.
    pub const fn offset(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl Word for VirtAddr {
    fn into_word(self) -> u64 {
        self.0
    }

    fn from_word(word: u64) -> Self {
        Self(word)
    }
}

/// The lowest bit of an address that indexes the table of `level`.
pub(crate) const fn shift(level: u32, geometry: Geometry) -> u32 {
    geometry.page_shift() + (level - 1) * geometry.index_bits
}

impl fmt::Debug for VirtAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

impl fmt::Display for VirtAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Shape, TwoLevels, X86_64};

    const G: Geometry = X86_64::GEOMETRY;

    #[test]
    fn the_documented_address_has_the_documented_indices() {
        let address = VirtAddr::new(0x75e5_2fc7_7100, G).expect("canonical");
        assert_eq!([4, 3, 2, 1].map(|level| address.index(level, G)), [235, 404, 382, 119]);
        assert_eq!(address.page_offset(G), 0x100);
        assert_eq!(address.page_start(G).bytes(), 0x75e5_2fc7_7000);
    }

    #[test]
    fn the_gap_between_the_halves_is_not_canonical() {
        for (address, canonical) in [
            (0x7fff_ffff_ffff, true),
            (0x8000_0000_0000, false),
            (0xffff_7fff_ffff_ffff, false),
            (0xffff_8000_0000_0000, true),
        ] {
            assert_eq!(VirtAddr::new(address, G).is_ok(), canonical, "{address:#x}");
        }
    }

    #[test]
    fn the_smallest_world_has_64_bytes() {
        let small = TwoLevels::GEOMETRY;
        assert_eq!(small.task_size(), 64);
        assert!(VirtAddr::new(63, small).is_ok());
        assert!(VirtAddr::new(64, small).is_err());
        assert_eq!([2, 1].map(|level| VirtAddr::user(0b11_0100).index(level, small)), [1, 1]);
    }
}
