//! Huge pages of shared memory that is mounted with `huge=within_size`.

use crate::mm::{Behaviour, FaultOp, Generation, HugeFolios, MapPages};
use crate::oracle::Sharing;

use super::definition::{
    Actor, DISK, FileSpec, LoomReach, Scenario, ShapeName, clear_refs, dontneed, map_file, peek, read, stock_huge,
    truncate, write,
};

/// Two pages, which one PMD entry can map; faults map nothing around.
const SHMEM: FileSpec = FileSpec {
    name: "huge shared memory",
    behaviour: Behaviour { fault: FaultOp::Shmem, huge: HugeFolios::WithinSize, ..DISK.behaviour },
    ..DISK
};

/// The same, and faults map what is around.
const AROUND: FileSpec =
    FileSpec { behaviour: Behaviour { map_pages: MapPages::Window(2), ..SHMEM.behaviour }, ..SHMEM };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "huge-shmem-writers",
        family: "huge-file",
        claim: "two writes to one huge page of shared memory map it once, by a huge entry or by small ones",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &SHMEM), stock_huge(0, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, the file's; +0 -0 pages; +1 -1 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, the file's; +0 -0 pages; +2 -2 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, the file's; +1 -1 pages; +2 -2 tables; +1 -0 huge",
            "A wrote; B wrote; pages 0, 1 are the file's; +2 -0 pages; +1 -0 tables",
            "A wrote; B wrote; pages 0, 1 are the file's; +2 -0 pages; +2 -1 tables",
            "A wrote; B wrote; pages 0, 1 are the file's; +2 -0 pages; +2 -1 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-shmem-mapped",
        family: "huge-file",
        claim: "two faults on a huge page that is in the page cache enter it once",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &AROUND), stock_huge(2, 1), write(0, 0, 9), dontneed(0, 2)],
        actors: &[Actor { name: "R", ops: &[peek(1, 0), read(0, 0)] }, Actor { name: "W", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "R got EFAULT, read 9; W wrote; page 0 is huge, the file's; +0 -0 pages; +1 -1 tables",
            "R got EFAULT, read 9; W wrote; page 0 is huge, the file's; +0 -0 pages; +2 -2 tables",
            "R read 0, read 9; W wrote; page 0 is huge, the file's; +0 -0 pages; +1 -1 tables",
            "R read 2, read 9; W wrote; page 0 is huge, the file's; +0 -0 pages; +1 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-shmem-around-mapped",
        family: "huge-file",
        claim: "a fault around which a page of a huge folio is mapped already lets go of the folio that it has locked",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &AROUND), stock_huge(2, 1), write(1, 0, 5)],
        actors: &[
            Actor { name: "R", ops: &[read(0, 0), dontneed(0, 1), read(0, 0)] },
            Actor { name: "W", ops: &[write(1, 1, 6)] },
        ],
        outcomes: &[
            "R read 0, discarded, read 0; W wrote; page 1 is setup's; page 0 is the file's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-shmem-private-write",
        family: "huge-file",
        claim: "a write to a private mapping of a huge page splits the entry and copies one page; the file never \
                sees it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &SHMEM), stock_huge(2, 1), read(0, 0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "R", ops: &[peek(1, 0)] }],
        outcomes: &[
            "W wrote; R got EFAULT; page 0 is W's; +1 -0 pages; +1 -0 tables",
            "W wrote; R read 0; page 0 is W's; +1 -0 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-shmem-zap",
        family: "huge-file",
        claim: "a huge page of a file that is discarded while it is written to keeps what was written, in the file",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &SHMEM), stock_huge(2, 1), write(0, 0, 9)],
        actors: &[Actor { name: "W", ops: &[write(0, 1, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "W wrote; D discarded; +0 -0 pages; +0 -0 tables",
            "W wrote; D discarded; page 0 is huge, the file's; +0 -0 pages; +1 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-shmem-wp-writers",
        family: "huge-file",
        claim: "two writes to a huge page of a file that is write-protected split its entry and map it again, writable",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &SHMEM), stock_huge(2, 1), write(0, 0, 9), clear_refs(0, 2)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, the file's; +0 -0 pages; +1 -1 tables",
            "A wrote; B wrote; page 0 is huge, the file's; +0 -0 pages; +2 -2 tables",
            "A wrote; B wrote; page 0 is huge, the file's; +0 -0 pages; +3 -3 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "huge-shmem-split-split",
        family: "huge-file",
        claim: "two splits of one huge page of a file leave an empty entry, and the page in the file",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &SHMEM), stock_huge(2, 1), write(0, 0, 9)],
        actors: &[Actor { name: "S", ops: &[dontneed(0, 1)] }, Actor { name: "T", ops: &[peek(0, 0), dontneed(1, 1)] }],
        outcomes: &[
            "S discarded; T got EFAULT, discarded; +0 -0 pages; +0 -0 tables",
            "S discarded; T read 9, discarded; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-shmem-truncate",
        family: "huge-file",
        claim: "a file that is cut to nothing takes its huge page along, and no entry shows it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &SHMEM), stock_huge(0, 1)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "T", ops: &[truncate(&SHMEM, 0)] }],
        outcomes: &[
            "W got SIGBUS; T truncated; +0 -0 pages; +1 -1 tables",
            "W got SIGBUS; T truncated; +0 -0 pages; +1 -1 tables; +1 -1 huge",
            "W got SIGBUS; T truncated; +0 -0 pages; +2 -2 tables; +1 -1 huge",
            "W got SIGBUS; T truncated; +1 -1 pages; +1 -1 tables",
            "W wrote; T truncated; +0 -0 pages; +1 -1 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-shmem-zap-truncate",
        family: "huge-file",
        claim: "a truncation that finds a huge entry just cleared waits until its mapping is uncounted",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &SHMEM), stock_huge(2, 1), write(0, 0, 9)],
        actors: &[
            Actor { name: "D", ops: &[dontneed(0, 2)] },
            Actor { name: "T", ops: &[peek(0, 0), truncate(&SHMEM, 0)] },
        ],
        outcomes: &[
            "D discarded; T got EFAULT, truncated; +0 -0 pages; +0 -0 tables; +0 -1 huge",
            "D discarded; T read 9, truncated; +0 -0 pages; +0 -0 tables; +0 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
];
