//! The lock types of the modelled kernel, over the seam.
//!
//! Each lock has a class, the name that Linux's lockdep would print, and guards that tell the story when somebody
//! listens.
//!
//! # Lock order
//!
//! ```text
//! mmap_lock                       do_user_addr_fault, vm_munmap
//!   vma->vm_lock                  vma_start_write; a fault only tries it, and holds nothing then
//!     mmap_lock (tried)           vmf_anon_prepare
//!   hugetlb fault mutex           hugetlb_fault
//!     hugetlb VMA lock            hugetlb_fault; hugetlb_zap, which takes no mutex
//!       resv_map, hugetlb_lock    alloc_hugetlb_folio
//!       i_mmap                    hugetlb_zap; unmap_ref_private, which has given up both above
//!       folio lock                filemap_lock_hugetlb_folio; under the PML it is only tried
//!   anon_vma root semaphore       __anon_vma_prepare, expand_downwards
//!     page_table_lock             __anon_vma_prepare, __pud_alloc, __pmd_alloc, expand_downwards
//!     PMD table lock (PML)        pmd_install
//!     PTE table lock (PTL)        pte_offset_map_lock
//!       rcu                       vma_iter_store, vm_area_free (what waits for a grace period)
//!       instruction               ptep_clear_flush (a shootdown waits for the instruction of each CPU)
//!       per-CPU lists > zone      free_unref_page
//!       LRU batch > lruvec        folio_add_lru
//!       memcg stock               mem_cgroup_charge
//! ```
//!
//! A CPU holds `instruction` only while it executes a user instruction, and takes no other lock meanwhile.

mod bit;
mod rwsem;
mod spin;

pub use bit::BitLock;
pub use rwsem::{OwnedReadGuard, OwnedRwSem, ReadGuard, RwSem, WriteGuard};
pub use spin::{Spin, SpinGuard};
