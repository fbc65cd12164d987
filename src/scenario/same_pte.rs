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
        outcomes: &[],
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
        outcomes: &[],
        loom_preemptions: Some(3),
    },
    Scenario {
        name: "same-pte-three",
        family: "same_pte",
        claim: "three write faults on one PTE of a standing table install one page",
        shape: ShapeName::TwoLevels,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[A, B, C],
        outcomes: &[],
        loom_preemptions: Some(2),
    },
];
