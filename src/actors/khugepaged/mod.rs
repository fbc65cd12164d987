//! Small pages become a huge one (`mm/khugepaged.c`), for the daemon or for `madvise(MADV_COLLAPSE)`.
//!
//! ```text
//! collapser            who asks, and what he puts up with (struct collapse_control)
//! scan_result          why nothing was collapsed (enum scan_result)
//! scan                 hpage_collapse_scan_pmd: is it worth it?
//!   survey               one entry after the other, by the same rules in both passes
//! collapse             collapse_huge_page
//!   revalidate           hugepage_vma_revalidate, check_pmd_still_valid
//!   isolate              __collapse_huge_page_isolate
//!   copy                 __collapse_huge_page_copy
//! ```
//!
//! # States of the PMD entry
//!
//! ```text
//!   table --- pmdp_collapse_flush ---> none --- all pages are isolated, and copied ---> huge, the table is its deposit
//!                                       |
//!                                       +------ a page cannot be had ---> the same table
//! ```
//!
//! # Invariants
//! - I1 (D2, D37). While the entry is empty nobody may fill it, nor find it empty: the mmap lock is held for writing,
//!   and so is the VMA's (M46). What was seen before they were had is looked at again (M45).
//! - I2 (D3, D36). The entry is emptied, and every CPU has forgotten what was below it, before a page is copied: no
//!   store goes to a page that was copied already, and none to one that is freed.
//! - I3. From the moment when its `anon_vma` is released each page is locked and off its LRU list, so nobody who finds
//!   it by the reverse map does anything to it.
//! - I4 (D8). The table that was linked is the one that is deposited: `pgtables_bytes` stays as it is.
//!
//! # Lock order
//! The mmap lock, the VMA's, the `anon_vma`'s; then the lock of the PMD table, and after it, alone, the lock of the PTE
//! table, under which folio locks are tried.
//!
//! Not modelled: memory of files (`collapse_file`); swap entries and userfaultfd's; pages of other nodes; poisoned
//! pages; the interrupt that waits for GUP-fast (`tlb_remove_table_sync_one`; M48), since nobody walks without a lock
//! but hardware, and who waits for a flush has waited for that; the daemon's order and its sleeps.

mod collapse;
mod collapser;
mod copy;
mod isolate;
mod revalidate;
mod scan;
mod scan_result;
mod survey;
#[cfg(test)]
mod tests;

pub use collapser::Collapser;
pub use scan::collapse;
pub use scan_result::NotCollapsed;
