//! The kernel's memory management: address spaces, page tables and the fault path, with Linux's names (6.8 to 6.12).
//!
//! The path of a fault, a file a stop:
//!
//! ```text
//! exception          exc_page_fault > handle_page_fault
//! user_fault         do_user_addr_fault
//! bad_area             __bad_area_nosemaphore, do_sigbus, kernelmode_fixup_or_oops
//! vma_lock             lock_vma_under_rcu
//! fault_lock           lock_mm_and_find_vma
//! expand_stack           expand_stack_locked
//! access_error         access_error, arch_vma_access_permitted
//! handle_mm_fault      handle_mm_fault > sanitize_fault_flags, lru_gen_enter_fault, mm_account_fault
//! hugetlb                hugetlb_fault > hugetlb_no_page, hugetlb_wp
//! walk                   __handle_mm_fault > p4d_alloc, pud_alloc, pmd_alloc
//! huge_memory              create_huge_pmd, wp_huge_pmd, huge_pmd_set_accessed
//! handle_pte_fault         handle_pte_fault
//! anonymous                  do_anonymous_page
//! do_fault                   do_fault > do_read_fault, do_cow_fault, do_shared_fault
//! filemap                      filemap_map_pages, filemap_fault
//! finish_fault                 finish_fault, set_pte_range
//! swap_page                  do_swap_page > migration_entry_wait
//! numa_page                  do_numa_page > migrate_folio
//! wp_page                    do_wp_page > wp_can_reuse_anon_folio, wp_page_reuse
//! wp_page_copy                 wp_page_copy
//! wp_page_shared               wp_page_shared
//! pte_table                    pte_alloc, pte_offset_map_lock
//! ```

mod access_error;
mod anon_vma;
mod anonymous;
mod bad_area;
mod change_writable;
mod do_fault;
mod ending;
mod entry_at;
mod exception;
mod expand_stack;
mod expand_stack_4_4;
mod fault_flags;
mod fault_lock;
mod filemap;
mod finish_fault;
mod generation;
mod gup;
mod handle_mm_fault;
mod handle_pte_fault;
mod huge_memory;
mod hugetlb;
mod map_request;
mod mergeable_anon_vma;
mod migrate;
mod mm_struct;
mod mmap;
mod mmap_lock;
mod numa_page;
mod preallocated;
mod pte_table;
mod pte_update;
mod rmap;
mod swap_page;
mod task;
mod tlb_flush;
mod tlb_flush_pending;
mod user_fault;
mod vm_flags;
mod vma;
mod vma_lock;
mod vma_start;
mod vma_tree;
mod vmf;
mod walk;
mod wp_page;
mod wp_page_copy;
mod wp_page_g2;
mod wp_page_shared;

pub use anon_vma::{AnonVma, fork_vma};
pub(crate) use change_writable::{can_change_writable, wants_manual_write_upgrade};
pub use ending::{BusCode, Ending, FaultCode, Oops};
pub use entry_at::EntryAt;
pub use exception::Process;
pub use fault_flags::FaultFlags;
pub use fault_lock::{FaultLock, FaultLockKind};
pub use filemap::{
    AddressSpace, Behaviour, FaultOp, HugeFolios, IMmap, MapPages, PageMkwrite, Reads, Space, VmaFile, file_word,
};
pub use generation::{CowReuse, Generation, VmaLocking};
pub use gup::{GupError, GupFlags, UserPage, get_user_page, get_user_page_locked};
pub use huge_memory::{CopiedHuge, HugeZap, LockedPmd, copy_huge_pmd, migrate_huge_folio, split_at, zap_huge};
pub(crate) use huge_memory::{
    fits_huge, folio_add_new_anon_rmap_pmd_at, is_huge_allowable, may_be_huge, pmd_trans_huge_lock, writable_huge_entry,
};
pub use hugetlb::{
    HugetlbVma, ResvMap, copy_hugetlb_page_range, hugetlb_change_protection, hugetlb_zap, unmap_hugepages,
};
pub use map_request::{HugeAdvice, MapFlags, MapRequest, OpenFile, OpenMode, do_mmap, mmap};
pub use migrate::{Migrated, migrate_folio};
pub use mm_struct::{Mm, MmError, RssKind};
pub use mmap::{MapError, Placement, Protection};
pub use mmap_lock::{MmapLock, MmapWriteGuard};
pub use pte_table::{LockedTable, PteTable};
pub(crate) use pte_table::{pmdp_get_lockless, pte_alloc};
pub use rmap::{dup_anon_rmap, folio_add_file_rmap, remove_rmap};
pub(crate) use swap_page::{migration_entry_wait_at, under_migration};
pub use task::{FaultCounts, Signal, Signals, Task};
pub use tlb_flush::{Owed, flush_tlb_mm, flush_tlb_range};
pub use tlb_flush_pending::TlbFlushPending;
pub use vm_flags::{VmFlags, WriteNotify};
pub use vma::{Vma, WritableVma};
pub(crate) use vma_lock::lock_vma_under_rcu;
pub use vma_tree::VmaTree;
pub use vmf::{Effort, FaultError, VmFault};
pub(crate) use walk::{find_pmd, pmd_of, read_table};
