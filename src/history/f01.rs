//! A lock that no longer excludes.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "F01",
    title: "fork does not keep faults out that hold only their VMA's lock",
    cve: None,
    fixed_by: "fb49c455323ff8319a123dd312be9082c49a23a5",
    fixed_in: "6.5",
    year: 2023,
    mechanics: "Fork holds the mmap lock for writing, which used to keep out every fault. A fault that holds the \
                lock of its VMA instead goes on: it makes a page writable again, or replaces it, between the moment \
                when fork has read the entry and the moment when the child has its copy.",
    mended_by: "Fork locks each VMA of the parent for writing before it copies anything of it (`vma_start_write` in \
                `dup_mmap`).",
    falls: "D37",
    reproduction: Reproduction::Removed { variant: Variant::M61, scenario: "fork-two-writers" },
};
