//! `fork` against the kinds of faults that no other family has it against.

use crate::mm::{Behaviour, Generation, PageMkwrite, Space, VmFlags};
use crate::oracle::Sharing;

use super::definition::{
    Actor, DISK, FileSpec, LoomReach, Op, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, clear_refs, map_file,
    mark_numa, read, stock_hugetlb, write,
};

/// The file system is told of writes.
const TOLD: FileSpec =
    FileSpec { behaviour: Behaviour { page_mkwrite: PageMkwrite::Locked(Space::Enough), ..DISK.behaviour }, ..DISK };

/// Two pages, which one entry maps, from the pool.
const HUGETLB: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGETLB }];

/// A stack of one page at the top of the world.
const STACK: &[VmaSpec] = &[VmaSpec { page: 3, pages: 1, protection: READ_WRITE, flags: VmFlags::GROWSDOWN }];

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "fork",
        claim,
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[],
        outcomes: &[],
        loom: LoomReach::Outcomes { preemptions: 1 },
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        setup: &[write(1, 0, 8)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A read 0; F forked; page 0 is zero; page 1 is setup's; child's page 0 is zero; child's page 1 is \
             setup's; +0 -0 pages; +1 -0 tables",
            "A read 0; F forked; page 0 is zero; page 1 is setup's; child's page 1 is setup's; +0 -0 pages; +1 -0 \
             tables",
        ],
        ..scenario(
            "fork-anon-read",
            "a first read during a fork maps the zero page in the parent, and perhaps in the child",
        )
    },
    Scenario {
        setup: &[read(0, 0), write(1, 0, 8)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A wrote; F forked; page 0 is A's; page 1 is setup's; child's page 0 is A's; child's page 1 is setup's; \
             +1 -0 pages; +1 -0 tables",
            "A wrote; F forked; page 0 is A's; page 1 is setup's; child's page 0 is A's; child's page 1 is setup's; \
             +2 -0 pages; +1 -0 tables",
            "A wrote; F forked; page 0 is A's; page 1 is setup's; child's page 0 is zero; child's page 1 is \
             setup's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario(
            "fork-zero-page",
            "a page that shows the zero page is replaced in the parent; the child has the new page, or the zero page",
        )
    },
    Scenario {
        setup: &[write(0, 0, 9), clear_refs(0, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 1, 1)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A wrote; F forked; page 0 is A's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
            "A wrote; F forked; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +1 -0 tables",
        ],
        ..scenario("fork-wp", "a write to a write-protected page is before the fork, and shared, or copies after it")
    },
    Scenario {
        setup: &[write(0, 0, 9), mark_numa(0)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A read 9; F forked; page 0 is A's; child's page 0 is A's; +1 -1 pages; +1 -0 tables",
            "A read 9; F forked; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +1 -0 tables",
        ],
        ..scenario("fork-numa", "a marked page gets its rights back, or is shared as it is, and nobody may write to it")
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), write(1, 0, 8)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A read 100; F forked; page 1 is setup's; page 0 is the file's; child's page 0 is the file's; child's \
             page 1 is setup's; +1 -0 pages; +1 -0 tables",
            "A read 100; F forked; page 1 is setup's; page 0 is the file's; child's page 1 is setup's; +1 -0 pages; \
             +1 -0 tables",
        ],
        ..scenario(
            "fork-file-read",
            "a page of a file is entered in the parent, and perhaps in the child; the cache has it",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(0, 0), write(1, 0, 8)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A wrote; F forked; page 0 is A's; page 1 is setup's; child's page 0 is A's; child's page 1 is setup's; \
             +1 -0 pages; +1 -0 tables",
            "A wrote; F forked; page 0 is A's; page 1 is setup's; child's page 0 is A's; child's page 1 is setup's; \
             +2 -0 pages; +1 -0 tables",
            "A wrote; F forked; page 0 is A's; page 1 is setup's; child's page 0 is the file's; child's page 1 is \
             setup's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario(
            "fork-file-cow",
            "a private copy of a page of a file is shared with the child, or made after the fork",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &TOLD), read(0, 0)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &["A wrote; F forked; page 0 is the file's; +0 -0 pages; +0 -0 tables"],
        ..scenario("fork-file-shared", "a shared page becomes writable in the parent; the child finds it in the cache")
    },
    Scenario {
        vmas: STACK,
        setup: &[write(3, 0, 9)],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A wrote; F forked; page 2 is A's; page 3 is setup's; child's page 2 is A's; child's page 3 is setup's; \
             +1 -0 pages; +1 -0 tables",
            "A wrote; F forked; page 2 is A's; page 3 is setup's; child's page 2 is A's; child's page 3 is setup's; \
             +2 -0 pages; +1 -0 tables",
            "A wrote; F forked; page 2 is A's; page 3 is setup's; child's page 3 is setup's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario("fork-stack", "a stack that grows during a fork is inherited as it was, or as it is")
    },
    Scenario {
        vmas: HUGETLB,
        setup: &[stock_hugetlb(2), write(0, 0, 9)],
        actors: &[Actor { name: "A", ops: &[write(0, 1, 1)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "A wrote; F forked; page 0 is huge, A's; child's page 0 is huge, setup's; +0 -0 pages; +0 -0 tables; +1 \
             -0 hugetlb",
            "A wrote; F forked; page 0 is huge, setup's; child's page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("fork-hugetlb", "a huge page of the pool is written before the fork, and shared, or copied after it")
    },
];
