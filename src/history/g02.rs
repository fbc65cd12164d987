//! A page of the cache that is no longer in it.

use crate::platform::Variant;

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "G02",
    title: "a fault maps a page that has left its file",
    cve: None,
    fixed_by: "d00806b18315",
    fixed_in: "2.6.23",
    year: 2007,
    mechanics: "The fault found a page in the page cache and mapped it later. In between the file was cut short: \
                nothing was mapped yet, so there was nothing to unmap, and the page left the file. Then the fault \
                maps it: whoever looks there sees data that the file does not have, and stores go nowhere.",
    mended_by: "The page is locked before it is mapped, and under its lock the fault looks whether it still belongs \
                to the file.",
    falls: "D41",
    reproduction: Reproduction::Removed { variant: Variant::M26, scenario: "fault-cut-and-grow" },
};
