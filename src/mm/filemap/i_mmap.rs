//! Who maps a file (`mapping->i_mmap`): how truncation and the reverse map find the entries of its pages.
//!
//! # Invariants
//! - I1 (D24). A VMA of a file is in here from before its first fault until its entries are gone.
//! - I2. The range of a VMA that is in here changes only under the lock, held for writing; whoever reads finds it
//!   stable. The tables below it are freed only after it has left.
//!
//! # Lock order
//! Inside the mmap lock and the folio lock, outside of every page-table lock.

use std::fmt;

use crate::locks::{LockClass, ReadGuard, RwSem, WriteGuard};
use crate::mm::Vma;
use crate::phys::Pfn;
use crate::platform::{Arc, Platform};
use crate::x86::VirtAddr;

use super::address_space::AddressSpace;

/// The VMAs that map a file.
pub struct IMmap<P: Platform>(RwSem<P, Vec<Arc<Vma<P>>>>);

impl<P: Platform> IMmap<P> {
    pub(super) fn new() -> Self {
        Self(RwSem::new(LockClass::IMmap, Vec::new()))
    }

    /// Keeps the mappings stable (`i_mmap_lock_read`).
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, P, Vec<Arc<Vma<P>>>> {
        self.0.read()
    }

    /// Lets the holder change them (`i_mmap_lock_write`).
    #[track_caller]
    pub(in crate::mm) fn write(&self) -> WriteGuard<'_, P, Vec<Arc<Vma<P>>>> {
        self.0.write()
    }
}

/// A VMA's file (`vma->vm_file`, `vma->vm_pgoff`, `vma->vm_mm`).
pub struct VmaFile<P: Platform> {
    mapping: Arc<AddressSpace<P>>,
    /// The index of the page that address 0 would have; it may wrap round. Cutting a VMA in two does not change it.
    base: u64,
    root: Pfn,
}

impl<P: Platform> VmaFile<P> {
    /// `start` shows the page `pgoff` of the file, in the address space with the tables below `root`.
    pub fn new(mapping: Arc<AddressSpace<P>>, start: VirtAddr, pgoff: u64, root: Pfn) -> Self {
        Self { mapping, base: pgoff.wrapping_sub(start.page_number(P::GEOMETRY)), root }
    }

    /// The same in the address space with the tables below `root` (`fork`).
    #[must_use]
    pub fn of_root(&self, root: Pfn) -> Self {
        Self { mapping: Arc::clone(&self.mapping), root, ..*self }
    }

    /// The file.
    pub fn mapping(&self) -> &Arc<AddressSpace<P>> {
        &self.mapping
    }

    /// The root table of the address space that the VMA belongs to.
    pub fn root(&self) -> Pfn {
        self.root
    }

    /// The page of the file that an address shows.
    pub fn index(&self, address: VirtAddr) -> u64 {
        self.base.wrapping_add(address.page_number(P::GEOMETRY))
    }

    /// The address that shows a page of the file, if the VMA were large enough.
    pub fn address(&self, index: u64) -> VirtAddr {
        VirtAddr::user(index.wrapping_sub(self.base) << P::GEOMETRY.page_shift())
    }
}

impl<P: Platform> fmt::Debug for VmaFile<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("VmaFile").field("mapping", &self.mapping).finish_non_exhaustive()
    }
}

impl<P: Platform> fmt::Debug for IMmap<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IMmap").finish_non_exhaustive()
    }
}
