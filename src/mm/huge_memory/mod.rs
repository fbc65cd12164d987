//! Transparent huge pages: PMD entries that map a page themselves (`mm/huge_memory.c`).
//!
//! ```text
//! __handle_mm_fault
//!   fault                the two branches: an empty entry, a huge one
//!     eligible             thp_vma_allowable_order
//!     anonymous            do_huge_pmd_anonymous_page
//!     accessed             huge_pmd_set_accessed, do_huge_pmd_numa_page
//!     wp_page              wp_huge_pmd, do_huge_pmd_wp_page
//!     migration            pmd_migration_entry_wait
//!     set_pmd              do_set_pmd, for files
//!     split                __split_huge_pmd
//!   linux_4_4            the same path in Linux 4.4, with its splitting bit
//!     wp_page_4_4          do_huge_pmd_wp_page, which copies the page as a whole
//!     split_4_4            split_huge_page, in all address spaces at once
//! zap                  zap_huge_pmd, the huge half of zap_pmd_range
//! copy                 copy_huge_pmd, for fork
//! migrate              set_pmd_migration_entry, remove_migration_pmd
//! locked_pmd           pmd_lock, and what may be done under it
//! ```

mod accessed;
mod anonymous;
mod copy;
mod eligible;
mod fault;
mod linux_4_4;
mod locked_pmd;
mod migrate;
mod migration;
mod set_pmd;
mod split;
mod split_4_4;
mod wp_page;
mod wp_page_4_4;
mod zap;

pub(super) use anonymous::{alloc_huge_charged, set_anon};
pub(crate) use anonymous::{folio_add_new_anon_rmap_pmd_at, writable_huge_entry};
pub use copy::{CopiedHuge, copy_huge_pmd};
pub(crate) use eligible::{fits as fits_huge, is_allowable as is_huge_allowable, may_be_huge};
pub(super) use fault::{HugeFault, huge_pmd_fault};
pub use locked_pmd::LockedPmd;
pub use migrate::migrate_huge_folio;
pub(super) use migration::assert_being_moved;
pub(super) use migration::pmd_migration_entry_wait;
pub(super) use set_pmd::{SetPmd, do_set_pmd, is_pmd_mappable};
pub(crate) use zap::pmd_trans_huge_lock;
pub use zap::{HugeZap, split_at, zap_huge};
