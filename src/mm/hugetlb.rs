//! Faults of hugetlb mappings (`mm/hugetlb.c`, `hugetlb_fault`), as far as they are modelled: the pool of reserved huge
//! pages is empty, so nothing can be mapped, and Linux answers SIGBUS (`hugetlb_no_page`, `alloc_hugetlb_folio`).
//!
//! Not modelled: the pool, the fault mutex table, the page cache of hugetlbfs and its copy on write.

use crate::platform::{Platform, enter};

use super::fault_lock::FaultLock;
use super::vmf::{FaultError, VmFault};

/// Finds the pool empty.
pub(super) fn hugetlb_fault<'m, P: Platform>(lock: FaultLock<'m, P>) -> VmFault<'m, P> {
    enter::<P>("hugetlb_fault", format_args!("vma={:?}", lock.vma()))
        .run(|| VmFault::Failed(lock, FaultError::Sigbus), VmFault::words)
}
