//! A demand that is forgotten once it was met (Dirty COW).

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "B01",
    title: "who may only read a file writes to its page in the cache (Dirty COW)",
    cve: Some("CVE-2016-5195"),
    fixed_by: "19be0eaffa3ac7d8eb6784ad9bdbc7d67ed8e619",
    fixed_in: "4.9",
    year: 2016,
    mechanics: "A debugger may write to a private mapping that is read-only: a fault makes a copy first. The copy's \
                entry is read-only, too, so to get on from there GUP stopped asking for a page to write to and took \
                what the entry showed. If another thread discards the copy before GUP looks again, the next fault is \
                a read: it maps the file's page from the cache, GUP takes that, and the debugger writes to it. \
                Everybody who reads the file sees the store, and the disk gets it.",
    mended_by: "GUP goes on asking for a page to write to, and accepts a read-only entry only for a copy that is \
                certainly there: by a note that it was made and the entry's dirty bit (`FOLL_COW`), later by the \
                page being marked as exclusive.",
    falls: "D37",
    reproduction: Reproduction::Removed { variant: Variant::B01, scenario: "gup-force-dontneed" },
};
