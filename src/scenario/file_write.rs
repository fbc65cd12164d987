//! Write faults on files: copies in private mappings, and in shared ones the file system's consent.

use crate::mm::{Behaviour, FaultOp, Generation, MapPages, PageMkwrite, Space};
use crate::oracle::Sharing;

use super::definition::{
    Actor, DISK, FileSpec, LoomReach, Scenario, ShapeName, dontneed, map_file, munmap, read, write,
};

/// The file system is told of writes, and returns the page locked.
const TOLD: FileSpec = with_mkwrite(PageMkwrite::Locked(Space::Enough));
/// It may refuse.
const FULL: FileSpec = with_mkwrite(PageMkwrite::Locked(Space::MayRunOut));

const fn with_mkwrite(page_mkwrite: PageMkwrite) -> FileSpec {
    FileSpec { behaviour: Behaviour { page_mkwrite, ..DISK.behaviour }, ..DISK }
}

/// Shared memory.
pub(super) const SHMEM: FileSpec = FileSpec {
    name: "shmem",
    behaviour: Behaviour { fault: FaultOp::Shmem, map_pages: MapPages::Window(1), ..DISK.behaviour },
    ..DISK
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "private-writers",
        family: "file-write",
        claim: "two writers of a page in a private mapping leave one copy with both stores",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(2, 1, Sharing::Private, &DISK),
            read(2, 0),
            map_file(0, 2, Sharing::Private, &DISK),
            read(1, 0),
        ],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; pages 1, 2 are the file's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is A's; pages 1, 2 are the file's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; pages 1, 2 are the file's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; pages 1, 2 are the file's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "private-reader-writer",
        family: "file-write",
        claim: "a read fault against a write fault of one page in a private mapping: the file keeps its word",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(2, 1, Sharing::Shared, &DISK),
            read(2, 0),
            map_file(0, 2, Sharing::Private, &DISK),
            read(1, 0),
        ],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "W", ops: &[write(0, 0, 7)] }],
        outcomes: &[
            "R read 100; W wrote; page 0 is W's; pages 1, 2 are the file's; +1 -0 pages; +0 -0 tables",
            "R read 100; W wrote; page 0 is W's; pages 1, 2 are the file's; +2 -1 pages; +0 -0 tables",
            "R read 7; W wrote; page 0 is W's; pages 1, 2 are the file's; +1 -0 pages; +0 -0 tables",
            "R read 7; W wrote; page 0 is W's; pages 1, 2 are the file's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "private-wp-writers",
        family: "file-write",
        claim: "two writers of a page that a private mapping shows leave one copy with both stores",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(0, 0)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is A's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "shared-writers",
        family: "file-write",
        claim: "two first writers of a shared page enter it once, writable and dirty",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(2, 1, Sharing::Shared, &TOLD),
            read(2, 0),
            map_file(0, 2, Sharing::Shared, &TOLD),
            read(1, 0),
        ],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2)] }],
        outcomes: &["A wrote; B wrote; pages 0, 1, 2 are the file's; +0 -0 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "shared-wp-writers",
        family: "file-write",
        claim: "two first writers of a page that was read find it writable, and its file knows that it is dirty",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &TOLD), read(0, 0)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2)] }],
        outcomes: &["A wrote; B wrote; page 0 is the file's; +0 -0 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "shared-reader-writer",
        family: "file-write",
        claim: "a read fault against a write fault of one shared page: the reader sees the disk's word or the store",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(2, 1, Sharing::Shared, &TOLD),
            read(2, 0),
            map_file(0, 2, Sharing::Shared, &TOLD),
            read(1, 0),
        ],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "W", ops: &[write(0, 0, 7)] }],
        outcomes: &[
            "R read 100; W wrote; pages 0, 1, 2 are the file's; +0 -0 pages; +0 -0 tables",
            "R read 7; W wrote; pages 0, 1, 2 are the file's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "two-views",
        family: "file-write",
        claim: "a store through one mapping of a page is seen through another",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[
            map_file(0, 1, Sharing::Shared, &DISK),
            map_file(2, 1, Sharing::Shared, &DISK),
            read(0, 0),
            read(2, 0),
        ],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 7)] }, Actor { name: "R", ops: &[read(2, 0), read(2, 0)] }],
        outcomes: &[
            "W wrote; R read 100, read 100; pages 0, 2 are the file's; +0 -0 pages; +0 -0 tables",
            "W wrote; R read 100, read 7; pages 0, 2 are the file's; +0 -0 pages; +0 -0 tables",
            "W wrote; R read 7, read 7; pages 0, 2 are the file's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "mkwrite-refused",
        family: "file-write",
        claim: "a disk that is full refuses the write with a bus error, and everything stays as it was",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &FULL), read(0, 0)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2)] }],
        outcomes: &[
            "A got SIGBUS; B got SIGBUS; page 0 is the file's; +0 -0 pages; +0 -0 tables",
            "A got SIGBUS; B wrote; page 0 is the file's; +0 -0 pages; +0 -0 tables",
            "A wrote; B got SIGBUS; page 0 is the file's; +0 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is the file's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "mkwrite-munmap",
        family: "file-write",
        claim: "a page that is unmapped while the file system is asked is not entered again",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &TOLD), read(0, 0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "W got MAPERR; U unmapped; +0 -0 pages; +0 -1 tables",
            "W wrote; U unmapped; +0 -0 pages; +0 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "shmem-writers",
        family: "file-write",
        claim: "two first writers of shared memory find one page of zeros",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 1, Sharing::Shared, &SHMEM), map_file(2, 1, Sharing::Shared, &SHMEM)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(2, 1, 2)] }],
        outcomes: &[
            "A wrote; B wrote; pages 0, 2 are the file's; +1 -0 pages; +2 -0 tables",
            "A wrote; B wrote; pages 0, 2 are the file's; +2 -1 pages; +2 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "mkwrite-dontneed",
        family: "file-write",
        claim: "an entry that is discarded while the file system is asked stays empty; the store reaches the file",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &TOLD), read(0, 0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 1)] }],
        outcomes: &[
            "W wrote; D discarded; +0 -0 pages; +0 -0 tables",
            "W wrote; D discarded; page 0 is the file's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
];
