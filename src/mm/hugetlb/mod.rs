//! Mappings of huge pages from a pool (`mm/hugetlb.c`, `fs/hugetlbfs/inode.c`).
//!
//! ```text
//! hugetlb_fault
//!   fault_mutex          hugetlb_fault_mutex_table: one fault at a time for one page of one file
//!   vma_lock             hugetlb_vma_lock_read, and what else a VMA knows of the pool
//!   huge_pte             huge_pte_alloc, huge_pte_lock: the PMD entry is the entry; no table hangs below it
//!   no_page                hugetlb_no_page: the first touch
//!   wp                     hugetlb_wp: copy on write
//!     folio                  alloc_hugetlb_folio, restore_reserve_on_error
//!     rmap                   hugetlb_add_new_anon_rmap
//!     unmap                  unmap_ref_private, __unmap_hugepage_range
//! resv_map               who has reserved what (hugetlb_reserve_pages, hugetlb_vm_op_close)
//! file                   hugetlb_file_setup, the page cache of hugetlbfs
//! copy                   copy_hugetlb_page_range: fork
//! protect                hugetlb_change_protection: mprotect
//! ```
//!
//! The pool itself is physical memory's (`Hstate`).
//!
//! # Invariants
//! - I1 (D2, D9). An entry of such a VMA is empty or huge: it never points to a table, and no table is deposited for
//!   it.
//! - I2. The fault mutex is held from before the entry is read until it is set, so of two faults on one page the second
//!   finds what the first has mapped. Without it both would want a folio, and where the pool has one the second would
//!   be told that there is none: a false SIGBUS.
//! - I3. The mutex comes before the VMA's lock, that before `i_mmap`, that before the folio's lock; a folio's lock is
//!   only tried under the lock of the table. One exception is Linux's: who has taken a page from the others takes the
//!   mutex again while it holds folios' locks (mended in 6.16; it can deadlock).
//! - I4 (D57). What the pool has given is mapped, in a page cache, or given back; what is reserved belongs to a mapping
//!   or a file.
//!
//! The same code serves Linux 4.4, which has no lock of a hugetlb VMA and no mark of exclusive pages; that it looks for
//! an entry under migration before it takes the mutex is not modelled.
//!
//! Not modelled: migration and poisoned folios (nobody moves or poisons them here), userfaultfd, shared PMD tables,
//! pages of 1 GiB, truncation of hugetlbfs files, and that a discard by the owner restores the reservation (6.9).

mod copy;
mod fault;
mod fault_mutex;
mod file;
mod folio;
mod huge_pte;
mod no_page;
mod protect;
mod resv_map;
mod rmap;
mod unmap;
mod vma_lock;
mod wp;

pub use copy::copy_hugetlb_page_range;
pub use protect::hugetlb_change_protection;
pub use resv_map::ResvMap;
pub use unmap::{hugetlb_zap, unmap_hugepages};
pub use vma_lock::HugetlbVma;

pub(super) use fault::hugetlb_fault;
pub(super) use file::{hugetlb_file_setup, is_hugetlb_request};
pub(super) use resv_map::{hugetlb_reserve_pages, hugetlb_vm_op_close, reserved_by};
