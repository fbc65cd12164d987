//! What a VMA of huge pages knows of the pool, and its lock (`hugetlb_vma_lock_read`, `struct hugetlb_vma_lock`).
//!
//! | VMA | reservations | lock |
//! |---|---|---|
//! | shared | the file's | its own |
//! | private, as `mmap` made it | its own map (`HPAGE_RESV_OWNER`) | the map's |
//! | private, of a child, or with `MAP_NORESERVE` | none | none |
//!
//! A fault reads under the lock; who unmaps, writes. Where there is none, only the lock of the table orders the two, as
//! in Linux 4.4.

use std::fmt;

use crate::locks::{LockClass, OwnedReadGuard, OwnedRwSem};
use crate::mm::generation::Generation;
use crate::mm::mm_struct::Mm;
use crate::mm::vm_flags::VmFlags;
use crate::platform::{Arc, AtomicWord, Ordering, Platform, Tally, Variant, lacks, named};

use super::resv_map::ResvMap;

/// What a VMA of huge pages knows of the pool.
pub struct HugetlbVma<P: Platform> {
    generation: Generation,
    /// What a private mapping has reserved, if it has (`HPAGE_RESV_OWNER`).
    owned: Option<Arc<ResvMap<P>>>,
    /// The lock of a shared mapping.
    shared_lock: Option<OwnedRwSem<P>>,
    /// The kernel has unmapped a page of it for the sake of another process (`HPAGE_RESV_UNMAPPED`).
    unmapped: P::AtomicU64,
    /// Pages that are mapped in its address space (`mm->hugetlb_usage`).
    usage: Arc<P::Counter>,
}

impl<P: Platform> HugetlbVma<P> {
    /// Of a new mapping in `mm`, with what it has reserved for itself.
    pub fn new(mm: &Mm<P>, flags: VmFlags, owned: Option<Arc<ResvMap<P>>>) -> Self {
        let has_lock = flags.contains(VmFlags::MAYSHARE) && mm.generation() == Generation::G6;
        Self {
            generation: mm.generation(),
            owned,
            shared_lock: has_lock.then(|| OwnedRwSem::new(LockClass::HugetlbVmaLock)),
            unmapped: named::<P>(format_args!("vma_lock is unmapped"), 0),
            usage: mm.hugetlb_usage_counter(),
        }
    }

    /// Of the other part of a VMA that is cut in two (`hugetlb_vm_op_open`): both share the reservations.
    pub(in crate::mm) fn other_part(&self) -> Self {
        Self {
            generation: self.generation,
            owned: self.owned.clone(),
            shared_lock: self.shared_lock.as_ref().map(|_| OwnedRwSem::new(LockClass::HugetlbVmaLock)),
            unmapped: named::<P>(format_args!("vma_lock is unmapped"), u64::from(self.is_unmapped())),
            usage: Arc::clone(&self.usage),
        }
    }

    /// What a private mapping has reserved (`is_vma_resv_set` with `HPAGE_RESV_OWNER`).
    pub fn owned(&self) -> Option<&Arc<ResvMap<P>>> {
        self.owned.as_ref()
    }

    /// Whether the kernel has unmapped a page of it for the sake of another process: a later fault must not find zeros
    /// there.
    pub fn is_unmapped(&self) -> bool {
        // ORDER none: whoever finds the entry empty that was cleared after this was set, sees it.
        self.unmapped.load(Ordering::Relaxed) != 0
    }

    /// Says so. The caller holds the lock of the table, and has not yet cleared the entry.
    pub(super) fn set_unmapped(&self) {
        // ORDER none: the entry that is cleared next publishes it.
        self.unmapped.store(1, Ordering::Relaxed);
    }

    /// Counts small pages mapped by huge entries or, if negative, unmapped (`hugetlb_count_add`, `hugetlb_count_sub`).
    pub(super) fn count(&self, folios: i64) {
        self.usage.add(folios * P::GEOMETRY.entries() as i64);
    }

    /// Keeps the entries from being unmapped (`hugetlb_vma_lock_read`).
    pub(super) fn read_lock(&self) -> Option<OwnedReadGuard<P>> {
        self.lock().map(|lock| lock.read())
    }

    /// Unmaps while no fault is under way (`hugetlb_vma_lock_write`), where there is a lock.
    pub(super) fn write_locked(&self, unmap: impl FnOnce()) {
        match self.lock() {
            Some(lock) => lock.write(unmap),
            None => unmap(),
        }
    }

    fn lock(&self) -> Option<&OwnedRwSem<P>> {
        match (self.generation, &self.owned) {
            (Generation::G6, _) if lacks::<P>(Variant::HugetlbVmaLock) => None,
            (Generation::G2, _) => None,
            (Generation::G6, Some(owned)) => Some(owned.lock()),
            (Generation::G6, None) => self.shared_lock.as_ref(),
        }
    }
}

impl<P: Platform> fmt::Debug for HugetlbVma<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HugetlbVma").field("owns", &self.owned.is_some()).finish_non_exhaustive()
    }
}
