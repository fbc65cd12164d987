//! One fault at a time for one page (`hugetlb_fault_mutex_table`), and the VMA's own lock below it.

use crate::locks::{OwnedReadGuard, SpinGuard};
use crate::mm::vma::Vma;
use crate::phys::Hstate;
use crate::platform::{Platform, Variant, lacks};
use crate::x86::VirtAddr;

use super::file::vma_hugecache_offset;

/// The locks that a fault of a hugetlb VMA holds besides the fault lock. The VMA's goes first when both go.
pub(super) struct FaultLocks<'m, P: Platform> {
    vma_lock: Option<OwnedReadGuard<P>>,
    mutex: Option<SpinGuard<'m, P, ()>>,
}

impl<'m, P: Platform> FaultLocks<'m, P> {
    /// Waits for both (`mutex_lock`, `hugetlb_vma_lock_read`).
    pub(super) fn take(hstate: &'m Hstate<P>, vma: &Vma<P>, address: VirtAddr) -> Self {
        let mutex = (!lacks::<P>(Variant::HugetlbMutex)).then(|| hstate.fault_mutex(hash(vma, address)).lock());
        Self { vma_lock: vma.hugetlb().read_lock(), mutex }
    }

    /// Gives both up for something that must not be done under them.
    pub(super) fn release(&mut self) {
        self.vma_lock = None;
        self.mutex = None;
    }

    /// Gives the mutex up and keeps the VMA's lock.
    pub(super) fn release_mutex(&mut self) {
        self.mutex = None;
    }
}

/// Which mutex a page has (`hugetlb_fault_mutex_hash`): it is chosen by the file, which every hugetlb mapping has, and
/// the place in it. So whoever may map one page has one mutex, the child of a fork and its parent too. Linux mixes the
/// bits better.
fn hash<P: Platform>(vma: &Vma<P>, address: VirtAddr) -> u64 {
    let file = vma.file().expect("a hugetlb VMA has a file").mapping().id();
    file.0.wrapping_add(vma_hugecache_offset(vma, address))
}
