//! Several threads fault the same page.

use super::definition::{Actor, Scenario, ShapeName, TWO_PAGES, write};

const A: Actor = Actor { name: "A", ops: &[write(0, 0, 1)] };
const B: Actor = Actor { name: "B", ops: &[write(0, 1, 2)] };
const C: Actor = Actor { name: "C", ops: &[write(0, 0, 3)] };

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "same-pte",
        family: "same_pte",
        claim: "two write faults on one PTE of a standing table install one page, and no store is lost",
        shape: ShapeName::TwoLevels,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[A, B],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is A's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; page 0 is B's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom_preemptions: None,
    },
    Scenario {
        name: "same-pte-new-table",
        family: "same_pte",
        claim: "two write faults on one PTE, whose table is missing too, link one table and install one page",
        shape: ShapeName::TwoLevels,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[A, B],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; +1 -0 pages; +1 -0 tables",
            "A wrote; B wrote; page 0 is A's; +2 -1 pages; +1 -0 tables",
            "A wrote; B wrote; page 0 is A's; +2 -1 pages; +2 -1 tables",
            "A wrote; B wrote; page 0 is B's; +1 -0 pages; +1 -0 tables",
            "A wrote; B wrote; page 0 is B's; +2 -1 pages; +1 -0 tables",
            "A wrote; B wrote; page 0 is B's; +2 -1 pages; +2 -1 tables",
        ],
        loom_preemptions: Some(3),
    },
    Scenario {
        name: "same-pte-four-levels",
        family: "same_pte",
        claim: "two write faults on one PTE, with every table missing, link three tables and install one page",
        shape: ShapeName::FourLevels,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[A, B],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; +1 -0 pages; +3 -0 tables",
            "A wrote; B wrote; page 0 is A's; +1 -0 pages; +4 -1 tables",
            "A wrote; B wrote; page 0 is A's; +1 -0 pages; +5 -2 tables",
            "A wrote; B wrote; page 0 is A's; +2 -1 pages; +3 -0 tables",
            "A wrote; B wrote; page 0 is A's; +2 -1 pages; +4 -1 tables",
            "A wrote; B wrote; page 0 is A's; +2 -1 pages; +5 -2 tables",
            "A wrote; B wrote; page 0 is A's; +2 -1 pages; +6 -3 tables",
            "A wrote; B wrote; page 0 is B's; +1 -0 pages; +3 -0 tables",
            "A wrote; B wrote; page 0 is B's; +1 -0 pages; +4 -1 tables",
            "A wrote; B wrote; page 0 is B's; +1 -0 pages; +5 -2 tables",
            "A wrote; B wrote; page 0 is B's; +2 -1 pages; +3 -0 tables",
            "A wrote; B wrote; page 0 is B's; +2 -1 pages; +4 -1 tables",
            "A wrote; B wrote; page 0 is B's; +2 -1 pages; +5 -2 tables",
            "A wrote; B wrote; page 0 is B's; +2 -1 pages; +6 -3 tables",
        ],
        loom_preemptions: Some(2),
    },
    Scenario {
        name: "same-pte-three",
        family: "same_pte",
        claim: "three write faults on one PTE of a standing table install one page",
        shape: ShapeName::TwoLevels,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[A, B, C],
        outcomes: &[
            "A wrote; B wrote; C wrote; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is A's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is A's; page 1 is setup's; +3 -2 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is B's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is B's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is B's; page 1 is setup's; +3 -2 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is C's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is C's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "A wrote; B wrote; C wrote; page 0 is C's; page 1 is setup's; +3 -2 pages; +0 -0 tables",
        ],
        loom_preemptions: Some(2),
    },
];
