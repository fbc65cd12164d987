//! The lock types of the modelled kernel, over the seam.
//!
//! Each lock has a class, the name that Linux's lockdep would print, and guards that tell the story when somebody
//! listens.
//!
//! # Lock order
//!
//! ```text
//! mmap_lock                       do_user_addr_fault, vm_munmap
//!   anon_vma root semaphore       __anon_vma_prepare
//!     page_table_lock             __anon_vma_prepare, __pud_alloc, __pmd_alloc
//!     PMD table lock (PML)        pmd_install
//!     PTE table lock (PTL)        pte_offset_map_lock
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
