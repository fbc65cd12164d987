//! Copy on write as Linux 4.4 decides it: by counting mappings.

use crate::mm::Generation;

use super::definition::{
    Actor, LoomReach, Op, Scenario, ShapeName, TWO_PAGES, dontneed, in_child, migrate, munmap, peek, read, write,
};

/// A page that both processes map, with 9 in its first word.
const SHARED: &[Op] = &[write(0, 0, 9), Op::Fork];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "g2-cow-parent-child",
        family: "cow-g2",
        claim: "4.4: a parent and a child that write one shared page copy it once or twice, and see nothing of the \
                other's",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
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
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "g2-cow-stale-reader",
        family: "cow-g2",
        claim: "4.4: the parent writes to the page only when no thread of the child can still be reading it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), Op::Fork, in_child(&read(0, 0))],
        actors: &[
            Actor { name: "P", ops: &[write(0, 0, 1)] },
            Actor { name: "C", ops: &[in_child(&write(0, 1, 2))] },
            Actor { name: "R", ops: &[in_child(&peek(0, 0))] },
        ],
        outcomes: &[
            "P wrote; C wrote; R got EFAULT; page 0 is P's; child's page 0 is C's; +2 -1 pages; +0 -0 tables",
            "P wrote; C wrote; R got EFAULT; page 0 is setup's; child's page 0 is C's; +1 -0 pages; +0 -0 tables",
            "P wrote; C wrote; R read 9; page 0 is P's; child's page 0 is C's; +2 -1 pages; +0 -0 tables",
            "P wrote; C wrote; R read 9; page 0 is P's; child's page 0 is setup's; +1 -0 pages; +0 -0 tables",
            "P wrote; C wrote; R read 9; page 0 is setup's; child's page 0 is C's; +1 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "g2-cow-reuse-munmap",
        family: "cow-g2",
        claim: "4.4: a writer copies a page that a child still maps, and keeps it for itself once the child has \
                unmapped it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: TWO_PAGES,
        setup: SHARED,
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[in_child(&munmap(0, 2))] }],
        outcomes: &[
            "W wrote; U unmapped; page 0 is W's; +1 -1 pages; +0 -1 tables",
            "W wrote; U unmapped; page 0 is setup's; +0 -0 pages; +0 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "g2-cow-lock-wait",
        family: "cow-g2",
        claim: "4.4: a writer that waited for the folio lock without the table's finds that its page was discarded",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), Op::Fork, Op::ExitChild],
        actors: &[Actor { name: "P", ops: &[write(0, 0, 1)] }, Actor { name: "M", ops: &[migrate(0), dontneed(0, 1)] }],
        outcomes: &[
            "P wrote; M kept, discarded; +0 -1 pages; +0 -0 tables",
            "P wrote; M kept, discarded; +1 -2 pages; +0 -0 tables",
            "P wrote; M kept, discarded; page 0 is P's; +1 -1 pages; +0 -0 tables",
            "P wrote; M kept, discarded; page 0 is P's; +2 -2 pages; +0 -0 tables",
            "P wrote; M moved, discarded; +1 -2 pages; +0 -0 tables",
            "P wrote; M moved, discarded; +2 -3 pages; +0 -0 tables",
            "P wrote; M moved, discarded; page 0 is P's; +2 -2 pages; +0 -0 tables",
            "P wrote; M moved, discarded; page 0 is P's; +3 -3 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
];
