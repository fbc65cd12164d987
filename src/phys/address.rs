//! Frame numbers and physical addresses.

use std::fmt;

use crate::platform::Geometry;

/// A page frame number (`pfn`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(u64);

impl Pfn {
    /// Bits of a frame number that fit into an entry (bits 12 to 51 of it).
    pub const BITS: u32 = 40;

    /// The frame `number`, if an entry can hold it.
    pub const fn new(number: u64) -> Option<Self> {
        if number >> Self::BITS == 0 { Some(Self(number)) } else { None }
    }

    /// The frame whose number is the low 40 bits of `bits`.
    pub const fn truncate(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The physical address of the byte `offset` of the frame.
    pub const fn byte(self, offset: u64, geometry: Geometry) -> PhysAddr {
        PhysAddr((self.0 << geometry.page_shift()) + offset)
    }
}

impl fmt::Debug for Pfn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "pfn {:#x}", self.0)
    }
}

impl fmt::Display for Pfn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

/// A physical address, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysAddr(u64);

/// Where Linux maps all physical memory on x86-64 without KASLR (`page_offset_base`).
const DIRECT_MAP: u64 = 0xffff_8880_0000_0000;

impl PhysAddr {
    /// The address in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The kernel's virtual address of this byte (`__va`).
    pub const fn direct_map(self) -> u64 {
        DIRECT_MAP + self.0
    }
}

impl fmt::Debug for PhysAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "physical {:#x}", self.0)
    }
}

impl fmt::Display for PhysAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Shape, X86_64};

    #[test]
    fn a_frame_number_must_fit_an_entry() {
        assert_eq!(Pfn::new((1 << 40) - 1).map(Pfn::number), Some((1 << 40) - 1));
        assert_eq!(Pfn::new(1 << 40), None);
    }

    #[test]
    fn the_direct_map_is_where_linux_has_it() {
        let byte = Pfn::truncate(0x38944c).byte(0, X86_64::GEOMETRY);
        assert_eq!(byte.bytes(), 0x3_8944_c000);
        assert_eq!(byte.direct_map(), 0xffff_8883_8944_c000);
    }
}
