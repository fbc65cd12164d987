//! A fault against `munmap` of its page.

use crate::mm::Generation;

use super::definition::{Actor, LoomReach, Scenario, ShapeName, TWO_PAGES, age, munmap, write};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "fault-munmap",
        family: "fault-munmap",
        claim: "a write either completes before munmap discards it, or gets SEGV_MAPERR; nothing leaks",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "W got MAPERR; U unmapped; +0 -0 pages; +0 -0 tables",
            "W got MAPERR; U unmapped; +0 -0 pages; +1 -1 tables",
            "W got MAPERR; U unmapped; +1 -1 pages; +1 -1 tables",
            "W wrote; U unmapped; +1 -1 pages; +1 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
    Scenario {
        name: "marks-munmap",
        family: "fault-munmap",
        claim: "hardware that marks an entry as used never brings it back after munmap has cleared it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9), age(0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "W got MAPERR; U unmapped; +0 -1 pages; +0 -1 tables",
            "W wrote; U unmapped; +0 -1 pages; +0 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
    Scenario {
        name: "fault-munmap-neighbour",
        family: "fault-munmap",
        claim: "munmap of one page keeps the table that a fault on its neighbour uses",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(1, 1)] }],
        outcomes: &["W wrote; U unmapped; page 0 is W's; +1 -1 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
];
