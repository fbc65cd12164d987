//! A pointer that does not publish what it points to.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "J03",
    title: "a table is linked before its zeroes are visible",
    cve: None,
    fixed_by: "362a61ad6119",
    fixed_in: "2.6.26",
    year: 2008,
    mechanics: "A new table is zeroed, its lock is set up, and then its address is stored in the entry above. \
                Walkers read that entry without a lock. Without a barrier between the two stores another CPU may see \
                the address and not yet the zeroes: it walks into whatever stood in the frame before, or takes a \
                lock that is none.",
    mended_by: "A write barrier before the entry is stored (`smp_wmb` in `pmd_install`); here, a store with release \
                order.",
    falls: "D14",
    reproduction: Reproduction::Removed { variant: Variant::M5, scenario: "same-pte-new-table" },
};
