//! All scenarios, in the order in which `check` runs them.

use super::definition::Scenario;
use super::{
    collapse, cow, cow_g2, dontneed, fault_munmap, file_read, file_truncate, file_write, fork, gup, huge, huge_cow,
    huge_file, huge_g2, huge_migrate, hugetlb, mprotect, munmap, numa, pmd_none_thp, read_write, same_pte, stack,
    tables, tlb, vma_lock,
};

/// Every scenario of the library.
pub fn library() -> impl Iterator<Item = &'static Scenario> {
    [
        same_pte::SCENARIOS,
        read_write::SCENARIOS,
        tables::SCENARIOS,
        fault_munmap::SCENARIOS,
        vma_lock::SCENARIOS,
        stack::SCENARIOS,
        cow::SCENARIOS,
        cow_g2::SCENARIOS,
        numa::SCENARIOS,
        file_read::SCENARIOS,
        file_write::SCENARIOS,
        file_truncate::SCENARIOS,
        pmd_none_thp::SCENARIOS,
        huge::SCENARIOS,
        huge_cow::SCENARIOS,
        huge_g2::SCENARIOS,
        huge_migrate::SCENARIOS,
        huge_file::SCENARIOS,
        hugetlb::SCENARIOS,
        munmap::SCENARIOS,
        dontneed::SCENARIOS,
        fork::SCENARIOS,
        mprotect::SCENARIOS,
        collapse::SCENARIOS,
        tlb::SCENARIOS,
        gup::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
