//! A page that is shared by a reference, and counted by its mappings.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "B06",
    title: "a child reads what its parent stores after the fork, by a page that it has put into a pipe",
    cve: Some("CVE-2020-29374"),
    fixed_by: "17839856fd588f4ab6b789f482ed3ffd7c403e1f",
    fixed_in: "5.8",
    year: 2020,
    mechanics: "After a fork both processes map a page read-only. The child puts it into a pipe with `vmsplice`, which \
                takes a reference and copies nothing, and unmaps it. Now one entry maps the page, the parent's. When \
                the parent writes, it is taken to be alone with the page and writes to it in place, and the child \
                finds in its pipe what the parent has just stored.",
    mended_by: "Whoever got a page by GUP broke the sharing first (5.8); since 5.19 a page is reused only if it is \
                marked as exclusive or nobody has another reference, mapped or not.",
    falls: "D38",
    reproduction: Reproduction::Removed { variant: Variant::B06, scenario: "gup-pipe-parent-write" },
};
