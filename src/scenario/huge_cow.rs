//! Copy on write of huge pages, and the fork that shares them.

use crate::mm::{Generation, VmFlags};

use super::definition::{
    Actor, LoomReach, Op, READ_WRITE, Scenario, ShapeName, VmaSpec, dontneed, in_child, peek, read, stock_huge, write,
};

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

/// A huge page that both processes map, with 9 in its first word; there are two racing actors.
const SHARED: &[Op] = &[stock_huge(2, 1), write(0, 0, 9), Op::Fork];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "huge-fork-write",
        family: "huge-cow",
        claim: "a write to a huge page during a fork is before it, and the child's too, or after it, and never the \
                child's",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9)],
        actors: &[
            Actor { name: "F", ops: &[Op::Fork, in_child(&read(0, 0))] },
            Actor { name: "W", ops: &[write(0, 0, 1)] },
        ],
        outcomes: &[
            "F forked, read 1; W wrote; page 0 is huge, setup's; child's page 0 is huge, setup's; +0 -0 pages; \
             +1 -0 tables",
            "F forked, read 9; W wrote; page 0 is W's; page 1 is setup's; child's page 0 is huge, setup's; \
             +1 -0 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-fork-first-touch",
        family: "huge-cow",
        claim: "a huge page that is touched first during a fork is shared with the child, or not yet there for it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(1, 1)],
        actors: &[Actor { name: "F", ops: &[Op::Fork] }, Actor { name: "W", ops: &[write(0, 0, 1)] }],
        outcomes: &[
            "F forked; W wrote; page 0 is W's; page 1 is W's; child's page 0 is huge, W's; +1 -0 pages; \
             +2 -0 tables; +1 -0 huge",
            "F forked; W wrote; page 0 is huge, W's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "F forked; W wrote; page 0 is huge, W's; child's page 0 is huge, W's; +0 -0 pages; +2 -0 tables; \
             +1 -0 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-cow-child-discards",
        family: "huge-cow",
        claim: "a write keeps a huge page that the child has discarded, and splits one that the child still maps",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: SHARED,
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[in_child(&dontneed(0, 2))] }],
        outcomes: &[
            "W wrote; D discarded; page 0 is W's; page 1 is setup's; +1 -0 pages; +0 -1 tables",
            "W wrote; D discarded; page 0 is huge, setup's; +0 -0 pages; +0 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-cow-two-threads",
        family: "huge-cow",
        claim: "two threads that write one shared huge page split it once, and leave the child's as it was",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: SHARED,
        actors: &[Actor { name: "A", ops: &[peek(1, 0), write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A got EFAULT, wrote; B wrote; page 0 is A's; page 1 is B's; child's page 0 is huge, setup's; \
             +2 -0 pages; +0 -0 tables",
            "A read 0, wrote; B wrote; page 0 is A's; page 1 is B's; child's page 0 is huge, setup's; \
             +2 -0 pages; +0 -0 tables",
            "A read 2, wrote; B wrote; page 0 is A's; page 1 is B's; child's page 0 is huge, setup's; \
             +2 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-cow-reuse-exit",
        family: "huge-cow",
        claim: "a writer that finds its child gone keeps the huge page whole; one that does not splits it and copies",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: SHARED,
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "X", ops: &[Op::ExitChild] }],
        outcomes: &[
            "W wrote; X exited; page 0 is W's; page 1 is setup's; +1 -0 pages; +0 -2 tables",
            "W wrote; X exited; page 0 is huge, setup's; +0 -0 pages; +0 -2 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-cow-discard",
        family: "huge-cow",
        claim: "a write to a shared huge page that its own process discards never makes the child's page its own",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: SHARED,
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "W wrote; D discarded; child's page 0 is huge, setup's; +1 -1 pages; +0 -0 tables",
            "W wrote; D discarded; page 0 is W's; child's page 0 is huge, setup's; +1 -0 pages; +0 -0 tables",
            "W wrote; D discarded; page 0 is W's; child's page 0 is huge, setup's; +1 -0 pages; +1 -1 tables",
            "W wrote; D discarded; page 0 is W's; child's page 0 is huge, setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-cow-parent-child-4.4",
        family: "huge-cow",
        claim: "a parent and a child that write one huge page end with a huge page each, or one with small ones",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), stock_huge(0, 1), write(0, 0, 9), Op::Fork],
        actors: &[Actor { name: "P", ops: &[write(0, 0, 1)] }, Actor { name: "C", ops: &[in_child(&write(0, 1, 2))] }],
        outcomes: &[
            "P wrote; C wrote; page 0 is huge, P's; child's page 0 is C's; child's page 1 is C's; +2 -0 pages; \
             +0 -0 tables; +1 -1 huge",
            "P wrote; C wrote; page 0 is huge, P's; child's page 0 is huge, setup's; +0 -0 pages; +0 -0 tables; \
             +1 -0 huge",
            "P wrote; C wrote; page 0 is huge, setup's; child's page 0 is C's; child's page 1 is C's; \
             +2 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-cow-two-threads-4.4",
        family: "huge-cow",
        claim: "two threads that write one shared huge page replace it once, by a copy, huge or small",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), stock_huge(0, 1), write(0, 0, 9), Op::Fork],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is B's; page 1 is B's; child's page 0 is huge, setup's; +2 -0 pages; \
             +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; page 1 is B's; child's page 0 is huge, setup's; +2 -0 pages; \
             +0 -0 tables; +1 -1 huge",
            "A wrote; B wrote; page 0 is B's; page 1 is B's; child's page 0 is huge, setup's; +2 -0 pages; \
             +1 -1 tables",
            "A wrote; B wrote; page 0 is B's; page 1 is B's; child's page 0 is huge, setup's; +2 -0 pages; \
             +1 -1 tables; +1 -1 huge",
            "A wrote; B wrote; page 0 is huge, A's; child's page 0 is huge, setup's; +0 -0 pages; +0 -0 tables; \
             +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; child's page 0 is huge, setup's; +0 -0 pages; +1 -1 tables; \
             +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; child's page 0 is huge, setup's; +2 -2 pages; +0 -0 tables; \
             +1 -0 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-cow-split-4.4",
        family: "huge-cow",
        claim: "a huge page that the child splits is split in the parent, too, whatever the parent does to it \
                meanwhile",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: SHARED,
        actors: &[Actor { name: "P", ops: &[write(0, 0, 1)] }, Actor { name: "S", ops: &[in_child(&dontneed(1, 1))] }],
        outcomes: &[
            "P wrote; S discarded; page 0 is P's; page 1 is P's; child's page 0 is setup's; +2 -1 pages; +0 -0 tables",
            "P wrote; S discarded; page 0 is P's; page 1 is setup's; child's page 0 is setup's; +1 -0 pages; \
             +0 -0 tables",
            "P wrote; S discarded; page 0 is P's; page 1 is setup's; child's page 0 is setup's; +3 -2 pages; \
             +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
];
