//! A page lock across a fault.

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "K01",
    title: "a buffered write takes a page fault while it holds a page lock",
    cve: None,
    fixed_by: "08291429cfa6258c4cd95d8833beb40f828b194e",
    fixed_in: "2.6.24",
    year: 2007,
    mechanics: "A write to a file locked the page in the cache and then copied from the user's memory, which may \
                fault. If the source is the very page that is being written, the fault waits for the lock that its \
                own task holds.",
    mended_by: "The copy is done with page faults disabled; what is missing is faulted in beforehand, without the \
                lock.",
    falls: "deadlock",
    reproduction: Reproduction::LockOrder { scenario: "folio-fault" },
};
