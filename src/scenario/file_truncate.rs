//! Faults on files against truncation.

use crate::mm::{Behaviour, Generation, MapPages, PageMkwrite, Space};
use crate::oracle::Sharing;

use super::definition::{Actor, DISK, FileSpec, LoomReach, Scenario, ShapeName, map_file, read, truncate, write};
use super::file_write::SHMEM;

/// The file system is asked before a write, and does not look at the page itself.
const UNLOCKED: FileSpec =
    FileSpec { behaviour: Behaviour { page_mkwrite: PageMkwrite::Unlocked(Space::Enough), ..DISK.behaviour }, ..DISK };
/// The file system is asked before a write, and returns the page locked.
const TOLD: FileSpec =
    FileSpec { behaviour: Behaviour { page_mkwrite: PageMkwrite::Locked(Space::Enough), ..DISK.behaviour }, ..DISK };
/// Faults map two pages around.
const AROUND: FileSpec = FileSpec { behaviour: Behaviour { map_pages: MapPages::Window(2), ..DISK.behaviour }, ..DISK };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "read-truncate",
        family: "file_truncate",
        claim: "a read fault enters a page before truncation takes it away, or finds the end of the file",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &DISK), read(0, 0), map_file(2, 1, Sharing::Shared, &DISK)],
        actors: &[Actor { name: "R", ops: &[read(2, 0)] }, Actor { name: "T", ops: &[truncate(&DISK, 0)] }],
        outcomes: &[
            "R got SIGBUS; T truncated; +0 -1 pages; +1 -0 tables",
            "R got SIGBUS; T truncated; +0 -1 pages; +1 -1 tables",
            "R got SIGBUS; T truncated; +1 -1 pages; +2 -2 tables",
            "R read 100; T truncated; +0 -1 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "miss-truncate",
        family: "file_truncate",
        claim: "a page that is read while its file is cut short is not entered",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 1, Sharing::Shared, &DISK)],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "T", ops: &[truncate(&DISK, 0)] }],
        outcomes: &[
            "R got SIGBUS; T truncated; +0 -0 pages; +1 -1 tables",
            "R got SIGBUS; T truncated; +1 -0 pages; +2 -2 tables",
            "R got SIGBUS; T truncated; +1 -1 pages; +2 -1 tables",
            "R got SIGBUS; T truncated; +1 -1 pages; +2 -2 tables",
            "R got SIGBUS; T truncated; +2 -1 pages; +2 -2 tables",
            "R read 100; T truncated; +1 -1 pages; +2 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "shmem-truncate",
        family: "file_truncate",
        claim: "a first write to shared memory that is cut short meanwhile is entered and taken away, or finds the end",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 1, Sharing::Shared, &SHMEM)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "T", ops: &[truncate(&SHMEM, 0)] }],
        outcomes: &[
            "W got SIGBUS; T truncated; +0 -0 pages; +1 -1 tables",
            "W got SIGBUS; T truncated; +1 -1 pages; +1 -0 tables",
            "W got SIGBUS; T truncated; +1 -1 pages; +1 -1 tables",
            "W wrote; T truncated; +1 -1 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "shmem-wp-truncate",
        family: "file_truncate",
        claim: "a write to shared memory that another mapping has made, against a cut",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 1, Sharing::Shared, &SHMEM), write(0, 0, 7), map_file(2, 1, Sharing::Shared, &SHMEM)],
        actors: &[Actor { name: "W", ops: &[write(2, 0, 1)] }, Actor { name: "T", ops: &[truncate(&SHMEM, 0)] }],
        outcomes: &[
            "W got SIGBUS; T truncated; +0 -1 pages; +1 -0 tables",
            "W got SIGBUS; T truncated; +0 -1 pages; +1 -1 tables",
            "W got SIGBUS; T truncated; +1 -2 pages; +1 -1 tables",
            "W wrote; T truncated; +0 -1 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "cow-truncate",
        family: "file_truncate",
        claim: "a copy of a page that is made while its file is cut short goes with it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(1, 0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "T", ops: &[truncate(&DISK, 0)] }],
        outcomes: &[
            "W got SIGBUS; T truncated; +1 -2 pages; +0 -0 tables",
            "W got SIGBUS; T truncated; +3 -3 pages; +0 -0 tables",
            "W got SIGBUS; T truncated; +3 -4 pages; +0 -0 tables",
            "W got SIGBUS; T truncated; +4 -4 pages; +0 -0 tables",
            "W got SIGBUS; T truncated; +4 -5 pages; +0 -0 tables",
            "W wrote; T truncated; +3 -4 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "around-truncate",
        family: "file_truncate",
        claim: "a page that is mapped around a fault does not outlive the end of the file",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(2, 2, Sharing::Shared, &AROUND),
            read(2, 0),
            read(3, 0),
            map_file(0, 2, Sharing::Shared, &AROUND),
        ],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "T", ops: &[truncate(&AROUND, 1)] }],
        outcomes: &["R read 100; T truncated; pages 0, 2 are the file's; +0 -1 pages; +1 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "mkwrite-truncate",
        family: "file_truncate",
        claim: "a page that leaves the file while the file system is asked is not made writable",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &UNLOCKED), read(1, 0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "T", ops: &[truncate(&UNLOCKED, 0)] }],
        outcomes: &[
            "W got SIGBUS; T truncated; +0 -1 pages; +0 -0 tables",
            "W got SIGBUS; T truncated; +1 -1 pages; +0 -0 tables",
            "W got SIGBUS; T truncated; +1 -2 pages; +0 -0 tables",
            "W got SIGBUS; T truncated; +2 -2 pages; +0 -0 tables",
            "W wrote; T truncated; +1 -2 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "cut-and-grow",
        family: "file_truncate",
        claim: "a page that is cut off and comes back reads as zeros, and a store to it is kept",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 1, Sharing::Shared, &DISK), read(0, 0)],
        actors: &[
            Actor { name: "W", ops: &[write(0, 0, 7)] },
            Actor { name: "T", ops: &[truncate(&DISK, 0), truncate(&DISK, 1)] },
        ],
        outcomes: &[
            "W got SIGBUS; T truncated, truncated; +0 -1 pages; +0 -0 tables",
            "W wrote; T truncated, truncated; +0 -1 pages; +0 -0 tables",
            "W wrote; T truncated, truncated; page 0 is the file's; +1 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "fault-cut-and-grow",
        family: "file_truncate",
        claim: "a page that left the file is not entered, though the file has grown again: the fault looks once more",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(2, 1, Sharing::Shared, &DISK), read(2, 0), map_file(0, 1, Sharing::Shared, &DISK)],
        actors: &[
            Actor { name: "R", ops: &[read(0, 0)] },
            Actor { name: "T", ops: &[truncate(&DISK, 0), truncate(&DISK, 1)] },
        ],
        outcomes: &[
            "R got SIGBUS; T truncated, truncated; +0 -1 pages; +1 -0 tables",
            "R got SIGBUS; T truncated, truncated; +0 -1 pages; +1 -1 tables",
            "R got SIGBUS; T truncated, truncated; +1 -1 pages; +2 -2 tables",
            "R read 0; T truncated, truncated; page 0 is the file's; +1 -1 pages; +1 -0 tables",
            "R read 0; T truncated, truncated; page 0 is the file's; +1 -1 pages; +2 -1 tables",
            "R read 100; T truncated, truncated; +0 -1 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "around-cut-and-grow",
        family: "file_truncate",
        claim: "the same for a page that is mapped around a fault",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: &[],
        setup: &[
            map_file(2, 2, Sharing::Shared, &AROUND),
            read(2, 0),
            read(3, 0),
            map_file(0, 2, Sharing::Shared, &AROUND),
        ],
        actors: &[
            Actor { name: "R", ops: &[read(0, 0)] },
            Actor { name: "T", ops: &[truncate(&AROUND, 1), truncate(&AROUND, 2)] },
        ],
        outcomes: &["R read 100; T truncated, truncated; pages 0, 2 are the file's; +0 -1 pages; +1 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "wp-truncate",
        family: "file_truncate",
        claim: "an entry that truncation clears while the file system is asked does not come back",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &TOLD), read(0, 0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "T", ops: &[truncate(&TOLD, 0)] }],
        outcomes: &[
            "W got SIGBUS; T truncated; +0 -1 pages; +0 -0 tables",
            "W wrote; T truncated; +0 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
];
