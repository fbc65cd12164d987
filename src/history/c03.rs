//! A huge entry that is empty for a moment.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "C03",
    title: "a discard passes by a huge page that is being NUMA-marked",
    cve: None,
    fixed_by: "ced108037c2aa542b3ed8b7afd1576064ad1362a",
    fixed_in: "4.11",
    year: 2017,
    mechanics: "The scanner that takes a huge page's rights away emptied the entry and then set it again. Both it \
                and a discard hold the mmap lock for reading. A discard that looks in between, without the lock of \
                the table, finds nothing, skips the range and returns; then the entry comes back, with data that the \
                user has discarded.",
    mended_by: "The entry is made useless to hardware and never empty (`pmdp_invalidate`).",
    falls: "D48",
    reproduction: Reproduction::Removed { variant: Variant::NumaInvalidate, scenario: "huge-numa-scan-dontneed" },
};
