//! A fair semaphore that is read twice.

use super::bug::{Bug, Reproduction};

/// The bug.
pub(super) const BUG: Bug = Bug {
    id: "K04",
    title: "the mmap lock is read inside of itself, behind a writer",
    cve: Some("CVE-2026-46063"),
    fixed_by: "9874b2917b9fbc30956fee209d3c4aa47201c64e",
    fixed_in: "7.1",
    year: 2026,
    mechanics: "A task held the mmap lock for reading and touched user memory, which may fault and read the mmap \
                lock again. Two readers go together, but the semaphore is fair: a writer that has come in between \
                waits for the first reader, and the second reader waits behind the writer.",
    mended_by: "The lock is not held while user memory is touched; what was looked up is checked again afterwards.",
    falls: "deadlock",
    reproduction: Reproduction::LockOrder { scenario: "recursive-mmap-lock" },
};
