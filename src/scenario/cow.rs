//! Copy on write: a page that a parent and a child share, and the fork itself.

use crate::mm::Generation;

use super::definition::{
    Actor, LoomReach, Op, Scenario, ShapeName, TWO_PAGES, age, in_child, munmap, peek, read, write,
};

/// A page that both processes map, with 9 in its first word.
const SHARED: &[Op] = &[write(0, 0, 9), Op::Fork];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "cow-parent-child",
        family: "cow",
        claim: "a parent and a child that write one shared page end with a page each, and see nothing of the other's",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: SHARED,
        actors: &[
            Actor { name: "P", ops: &[write(0, 0, 1)] },
            Actor { name: "C", ops: &[in_child(&write(0, 1, 2)), in_child(&read(0, 0))] },
        ],
        outcomes: &[
            "P wrote; C wrote, read 9; page 0 is P's; child's page 0 is C's; +2 -1 pages; +0 -0 tables",
            "P wrote; C wrote, read 9; page 0 is P's; child's page 0 is setup's; +1 -0 pages; +0 -0 tables",
            "P wrote; C wrote, read 9; page 0 is setup's; child's page 0 is C's; +1 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "cow-two-threads",
        family: "cow",
        claim: "two threads that write one shared page leave one copy with both stores, and the child's page as it was",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: SHARED,
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; child's page 0 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is A's; child's page 0 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; child's page 0 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; child's page 0 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
    Scenario {
        name: "cow-reuse-munmap",
        family: "cow",
        claim: "a writer copies a page that a child still maps, and keeps it for itself once the child has unmapped it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: SHARED,
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[in_child(&munmap(0, 2))] }],
        outcomes: &[
            "W wrote; U unmapped; page 0 is W's; +1 -1 pages; +0 -1 tables",
            "W wrote; U unmapped; page 0 is setup's; +0 -0 pages; +0 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "cow-reuse-exit",
        family: "cow",
        claim: "a writer that finds its child gone writes without copying; all that the child had is freed",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: SHARED,
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "X", ops: &[Op::ExitChild] }],
        outcomes: &[
            "W wrote; X exited; page 0 is W's; +1 -1 pages; +0 -2 tables",
            "W wrote; X exited; page 0 is setup's; +0 -0 pages; +0 -2 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "cow-read-munmap",
        family: "cow",
        claim: "a load that is under way while the page is copied and freed reads the old page, or the new one",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: SHARED,
        actors: &[
            Actor { name: "W", ops: &[write(0, 1, 1)] },
            Actor { name: "R", ops: &[peek(0, 0)] },
            Actor { name: "U", ops: &[in_child(&munmap(0, 2))] },
        ],
        outcomes: &[
            "W wrote; R got EFAULT; U unmapped; page 0 is W's; +1 -1 pages; +0 -1 tables",
            "W wrote; R read 9; U unmapped; page 0 is W's; +1 -1 pages; +0 -1 tables",
            "W wrote; R read 9; U unmapped; page 0 is setup's; +0 -0 pages; +0 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "fork-write",
        family: "cow",
        claim: "a store that races with fork is seen by the child or is not, whichever, and is not lost to the parent",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), age(0)],
        actors: &[
            Actor { name: "F", ops: &[Op::Fork, in_child(&read(0, 0))] },
            Actor { name: "W", ops: &[write(0, 0, 1)] },
        ],
        outcomes: &[
            "F forked, read 1; W wrote; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +1 -0 tables",
            "F forked, read 9; W wrote; page 0 is W's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "fork-first-touch",
        family: "cow",
        claim: "a page that is touched first while its process forks is shared with the child or is the parent's alone",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[
            Actor { name: "F", ops: &[Op::Fork, in_child(&read(0, 0))] },
            Actor { name: "W", ops: &[write(0, 0, 1)] },
        ],
        outcomes: &[
            "F forked, read 0; W wrote; page 0 is W's; page 1 is setup's; child's page 0 is W's; child's page 1 is \
             setup's; +2 -0 pages; +1 -0 tables",
            "F forked, read 0; W wrote; page 0 is W's; page 1 is setup's; child's page 0 is zero; child's page 1 is \
             setup's; +1 -0 pages; +1 -0 tables",
            "F forked, read 1; W wrote; page 0 is W's; page 1 is setup's; child's page 0 is W's; child's page 1 is \
             setup's; +1 -0 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "fork-read",
        family: "cow",
        claim: "a load that races with fork reads what was there, and maps nothing more",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), age(0)],
        actors: &[
            Actor { name: "F", ops: &[Op::Fork, write(0, 0, 1), in_child(&read(0, 0))] },
            Actor { name: "R", ops: &[read(0, 0)] },
        ],
        outcomes: &[
            "F forked, wrote, read 9; R read 1; page 0 is F's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
            "F forked, wrote, read 9; R read 9; page 0 is F's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
            "F forked, wrote, read 9; R read 9; page 0 is F's; child's page 0 is setup's; +2 -1 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "fork-two-writers",
        family: "cow",
        claim: "of two stores that race with fork, one that faults copies nothing that the other one has yet to write",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9)],
        actors: &[
            Actor { name: "F", ops: &[Op::Fork] },
            Actor { name: "S", ops: &[write(0, 0, 1)] },
            Actor { name: "W", ops: &[write(0, 1, 2)] },
        ],
        outcomes: &[
            "F forked; S wrote; W wrote; page 0 is S's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
            "F forked; S wrote; W wrote; page 0 is S's; child's page 0 is setup's; +2 -1 pages; +1 -0 tables",
            "F forked; S wrote; W wrote; page 0 is W's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
            "F forked; S wrote; W wrote; page 0 is W's; child's page 0 is setup's; +2 -1 pages; +1 -0 tables",
            "F forked; S wrote; W wrote; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +1 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
];
