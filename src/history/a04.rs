//! Two discards of one page, of which the second finds nothing to do.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "A04",
    title: "the second of two parallel discards returns before the first has flushed",
    cve: None,
    fixed_by: "99baac21e458",
    fixed_in: "4.13",
    year: 2017,
    mechanics: "Both hold the mmap lock for reading. The first empties the entry and leaves the flush for the end of \
                its gather. The second finds the entry empty, concludes that there is nothing to flush, and returns \
                to its user, whose CPU still translates the address to the old page: it reads what it has discarded, \
                and what it stores is lost.",
    mended_by: "A counter in the address space says how many gathers are under way (`tlb_flush_pending`); whoever \
                ends a gather while it is above one flushes in any case (`mm_tlb_flush_nested`).",
    falls: "D35",
    reproduction: Reproduction::Removed { variant: Variant::M56, scenario: "tlb-two-discards" },
};
