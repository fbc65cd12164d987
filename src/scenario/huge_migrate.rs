//! Moving a huge page while others use it.

use crate::mm::{Generation, VmFlags};

use super::definition::{
    Actor, LoomReach, Op, READ_WRITE, Scenario, ShapeName, VmaSpec, dontneed, in_child, migrate, peek, read,
    stock_huge, write,
};

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

/// A huge page with 9 in its first word, and another one to move it to.
const MAPPED: &[Op] = &[stock_huge(2, 1), stock_huge(0, 1), write(0, 0, 9)];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "huge-migrate-read",
        family: "huge-migrate",
        claim: "a load from a huge page that is being moved waits for it, and reads what it read before",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: MAPPED,
        actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "R", ops: &[peek(0, 0), read(0, 0)] }],
        outcomes: &[
            "M moved; R got EFAULT, read 9; page 0 is huge, M's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
            "M moved; R read 9, read 9; page 0 is huge, M's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-migrate-write",
        family: "huge-migrate",
        claim: "a store to a huge page that is being moved goes to the old one before the copy, or to the new one",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: MAPPED,
        actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "W", ops: &[peek(0, 0), write(1, 0, 1)] }],
        outcomes: &[
            "M moved; W got EFAULT, wrote; page 0 is huge, M's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
            "M moved; W read 9, wrote; page 0 is huge, M's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-migrate-split",
        family: "huge-migrate",
        claim: "a huge page that is discarded in part while it is moved arrives in small entries",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: MAPPED,
        actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "S", ops: &[dontneed(1, 1)] }],
        outcomes: &[
            "M kept; S discarded; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "M kept; S discarded; page 0 is setup's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
            "M moved; S discarded; page 0 is M's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-migrate-zap",
        family: "huge-migrate",
        claim: "a huge page that is discarded while it is moved is gone, the copy too",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: MAPPED,
        actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "Z", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "M kept; Z discarded; +0 -0 pages; +0 -1 tables; +0 -1 huge",
            "M kept; Z discarded; +0 -0 pages; +0 -1 tables; +1 -2 huge",
            "M moved; Z discarded; +0 -0 pages; +0 -1 tables; +1 -2 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-migrate-fork",
        family: "huge-migrate",
        claim: "a fork before a huge page is moved keeps it in place, and one after it shares the new one with the \
                child",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: MAPPED,
        actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "F", ops: &[Op::Fork] }],
        outcomes: &[
            "M kept; F forked; page 0 is huge, setup's; child's page 0 is huge, setup's; +0 -0 pages; \
             +1 -0 tables; +1 -1 huge",
            "M moved; F forked; page 0 is huge, M's; child's page 0 is huge, M's; +0 -0 pages; +1 -0 tables; \
             +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-migrate-discard-wait",
        family: "huge-migrate",
        claim: "who waits for a huge page that is being moved wakes up though it is discarded when it has arrived",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: MAPPED,
        actors: &[Actor { name: "M", ops: &[migrate(0), dontneed(0, 2)] }, Actor { name: "R", ops: &[read(0, 0)] }],
        outcomes: &[
            "M moved, discarded; R read 0; page 0 is zero; +0 -0 pages; +1 -1 tables; +1 -2 huge",
            "M moved, discarded; R read 0; page 0 is zero; +0 -0 pages; +2 -2 tables; +1 -2 huge",
            "M moved, discarded; R read 9; +0 -0 pages; +0 -1 tables; +1 -2 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-wp-migrate",
        family: "huge-migrate",
        claim: "a write that waits for the lock of a huge page, which its mover holds, finds it kept, moved or \
                discarded",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), stock_huge(0, 1), write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "M", ops: &[in_child(&migrate(0)), dontneed(0, 2)] },
            Actor { name: "W", ops: &[write(0, 1, 1)] },
        ],
        outcomes: &[
            "M kept, discarded; W wrote; child's page 0 is huge, setup's; +1 -1 pages; +0 -0 tables; +1 -1 huge",
            "M kept, discarded; W wrote; page 0 is W's; child's page 0 is huge, setup's; +1 -0 pages; \
             +0 -0 tables; +1 -1 huge",
            "M kept, discarded; W wrote; page 0 is W's; child's page 0 is huge, setup's; +1 -0 pages; \
             +1 -1 tables; +1 -1 huge",
            "M kept, discarded; W wrote; page 0 is W's; child's page 0 is huge, setup's; +2 -1 pages; \
             +0 -0 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
];
