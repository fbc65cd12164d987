//! Faults that meet in the tables, not in an entry.

use crate::mm::{Generation, VmFlags};

use super::definition::{Actor, LoomReach, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, write};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "neighbours-new-table",
        family: "tables",
        claim: "faults on neighbouring PTEs of one missing table link it once and both install",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; page 1 is B's; +2 -0 pages; +1 -0 tables",
            "A wrote; B wrote; page 0 is A's; page 1 is B's; +2 -0 pages; +2 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
    Scenario {
        name: "split-at-pud",
        family: "tables",
        claim: "faults whose tables differ from the PUD level on share the tables above and link each of their own",
        shape: ShapeName::FourLevels,
        generation: Generation::G6,
        vmas: &[VmaSpec { page: 0, pages: 16, protection: READ_WRITE, flags: VmFlags::empty() }],
        setup: &[],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(4, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; page 4 is B's; +2 -0 pages; +5 -0 tables",
            "A wrote; B wrote; page 0 is A's; page 4 is B's; +2 -0 pages; +6 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
];
