//! Faults below a stack, which make it grow, against each other and against `munmap` of the stack.

use crate::mm::{Generation, VmFlags};

use super::definition::{Actor, LoomReach, READ_WRITE, Scenario, ShapeName, VmaSpec, munmap, write};

/// A stack of one page at the top of the world: pages 0 to 2 are there to grow into.
const STACK: &[VmaSpec] = &[VmaSpec { page: 3, pages: 1, protection: READ_WRITE, flags: VmFlags::GROWSDOWN }];

/// The same, with another mapping two pages below.
const STACK_ABOVE_PAGE_1: &[VmaSpec] = &[
    VmaSpec { page: 1, pages: 1, protection: READ_WRITE, flags: VmFlags::empty() },
    VmaSpec { page: 3, pages: 1, protection: READ_WRITE, flags: VmFlags::GROWSDOWN },
];

/// What the scenarios have in common.
const WORLD: Scenario = Scenario {
    name: "",
    family: "stack",
    claim: "",
    shape: ShapeName::TwoLevels,
    generation: Generation::G6,
    vmas: STACK,
    setup: &[write(3, 0, 9)],
    actors: &[],
    outcomes: &[],
    loom: LoomReach::Outcomes { preemptions: 2 },
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "stack-two-growers",
        claim: "two faults below a stack, at different pages, both make it reach down to them",
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &["A wrote; B wrote; page 1 is B's; page 2 is A's; page 3 is setup's; +2 -0 pages; +1 -0 tables"],
        ..WORLD
    },
    Scenario {
        name: "stack-grown-already",
        claim: "two faults at one page below a stack grow it once: the later one finds it grown when it looks again",
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "B", ops: &[write(2, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 2 is A's; page 3 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 2 is A's; page 3 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; page 2 is B's; page 3 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 2 is B's; page 3 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        ..WORLD
    },
    Scenario {
        name: "stack-munmap",
        claim: "a fault below a stack either grows it before munmap takes it, or finds no stack and gets SEGV_MAPERR",
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "U", ops: &[munmap(3, 1)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -1 pages; +0 -1 tables",
            "A wrote; U unmapped; page 2 is A's; +1 -1 pages; +0 -0 tables",
        ],
        ..WORLD
    },
    Scenario {
        name: "stack-grows-under-fault",
        claim: "a stack does not grow under a fault that holds its lock, and the fault finds its page where it was",
        setup: &[],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "B", ops: &[write(3, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 2 is A's; page 3 is B's; +2 -0 pages; +1 -0 tables",
            "A wrote; B wrote; page 2 is A's; page 3 is B's; +2 -0 pages; +2 -1 tables",
        ],
        ..WORLD
    },
    Scenario {
        name: "stack-two-growers-4.4",
        claim: "in 4.4 two faults below a stack, at different pages, make it grow side by side and keep a page free",
        generation: Generation::G2,
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &["A wrote; B wrote; page 1 is B's; page 2 is A's; page 3 is setup's; +2 -0 pages; +1 -0 tables"],
        ..WORLD
    },
    Scenario {
        name: "stack-grown-further-4.4",
        claim: "in 4.4 a fault that waited for the anon_vma never raises the start of a stack that has sunk further",
        generation: Generation::G2,
        setup: &[],
        actors: &[
            Actor { name: "A", ops: &[write(2, 0, 1), write(1, 0, 2)] },
            Actor { name: "B", ops: &[write(2, 1, 3)] },
        ],
        outcomes: &[
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is A's; +2 -0 pages; +2 -0 tables",
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is A's; +2 -0 pages; +3 -1 tables",
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is A's; +3 -1 pages; +2 -0 tables",
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is A's; +3 -1 pages; +3 -1 tables",
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is B's; +2 -0 pages; +2 -0 tables",
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is B's; +2 -0 pages; +3 -1 tables",
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is B's; +3 -1 pages; +2 -0 tables",
            "A wrote, wrote; B wrote; page 1 is A's; page 2 is B's; +3 -1 pages; +3 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
        ..WORLD
    },
    Scenario {
        name: "stack-guard-page-4.4",
        claim: "in 4.4 the lowest page of a stack is kept free, so a fault there fails while another mapping is below",
        generation: Generation::G2,
        vmas: STACK_ABOVE_PAGE_1,
        setup: &[],
        actors: &[Actor { name: "A", ops: &[write(2, 0, 1)] }, Actor { name: "U", ops: &[munmap(1, 1)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -0 pages; +0 -0 tables",
            "A wrote; U unmapped; page 2 is A's; +1 -0 pages; +1 -0 tables",
        ],
        ..WORLD
    },
];
