//! The lock types of the modelled kernel, over the seam.
//!
//! Each lock has a class, the name that Linux's lockdep would print, and guards that tell the story when somebody
//! listens.
//!
//! # Lock order
//! Under each lock what may be wanted while it is held, and the function of Linux that does it; most of what follows
//! from that is not repeated, and `/1` is the inner one of two. It is data in `order`; [`lockdep`] learns what
//! executions do, and `pagerace lockdep` compares the two.
//!
//! ```text
//! inode->i_rwsem
//!   mm->mmap_lock               generic_perform_write
//!   mapping->invalidate_lock    ext4_setattr
//! mm->mmap_lock
//!   mm->mmap_lock/1             dup_mmap
//!   vma->vm_lock                vma_start_write
//! mm->mmap_lock/1
//!   vma->vm_lock                dup_mmap
//! vma->vm_lock
//!   mapping->invalidate_lock    filemap_fault
//!   hugetlb_fault_mutex_table   hugetlb_fault
//! mapping->invalidate_lock
//!   folio lock                  filemap_fault
//! hugetlb_fault_mutex_table
//!   hugetlb_vma_lock            hugetlb_fault
//!   resv_map->rw_sema           hugetlb_fault
//! hugetlb_vma_lock
//!   folio lock/1                filemap_lock_hugetlb_folio
//!   mapping->i_mmap_rwsem       __hugetlb_zap_begin
//! resv_map->rw_sema
//!   folio lock/1                filemap_lock_hugetlb_folio
//!   mapping->i_mmap_rwsem       __hugetlb_zap_begin
//! folio lock
//!   hugetlb_fault_mutex_table   hugetlb_wp
//!   mapping->i_mmap_rwsem       unmap_mapping_folio
//!   mapping->i_pages            filemap_add_folio
//! folio lock/1
//!   resv_map->lock              vma_needs_reservation
//!   anon_vma->rwsem             __anon_vma_prepare
//! mapping->i_mmap_rwsem
//!   anon_vma->rwsem             vma_prepare
//!   hugetlb_lock                free_huge_folio
//! anon_vma->rwsem
//!   mm->page_table_lock         __anon_vma_prepare
//!   page->ptl (PMD)             page_vma_mapped_walk
//! mm->page_table_lock
//!   pcp->lock                   __pud_alloc
//! page->ptl (PMD)
//!   page->ptl (PMD)/1           copy_huge_pmd
//!   page->ptl                   collapse_huge_page
//! page->ptl
//!   page->ptl/1                 copy_pte_range
//!   mapping->i_pages            __folio_mark_dirty
//!   memcg_stock.lock            uncharge_folio
//!   pcp->lock                   free_unref_page
//!   cpu_fbatches.lock           folio_add_lru
//!   instruction                 ptep_clear_flush
//! resv_map->lock
//!   hugetlb_lock                hugetlb_reserve_pages
//! pcp->lock
//!   zone->lock                  rmqueue_bulk
//! cpu_fbatches.lock
//!   lruvec->lru_lock            folio_batch_move_lru
//! ```
//!
//! A CPU holds `instruction` only while it executes a user instruction, and takes no other lock meanwhile. The
//! callbacks of RCU have a lock of their own in the seam, which has no class: nothing is wanted under it.

mod bit;
mod circle;
mod class;
mod graph;
mod held;
pub mod lockdep;
mod order;
mod rwsem;
mod spin;

pub use bit::BitLock;
pub use circle::{Circle, Link};
pub use class::{KeySet, LockClass, LockKey, LockKind, Subclass};
pub use graph::{Edge, Graph};
pub use held::{HeldLock, Mode, Place};
pub use order::{Rule, documented, is_implied, tree};
pub use rwsem::{OwnedReadGuard, OwnedRwSem, ReadGuard, RwSem, WriteGuard};
pub use spin::{Spin, SpinGuard};
