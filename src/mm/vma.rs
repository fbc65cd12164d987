//! A virtual memory area: a range of pages with the same rights (`struct vm_area_struct`).

use std::fmt;

use bitflags::bitflags;

use crate::platform::{Arc, Platform, SetOnce};
use crate::x86::{EntryFlags, VirtAddr};

use super::anon_vma::AnonVma;

bitflags! {
    /// Properties of a VMA (`vm_flags_t`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct VmFlags: u64 {
        /// May be read (`VM_READ`).
        const READ = 0x1;
        /// May be written.
        const WRITE = 0x2;
        /// May be executed.
        const EXEC = 0x4;
        /// Stores are seen by others who map the same object.
        const SHARED = 0x8;
        /// `mprotect` may allow reads.
        const MAYREAD = 0x10;
        /// `mprotect` may allow writes.
        const MAYWRITE = 0x20;
        /// `mprotect` may allow execution.
        const MAYEXEC = 0x40;
        /// Sequential reads are expected (`MADV_SEQUENTIAL`).
        const SEQ_READ = 0x8000;
        /// Random reads are expected (`MADV_RANDOM`).
        const RAND_READ = 0x10000;
        /// The protection key, four bits (`VM_PKEY_BIT0` to `3`).
        const PKEY = 0xf << 32;
    }
}

impl VmFlags {
    /// Reads, writes or execution are allowed (`VM_ACCESS_FLAGS`).
    pub const ACCESS: Self = Self::READ.union(Self::WRITE).union(Self::EXEC);

    /// The protection key (`vma_pkey`).
    pub const fn pkey(self) -> u32 {
        (self.intersection(Self::PKEY).bits() >> 32) as u32
    }
}

/// A range of pages with the same rights. The fields are stable while the mmap lock is held.
pub struct Vma<P: Platform> {
    start: VirtAddr,
    end: VirtAddr,
    flags: VmFlags,
    anon_vma: SetOnce<P, Arc<AnonVma<P>>>,
}

impl<P: Platform> Vma<P> {
    /// The VMA of the pages from `start` up to `end`.
    ///
    /// # Panics
    /// If it would be empty.
    pub fn new(start: VirtAddr, end: VirtAddr, flags: VmFlags) -> Self {
        assert!(start < end, "a VMA from {start} to {end} has no page");
        Self { start, end, flags, anon_vma: SetOnce::empty() }
    }

    /// Its first address.
    pub fn start(&self) -> VirtAddr {
        self.start
    }

    /// The first address after it.
    pub fn end(&self) -> VirtAddr {
        self.end
    }

    /// Its properties.
    pub fn flags(&self) -> VmFlags {
        self.flags
    }

    /// Whether it covers `address`.
    pub fn contains(&self, address: VirtAddr) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Any access is allowed (`vma_is_accessible`).
    pub fn is_accessible(&self) -> bool {
        self.flags.intersects(VmFlags::ACCESS)
    }

    /// A private mapping that may be written copies on write (`is_cow_mapping`).
    pub fn is_cow(&self) -> bool {
        self.flags & (VmFlags::SHARED | VmFlags::MAYWRITE) == VmFlags::MAYWRITE
    }

    /// The `anon_vma`, once a fault has prepared one.
    pub fn anon_vma(&self) -> Option<&Arc<AnonVma<P>>> {
        self.anon_vma.get()
    }

    pub(super) fn set_anon_vma(&self, anon_vma: Arc<AnonVma<P>>) -> Result<(), Arc<AnonVma<P>>> {
        self.anon_vma.set(anon_vma).map(drop)
    }

    /// The page's place in the VMA's object (`linear_page_index`); anonymous memory starts at its own address.
    pub fn linear_page_index(&self, address: VirtAddr) -> u64 {
        address.page_number(P::GEOMETRY)
    }

    /// The flags of an entry that maps a page of this VMA without any right to write (`vm_page_prot`, from
    /// `protection_map` of a private mapping: writable ones are entered as copy-on-write).
    pub fn page_prot(&self) -> EntryFlags {
        if !self.is_accessible() {
            return EntryFlags::PROT_NONE | EntryFlags::ACCESSED;
        }
        let read = EntryFlags::PRESENT | EntryFlags::USER | EntryFlags::ACCESSED;
        if self.flags.contains(VmFlags::EXEC) { read } else { read | EntryFlags::NO_EXECUTE }
    }

    /// Cuts the VMA at `at`; the upper part shares the `anon_vma` (`__split_vma`).
    pub(super) fn split_off(&mut self, at: VirtAddr) -> Self {
        assert!(self.start < at && at < self.end, "{at} is not inside {self:?}");
        let anon_vma = self.anon_vma.get().map(|anon_vma| SetOnce::with(Arc::clone(anon_vma)));
        let upper =
            Self { start: at, end: self.end, flags: self.flags, anon_vma: anon_vma.unwrap_or_else(SetOnce::empty) };
        if let Some(anon_vma) = upper.anon_vma() {
            anon_vma.link(&upper);
        }
        self.end = at;
        upper
    }
}

impl<P: Platform> fmt::Debug for Vma<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = |flag, letter| if self.flags.contains(flag) { letter } else { '-' };
        let [read, write, exec] = [(VmFlags::READ, 'r'), (VmFlags::WRITE, 'w'), (VmFlags::EXEC, 'x')]
            .map(|(flag, letter)| right(flag, letter));
        let shared = if self.flags.contains(VmFlags::SHARED) { 's' } else { 'p' };
        write!(formatter, "{}-{} {read}{write}{exec}{shared}", self.start, self.end)
    }
}
