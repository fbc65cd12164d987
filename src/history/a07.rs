//! A copy on write that is visible before its flush.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "A07",
    title: "a copy on write shows the new page before the old one is forgotten",
    cve: None,
    fixed_by: "4ce072f1faf2",
    fixed_in: "2.6.19",
    year: 2006,
    mechanics: "The entry of the copy was written first, and the flush came after it. In between one CPU walks to \
                the new page and stores there, while another still translates to the old one. Somebody who learns of \
                the store by another word, and then loads the first one, gets the older value: for a moment one \
                address is two pages.",
    mended_by: "The old entry is cleared and flushed first (`ptep_clear_flush`), and only then the new one is set: \
                in between there is no translation at all.",
    falls: "D37",
    reproduction: Reproduction::Removed { variant: Variant::A07, scenario: "tlb-cow-flag" },
};
