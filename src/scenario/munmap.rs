//! `munmap` against the kinds of faults that no other family has it against.

use crate::mm::{Generation, VmFlags};
use crate::oracle::Sharing;

use super::definition::{
    Actor, DISK, LoomReach, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, age, map_file, migrate, munmap, read,
    stock_huge, write,
};

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "munmap",
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
        setup: &[],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -0 pages; +0 -0 tables",
            "A got MAPERR; U unmapped; +0 -0 pages; +1 -1 tables",
            "A read 0; U unmapped; +0 -0 pages; +1 -1 tables",
        ],
        ..scenario("munmap-anon-read", "a first read completes before its mapping goes, or gets SEGV_MAPERR")
    },
    Scenario {
        setup: &[read(0, 0), write(1, 0, 8)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -1 pages; +0 -1 tables",
            "A got MAPERR; U unmapped; +1 -2 pages; +0 -1 tables",
            "A wrote; U unmapped; +1 -2 pages; +0 -1 tables",
        ],
        ..scenario("munmap-zero-page", "a page that shows the zero page is replaced before it goes, or goes")
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(1, 0)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -0 pages; +0 -1 tables",
            "A got MAPERR; U unmapped; +1 -0 pages; +0 -1 tables",
            "A read 100; U unmapped; +1 -0 pages; +0 -1 tables",
        ],
        ..scenario("munmap-file-read", "a page of a file is entered before its mapping goes, or stays in the cache")
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(0, 0), write(1, 0, 8)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -1 pages; +0 -1 tables",
            "A got MAPERR; U unmapped; +1 -2 pages; +0 -1 tables",
            "A wrote; U unmapped; +1 -2 pages; +0 -1 tables",
        ],
        ..scenario("munmap-file-cow", "a copy of a page of a file goes with its mapping")
    },
    Scenario {
        setup: &[write(0, 0, 9)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "U", ops: &[migrate(0), munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U moved, unmapped; +1 -2 pages; +0 -1 tables",
            "A read 9; U moved, unmapped; +1 -2 pages; +0 -1 tables",
        ],
        ..scenario("munmap-migrate", "a read that waits for a page on the move finds it, or no mapping any more")
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), age(0)],
        actors: &[Actor { name: "A", ops: &[write(0, 1, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -0 pages; +0 -1 tables; +0 -1 huge",
            "A wrote; U unmapped; +0 -0 pages; +0 -1 tables; +0 -1 huge",
        ],
        ..scenario(
            "munmap-huge-present",
            "a store to a huge page is under way when the page goes, or gets SEGV_MAPERR; its deposit goes, too",
        )
    },
];
