//! What is no huge page is taken for a table.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "C02",
    title: "a fault maps a page under a PMD entry that a discard has emptied",
    cve: None,
    fixed_by: "ad33bb04b2a6cee6c1f99fabb15cddbf93ff0433",
    fixed_in: "4.5",
    year: 2016,
    mechanics: "A fault finds the PMD entry empty and goes to allocate a table. Meanwhile another thread maps a huge \
                page there, so the allocation has nothing to do, and then discards it again. The fault asks only \
                whether the entry is huge. It is not, because it is empty, and the fault goes on as if it pointed to \
                a table.",
    mended_by: "After the table was allocated the entry is looked at once, and whoever finds anything but a table \
                begins again (`pmd_trans_unstable`).",
    falls: "D2",
    reproduction: Reproduction::Removed { variant: Variant::M9, scenario: "huge-small-dontneed-4.4" },
};
