//! A read fault against a write fault of one page.

use crate::mm::Generation;

use super::definition::{Actor, LoomReach, Scenario, ShapeName, TWO_PAGES, read, write};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "read-write",
        family: "read-write",
        claim: "a read fault maps the zero page or finds the writer's page; the writer replaces the zero page safely",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "W", ops: &[write(0, 0, 7)] }],
        outcomes: &[
            "R read 0; W wrote; page 0 is W's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "R read 0; W wrote; page 0 is W's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "R read 7; W wrote; page 0 is W's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "R read 7; W wrote; page 0 is W's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
    Scenario {
        name: "two-readers",
        family: "read-write",
        claim: "two read faults on one PTE map the shared zero page, once, and count nothing for it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "S", ops: &[read(0, 1)] }],
        outcomes: &["R read 0; S read 0; page 0 is zero; page 1 is setup's; +0 -0 pages; +0 -0 tables"],
        loom: LoomReach::Everything,
    },
    Scenario {
        name: "zero-page-writers",
        family: "read-write",
        claim: "two writers of a page that a read mapped as the zero page leave one copy with both stores",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9), read(0, 0)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(0, 1, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is A's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
];
