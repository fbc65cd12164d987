//! Faults below a stack, which make it grow, against each other and against `munmap` of the stack.

use crate::mm::{Generation, VmFlags};

use super::definition::{Actor, LoomReach, READ_WRITE, Scenario, ShapeName, VmaSpec, munmap, write};

/// A stack of one page at the top of the world: pages 0 to 2 are there to grow into.
const STACK: &[VmaSpec] = &[VmaSpec { page: 3, pages: 1, protection: READ_WRITE, flags: VmFlags::GROWSDOWN }];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "stack-two-growers",
        family: "stack",
        claim: "two faults below a stack, at different pages, both make it reach down to them",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: STACK,
        setup: &[write(3, 0, 9)],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &["A wrote; B wrote; page 1 is B's; page 2 is A's; page 3 is setup's; +2 -0 pages; +1 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "stack-grown-already",
        family: "stack",
        claim: "two faults at one page below a stack grow it once: the later one finds it grown when it looks again",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: STACK,
        setup: &[write(3, 0, 9)],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "B", ops: &[write(2, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 2 is A's; page 3 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 2 is A's; page 3 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; page 2 is B's; page 3 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 2 is B's; page 3 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "stack-munmap",
        family: "stack",
        claim: "a fault below a stack either grows it before munmap takes it, or finds no stack and gets SEGV_MAPERR",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: STACK,
        setup: &[write(3, 0, 9)],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "U", ops: &[munmap(3, 1)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -1 pages; +0 -1 tables",
            "A wrote; U unmapped; page 2 is A's; +1 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "stack-grows-under-fault",
        family: "stack",
        claim: "a stack does not grow under a fault that holds its lock, and the fault finds its page where it was",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: STACK,
        setup: &[],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "B", ops: &[write(3, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 2 is A's; page 3 is B's; +2 -0 pages; +1 -0 tables",
            "A wrote; B wrote; page 2 is A's; page 3 is B's; +2 -0 pages; +2 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
];
