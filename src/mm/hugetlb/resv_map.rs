//! Who has reserved what (`struct resv_map`): a promise of the pool that faults of a mapping will find their folios.
//!
//! # Invariants
//! - I1. The map of a shared file has the pages that are reserved, whether they are in the cache yet or not. The map of
//!   a private mapping has those whose reservation is used up: what is not in it is reserved.
//! - I2 (D57). The reservations of all private mappings that are not used up, and those of files for pages that are not
//!   in the cache, are together what the pool keeps back.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use crate::locks::{LockClass, OwnedRwSem, Spin};
use crate::mm::filemap::AddressSpace;
use crate::mm::mm_struct::Mm;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vma::Vma;
use crate::phys::{Claim, Hstate, PoolEmpty};
use crate::platform::{Arc, Platform, enter};
use crate::x86::VirtAddr;

use super::file::vma_hugecache_offset;

/// Pages of one file or one private mapping, by their place in the file.
pub struct ResvMap<P: Platform> {
    regions: Spin<P, BTreeSet<u64>>,
    lock: OwnedRwSem<P>,
}

impl<P: Platform> ResvMap<P> {
    /// With no page in it (`resv_map_alloc`).
    pub fn new() -> Self {
        Self { regions: Spin::new(LockClass::ResvMap, BTreeSet::new()), lock: OwnedRwSem::new(LockClass::ResvMapSema) }
    }

    /// The lock of a private mapping's entries (`resv_map->rw_sema`).
    pub(super) fn lock(&self) -> &OwnedRwSem<P> {
        &self.lock
    }

    /// Pages of the range that are in it (`region_count`).
    pub fn count(&self, range: Range<u64>) -> u64 {
        self.regions.lock().range(range).count() as u64
    }

    /// Puts a page in (`region_add`).
    fn add(&self, index: u64) {
        self.regions.lock().insert(index);
    }

    /// Takes a page out (`region_del`).
    fn remove(&self, index: u64) {
        self.regions.lock().remove(&index);
    }

    /// Empties it and says how many pages were in it.
    pub(in crate::mm) fn take_all(&self) -> u64 {
        std::mem::take(&mut *self.regions.lock()).len() as u64
    }
}

impl<P: Platform> Default for ResvMap<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Platform> fmt::Debug for ResvMap<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResvMap").finish_non_exhaustive()
    }
}

/// Reserves the pages of a new mapping: for itself if it is private, else for the file those that nobody has reserved
/// yet. With `MAP_NORESERVE` nothing is promised.
pub(in crate::mm) fn hugetlb_reserve_pages<P: Platform>(
    mm: &Mm<P>,
    file: &AddressSpace<P>,
    pages: Range<u64>,
    flags: VmFlags,
) -> Result<Option<Arc<ResvMap<P>>>, PoolEmpty> {
    enter::<P>("hugetlb_reserve_pages", format_args!("file={}, pages={pages:?}", file.id().0)).run(
        || {
            if flags.contains(VmFlags::NORESERVE) {
                return Ok(None);
            }
            let hstate = mm.memory().hstate();
            if !flags.contains(VmFlags::MAYSHARE) {
                hstate.reserve(pages.end - pages.start)?;
                return Ok(Some(Arc::new(ResvMap::new())));
            }
            let mut regions = file.resv_map().expect("a file of hugetlbfs has one").regions.lock();
            let new: Vec<u64> = pages.filter(|index| !regions.contains(index)).collect();
            hstate.reserve(new.len() as u64)?;
            regions.extend(new);
            Ok(None)
        },
        |result| result.as_ref().map_or_else(|_| "-ENOMEM".to_owned(), |_| "0".to_owned()),
    )
}

/// By which right a fault may take a folio (`vma_needs_reservation`, `vma_has_reserves`).
pub(super) fn claim_of<P: Platform>(vma: &Vma<P>, address: VirtAddr) -> Claim {
    let index = vma_hugecache_offset(vma, address);
    let is_reserved = match (map_of(vma), vma.hugetlb().owned()) {
        (Some(map), Some(_)) => map.count(index..index + 1) == 0,
        (Some(map), None) => map.count(index..index + 1) == 1,
        (None, _) => false,
    };
    if is_reserved { Claim::Reserved } else { Claim::Spare }
}

/// The page has its folio: the reservation of a private mapping is used up, and a file has one for the page from now on
/// (`vma_commit_reservation`).
pub(super) fn vma_commit_reservation<P: Platform>(vma: &Vma<P>, address: VirtAddr) {
    if let Some(map) = map_of(vma) {
        map.add(vma_hugecache_offset(vma, address));
    }
}

/// The folio goes back unused: the page has the reservation that it had (`restore_reserve_on_error`, the map's half).
pub(super) fn uncommit<P: Platform>(vma: &Vma<P>, address: VirtAddr, claim: Claim) {
    let index = vma_hugecache_offset(vma, address);
    match (map_of(vma), vma.hugetlb().owned(), claim) {
        (Some(map), Some(_), Claim::Reserved) | (Some(map), None, Claim::Spare) => map.remove(index),
        (Some(_), Some(_), Claim::Spare) | (Some(_), None, Claim::Reserved) | (None, _, _) => {}
    }
}

/// The map that a VMA's reservations stand in (`vma_resv_map`).
fn map_of<P: Platform>(vma: &Vma<P>) -> Option<&ResvMap<P>> {
    match vma.hugetlb().owned() {
        Some(owned) => Some(owned),
        None if vma.flags().contains(VmFlags::MAYSHARE) => vma.file().and_then(|file| file.mapping().resv_map()),
        None => None,
    }
}

/// What a private mapping has reserved and not used goes back to the pool (`hugetlb_vm_op_close`).
pub(in crate::mm) fn hugetlb_vm_op_close<P: Platform>(hstate: &Hstate<P>, vma: &Vma<P>) {
    hstate.unreserve(reserved_by(vma));
}

/// What a private mapping has reserved and not used.
pub(in crate::mm) fn reserved_by<P: Platform>(vma: &Vma<P>) -> u64 {
    let Some(owned) = vma.hugetlb().owned() else { return 0 };
    let start = vma_hugecache_offset(vma, vma.start());
    let end = start + (vma.end().bytes() - vma.start().bytes()) / P::GEOMETRY.huge_page_size();
    (end - start) - owned.count(start..end)
}
