//! Read faults on files: the page cache is filled, once, by whoever comes first.

use crate::mm::{Behaviour, Generation, MapPages, PageMkwrite, Reads, Space};
use crate::oracle::Sharing;

use super::definition::{Actor, DISK, FileSpec, LoomReach, Scenario, ShapeName, map_file, read, write};

/// Reads last until somebody waits for them.
const SLOW: FileSpec =
    FileSpec { behaviour: Behaviour { reads: Reads::Slow, readahead_pages: 2, ..DISK.behaviour }, ..DISK };
/// Reads may fail.
const BAD: FileSpec = FileSpec { behaviour: Behaviour { reads: Reads::Any, ..DISK.behaviour }, ..DISK };
/// A miss reads two pages, slowly or at once.
const AHEAD: FileSpec =
    FileSpec { behaviour: Behaviour { reads: Reads::Slow, readahead_pages: 2, ..DISK.behaviour }, ..DISK };
/// Faults map two pages around.
const AROUND: FileSpec = FileSpec {
    behaviour: Behaviour {
        map_pages: MapPages::Window(2),
        page_mkwrite: PageMkwrite::Locked(Space::Enough),
        ..DISK.behaviour
    },
    ..DISK
};
/// A file system that maps no pages around faults.
const PLAIN: FileSpec = FileSpec { behaviour: Behaviour { map_pages: MapPages::None, ..DISK.behaviour }, ..DISK };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "file-readers",
        family: "file-read",
        claim: "two readers of a page that is read slowly fill the cache once, whoever waits for the other",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &SLOW), read(0, 0)],
        actors: &[Actor { name: "A", ops: &[read(1, 0)] }, Actor { name: "B", ops: &[read(1, 1)] }],
        outcomes: &["A read 110; B read 111; pages 0, 1 are the file's; +0 -0 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "file-read-fails",
        family: "file-read",
        claim: "a read that fails is a bus error for whoever waited for it, and the next fault reads again",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &BAD)],
        actors: &[Actor { name: "A", ops: &[read(0, 0), read(0, 1)] }],
        outcomes: &[
            "A got SIGBUS, got SIGBUS; +1 -0 pages; +5 -5 tables",
            "A got SIGBUS, read 101; page 0 is the file's; +1 -0 pages; +4 -3 tables",
            "A got SIGBUS, read 101; page 0 is the file's; +1 -0 pages; +5 -4 tables",
            "A read 100, read 101; page 0 is the file's; +1 -0 pages; +2 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "file-readahead",
        family: "file-read",
        claim: "a miss reads two pages, and a sibling that wants the second waits for it or finds it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &AHEAD)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "B", ops: &[read(1, 0)] }],
        outcomes: &[
            "A read 100; B read 110; pages 0, 1 are the file's; +2 -0 pages; +2 -1 tables",
            "A read 100; B read 110; pages 0, 1 are the file's; +2 -0 pages; +3 -2 tables",
            "A read 100; B read 110; pages 0, 1 are the file's; +2 -0 pages; +4 -3 tables",
            "A read 100; B read 110; pages 0, 1 are the file's; +3 -1 pages; +3 -2 tables",
            "A read 100; B read 110; pages 0, 1 are the file's; +3 -1 pages; +4 -3 tables",
            "A read 100; B read 110; pages 0, 1 are the file's; +4 -2 pages; +3 -2 tables",
            "A read 100; B read 110; pages 0, 1 are the file's; +4 -2 pages; +4 -3 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "fault-around",
        family: "file-read",
        claim: "two faults that map each other's page around enter each page once",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(2, 2, Sharing::Shared, &AROUND),
            read(2, 0),
            read(3, 0),
            map_file(0, 2, Sharing::Shared, &AROUND),
        ],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "B", ops: &[read(1, 0)] }],
        outcomes: &[
            "A read 100; B read 110; pages 0, 1, 2, 3 are the file's; +0 -0 pages; +1 -0 tables",
            "A read 100; B read 110; pages 0, 1, 2, 3 are the file's; +0 -0 pages; +2 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "fault-around-write",
        family: "file-read",
        claim: "a fault that maps a page around leaves it read-only, and its writer is told",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(2, 2, Sharing::Shared, &AROUND),
            read(2, 0),
            read(3, 0),
            map_file(0, 2, Sharing::Shared, &AROUND),
        ],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "W", ops: &[write(1, 0, 1)] }],
        outcomes: &[
            "R read 100; W wrote; pages 0, 1, 2, 3 are the file's; +0 -0 pages; +1 -0 tables",
            "R read 100; W wrote; pages 0, 1, 2, 3 are the file's; +0 -0 pages; +2 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "file-wants-mmap-lock",
        family: "file-read",
        claim: "a file system that maps nothing around faults gets them under the mmap lock",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &PLAIN), read(1, 0)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }],
        outcomes: &["A read 100; pages 0, 1 are the file's; +1 -0 pages; +0 -0 tables"],
        loom: LoomReach::Everything,
    },
];
