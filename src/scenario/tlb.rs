//! What CPUs remember: an actor begins with a translation in its TLB, and the tables change.

use crate::mm::{Generation, VmFlags};
use crate::oracle::Sharing;
use crate::x86::Retention;

use super::definition::{
    Actor, DISK, FileSpec, LoomReach, Op, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, age, clear_refs,
    dontneed, map_file, mark_numa, migrate, munmap, on, peek, read, stock_huge, tlb, truncate, write,
};

/// Pages 0 and 1, with huge pages wherever they fit.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

const FILE: &FileSpec = &DISK;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "tlb-two-discards",
        family: "tlb",
        claim: "who discards a page that somebody else is discarding does not read the old one afterwards",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), on(0, &read(0, 0))],
        actors: &[Actor { name: "A", ops: &[dontneed(0, 1), read(0, 0)] }, Actor { name: "B", ops: &[dontneed(0, 1)] }],
        outcomes: &[
            "A discarded, read 0; B discarded; +0 -1 pages; +0 -0 tables",
            "A discarded, read 0; B discarded; page 0 is zero; +0 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-discard-range",
        family: "tlb",
        claim: "a discard of two pages is forgotten for both before it is over",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), write(1, 0, 8), on(1, &read(0, 0))],
        actors: &[Actor { name: "A", ops: &[dontneed(0, 2)] }, Actor { name: "B", ops: &[read(0, 0), read(1, 0)] }],
        outcomes: &[
            "A discarded; B read 0, read 0; page 0 is zero; page 1 is zero; +0 -2 pages; +0 -0 tables",
            "A discarded; B read 9, read 0; page 1 is zero; +0 -2 pages; +0 -0 tables",
            "A discarded; B read 9, read 8; +0 -2 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-store-munmap",
        family: "tlb",
        claim: "a store through a remembered translation reaches the page before it is freed, or not at all",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), on(0, &write(0, 0, 8))],
        actors: &[
            Actor { name: "W", ops: &[write(0, 0, 1), write(0, 1, 2)] },
            Actor { name: "U", ops: &[munmap(0, 2)] },
        ],
        outcomes: &[
            "W got MAPERR, got MAPERR; U unmapped; +0 -1 pages; +0 -1 tables",
            "W wrote, got MAPERR; U unmapped; +0 -1 pages; +0 -1 tables",
            "W wrote, wrote; U unmapped; +0 -1 pages; +0 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-forgetful",
        family: "tlb",
        claim: "a CPU that forgets whenever it likes stores where the tables say, or is told that they do not",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[tlb(Retention::Chooses), write(0, 0, 9), on(0, &write(0, 0, 8))],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1), read(0, 0)] }, Actor { name: "A", ops: &[dontneed(0, 1)] }],
        outcomes: &[
            "W wrote, read 0; A discarded; page 0 is zero; +0 -1 pages; +0 -0 tables",
            "W wrote, read 1; A discarded; +0 -1 pages; +0 -0 tables",
            "W wrote, read 1; A discarded; page 0 is W's; +1 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-fork",
        family: "tlb",
        claim: "a writer's remembered right is forgotten before fork is over: the child sees no later store",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), on(1, &write(0, 1, 8))],
        actors: &[
            Actor { name: "F", ops: &[Op::Fork, Op::InChild(&read(0, 0)), Op::InChild(&read(0, 0))] },
            Actor { name: "W", ops: &[write(0, 0, 1)] },
        ],
        outcomes: &[
            "F forked, read 1, read 1; W wrote; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +1 -0 \
             tables",
            "F forked, read 9, read 9; W wrote; page 0 is W's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    // The flag is a page that is discarded: who finds it empty has faulted, and is ordered behind whoever emptied it.
    // Two words of user data would order nothing on loom.
    Scenario {
        name: "tlb-cow-flag",
        family: "tlb",
        claim: "who finds a page discarded that went after a store to a copy does not read the old page any more",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), write(1, 0, 5), Op::Fork, on(2, &read(0, 0)), on(2, &read(1, 0))],
        actors: &[
            Actor { name: "C", ops: &[write(0, 1, 3)] },
            Actor { name: "W", ops: &[write(0, 0, 1), dontneed(1, 1)] },
            Actor { name: "R", ops: &[read(1, 0), read(0, 0)] },
        ],
        outcomes: &[
            "C wrote; W wrote, discarded; R read 0, read 1; page 0 is C's; page 1 is zero; child's page 0 is \
             setup's; child's page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 0, read 1; page 0 is C's; page 1 is zero; child's page 0 is \
             setup's; child's page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 0, read 1; page 0 is W's; page 1 is zero; child's page 0 is \
             setup's; child's page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 0, read 1; page 0 is W's; page 1 is zero; child's page 0 is \
             setup's; child's page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 1; page 0 is C's; child's page 0 is setup's; child's page \
             1 is setup's; +1 -0 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 1; page 0 is C's; child's page 0 is setup's; child's page \
             1 is setup's; +2 -1 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 1; page 0 is W's; child's page 0 is setup's; child's page \
             1 is setup's; +1 -0 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 1; page 0 is W's; child's page 0 is setup's; child's page \
             1 is setup's; +2 -1 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 9; page 0 is C's; child's page 0 is setup's; child's page \
             1 is setup's; +1 -0 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 9; page 0 is C's; child's page 0 is setup's; child's page \
             1 is setup's; +2 -1 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 9; page 0 is W's; child's page 0 is setup's; child's page \
             1 is setup's; +1 -0 pages; +0 -0 tables",
            "C wrote; W wrote, discarded; R read 5, read 9; page 0 is W's; child's page 0 is setup's; child's page \
             1 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-zero-page",
        family: "tlb",
        claim: "who remembers the zero page reads zero or what was stored, and zero no more after the latter",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[read(0, 0), on(1, &read(0, 0))],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "R", ops: &[read(0, 0), read(0, 0)] }],
        outcomes: &[
            "W wrote; R read 0, read 0; page 0 is W's; +1 -0 pages; +0 -0 tables",
            "W wrote; R read 0, read 1; page 0 is W's; +1 -0 pages; +0 -0 tables",
            "W wrote; R read 1, read 1; page 0 is W's; +1 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-protect-huge",
        family: "tlb",
        claim: "a huge page is write-protected for every CPU: a store is noted, or comes before",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), on(1, &write(0, 0, 8))],
        actors: &[
            Actor { name: "C", ops: &[clear_refs(0, 2)] },
            Actor { name: "W", ops: &[write(0, 0, 1), write(1, 0, 2)] },
        ],
        outcomes: &["C cleared; W wrote, wrote; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-split",
        family: "tlb",
        claim: "a huge page is split with every CPU in the know: no address has a small and a large translation",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), on(1, &write(0, 0, 8))],
        actors: &[Actor { name: "S", ops: &[dontneed(0, 1)] }, Actor { name: "W", ops: &[write(1, 0, 2), read(1, 0)] }],
        outcomes: &["S discarded; W wrote, read 2; page 1 is setup's; +0 -0 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-migrate",
        family: "tlb",
        claim: "a store through a remembered translation is moved with the page, or follows it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), on(1, &write(0, 0, 8))],
        actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "W", ops: &[write(0, 0, 1), read(0, 0)] }],
        outcomes: &[
            "M moved; W wrote, read 1; page 0 is M's; +1 -1 pages; +0 -0 tables",
            "M moved; W wrote, read 1; page 0 is M's; +2 -2 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-numa-migrate",
        family: "tlb",
        claim: "a page that was marked and not yet flushed is flushed before it moves: a load finds it, or nothing",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), on(2, &write(0, 0, 8))],
        actors: &[
            Actor { name: "N", ops: &[mark_numa(0)] },
            Actor { name: "M", ops: &[migrate(0)] },
            Actor { name: "R", ops: &[peek(0, 0)] },
        ],
        outcomes: &[
            "N marked; M moved; R got EFAULT; page 0 is M's; +1 -1 pages; +0 -0 tables",
            "N marked; M moved; R read 8; page 0 is M's; +1 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-age",
        family: "tlb",
        claim: "a page that looks unused is used all the same, and one that looks clean is marked by the next store",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), write(1, 0, 8), age(1), on(1, &write(0, 0, 7)), on(1, &read(1, 0))],
        actors: &[Actor { name: "K", ops: &[age(0), age(1)] }, Actor { name: "W", ops: &[write(0, 0, 1), read(1, 0)] }],
        outcomes: &["K aged, aged; W wrote, read 8; page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-truncate",
        family: "tlb",
        claim: "a store through a remembered translation reaches the page while it is the file's, or gets SIGBUS",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: &[],
        setup: &[map_file(0, 1, Sharing::Shared, FILE), write(0, 0, 9), on(1, &write(0, 0, 8))],
        actors: &[Actor { name: "T", ops: &[truncate(FILE, 0)] }, Actor { name: "W", ops: &[write(0, 0, 1)] }],
        outcomes: &[
            "T truncated; W got SIGBUS; +0 -1 pages; +0 -0 tables",
            "T truncated; W wrote; +0 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "tlb-spurious",
        family: "tlb",
        claim: "a right that another CPU has added, and this one does not know, costs a fault that finds nothing to do",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), clear_refs(0, 1), on(0, &read(0, 0)), on(1, &read(0, 0))],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2), read(0, 0)] }],
        outcomes: &[
            "A wrote; B wrote, read 1; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; B wrote, read 9; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
];
