//! A PMD entry that is looked at twice by who only reads the mmap lock.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "C01",
    title: "a walker takes a huge entry that has just appeared for a corrupted one",
    cve: None,
    fixed_by: "1a5a9906d4e8",
    fixed_in: "3.4",
    year: 2012,
    mechanics: "A walker under the mmap lock held for reading looked at the PMD entry several times: is it huge, is \
                it none, is it bad. A fault may put a huge page there after the first look. The last one then sees \
                an entry that is not empty and does not have the bits of a table, and clears it as corrupted: the \
                page is mapped nowhere, and everything that counts it goes on counting.",
    mended_by: "The entry is read once, and what is empty or huge in that one look is left alone \
                (`pmd_none_or_trans_huge_or_clear_bad`).",
    falls: "D9",
    reproduction: Reproduction::Removed { variant: Variant::C01, scenario: "pmd-none-huge-dontneed" },
};
