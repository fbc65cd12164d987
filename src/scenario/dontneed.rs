//! `MADV_DONTNEED`, of small pages and of parts of huge ones, against the kinds of faults that no other family has it
//! against.

use crate::mm::{Generation, VmFlags};
use crate::oracle::Sharing;

use super::definition::{
    Actor, DISK, LoomReach, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, age, dontneed, map_file, migrate,
    read, stock_huge, write,
};

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

/// A stack of one page at the top of the world.
const STACK: &[VmaSpec] = &[VmaSpec { page: 3, pages: 1, protection: READ_WRITE, flags: VmFlags::GROWSDOWN }];

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "dontneed",
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
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "A read 0; D discarded; +0 -1 pages; +0 -0 tables",
            "A read 0; D discarded; page 0 is zero; +0 -1 pages; +0 -0 tables",
        ],
        ..scenario("dontneed-anon-read", "a first read finds zeros, whether they are discarded or not")
    },
    Scenario {
        setup: &[read(0, 0), write(1, 0, 8)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "A wrote; D discarded; +1 -2 pages; +0 -0 tables",
            "A wrote; D discarded; page 0 is A's; +1 -1 pages; +0 -0 tables",
            "A wrote; D discarded; page 0 is A's; +2 -2 pages; +0 -0 tables",
        ],
        ..scenario("dontneed-zero-page", "a page that shows the zero page is replaced, before it is discarded or after")
    },
    Scenario {
        setup: &[write(0, 0, 9), age(0)],
        actors: &[Actor { name: "A", ops: &[write(0, 1, 1), read(0, 0)] }, Actor { name: "D", ops: &[dontneed(0, 1)] }],
        outcomes: &[
            "A wrote, read 0; D discarded; page 0 is A's; +1 -1 pages; +0 -0 tables",
            "A wrote, read 0; D discarded; page 0 is zero; +0 -1 pages; +0 -0 tables",
            "A wrote, read 9; D discarded; +0 -1 pages; +0 -0 tables",
        ],
        ..scenario(
            "dontneed-present",
            "a store that is under way when its page is discarded goes with it, or faults and stays",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(1, 0)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "A read 100; D discarded; +1 -0 pages; +0 -0 tables",
            "A read 100; D discarded; page 0 is the file's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario("dontneed-file-read", "a page of a file is in the cache still when its entry is discarded")
    },
    Scenario {
        vmas: STACK,
        setup: &[write(3, 0, 9)],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "D", ops: &[dontneed(2, 2)] }],
        outcomes: &[
            "A wrote; D discarded; +1 -2 pages; +0 -0 tables",
            "A wrote; D discarded; page 2 is A's; +1 -1 pages; +0 -0 tables",
            "A wrote; D discarded; page 2 is A's; +2 -2 pages; +0 -0 tables",
        ],
        ..scenario("dontneed-stack", "a stack that grows while it is discarded has its new page, or a discarded one")
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(2, 1), stock_huge(1, 1), write(0, 0, 9)],
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "S", ops: &[migrate(0), dontneed(1, 1)] }],
        outcomes: &["A read 9; S moved, discarded; page 0 is S's; +0 -0 pages; +0 -0 tables; +1 -1 huge"],
        family: "split",
        ..scenario("split-migrate-read", "a read that waits for a huge page on the move finds it huge, or split")
    },
];
