//! Huge pages against small ones and splits in Linux 4.4, and the bug that it had.

use crate::mm::{Generation, VmFlags};

use super::definition::{
    Actor, LoomReach, READ_WRITE, Scenario, ShapeName, VmaSpec, age, clear_refs, dontneed, mark_numa, munmap, peek,
    read, stock_huge, write,
};

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "huge-accessed-split-4.4",
        family: "huge-g2",
        claim: "a write whose huge entry is split under it never brings the huge entry back",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), age(0)],
        actors: &[Actor { name: "W", ops: &[write(0, 1, 1), peek(1, 0)] }, Actor { name: "S", ops: &[dontneed(1, 1)] }],
        outcomes: &[
            "W wrote, got EFAULT; S discarded; page 0 is setup's; +0 -1 pages; +0 -0 tables",
            "W wrote, read 0; S discarded; page 0 is setup's; +0 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-numa-split-4.4",
        family: "huge-g2",
        claim: "a huge page that gives its rights back while it is split is a table in the end",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), mark_numa(0)],
        actors: &[Actor { name: "R", ops: &[read(0, 0), peek(1, 0)] }, Actor { name: "S", ops: &[dontneed(1, 1)] }],
        outcomes: &[
            "R read 9, got EFAULT; S discarded; page 0 is R's; +1 -2 pages; +0 -0 tables",
            "R read 9, got EFAULT; S discarded; page 0 is setup's; +0 -1 pages; +0 -0 tables",
            "R read 9, got EFAULT; S discarded; page 0 is setup's; +1 -2 pages; +0 -0 tables",
            "R read 9, read 0; S discarded; page 0 is setup's; +0 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-wp-split-4.4",
        family: "huge-g2",
        claim: "a write to a write-protected huge page either reuses it or finds the table that a split left",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), clear_refs(0, 2)],
        actors: &[Actor { name: "W", ops: &[write(0, 1, 1), peek(1, 0)] }, Actor { name: "S", ops: &[dontneed(1, 1)] }],
        outcomes: &[
            "W wrote, got EFAULT; S discarded; page 0 is setup's; +0 -1 pages; +0 -0 tables",
            "W wrote, read 0; S discarded; page 0 is setup's; +0 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-wp-wp-4.4",
        family: "huge-g2",
        claim: "two writes to a write-protected huge page that is exclusive make it writable once",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), clear_refs(0, 2)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1), read(1, 0)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote, read 0; B wrote; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "A wrote, read 2; B wrote; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-split-split-4.4",
        family: "huge-g2",
        claim: "two splits of one huge page leave one table",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), write(1, 0, 8)],
        actors: &[Actor { name: "S", ops: &[dontneed(0, 1), peek(1, 0)] }, Actor { name: "T", ops: &[dontneed(1, 1)] }],
        outcomes: &[
            "S discarded, got EFAULT; T discarded; +0 -2 pages; +0 -0 tables",
            "S discarded, read 8; T discarded; +0 -2 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-numa-scan-split-4.4",
        family: "huge-g2",
        claim: "a huge page that is NUMA-marked while it is split is a table, with its other page still there",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), write(1, 0, 8)],
        actors: &[Actor { name: "N", ops: &[mark_numa(0)] }, Actor { name: "S", ops: &[dontneed(1, 1)] }],
        outcomes: &["N marked; S discarded; page 0 is setup's; +0 -1 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-zap-split-4.4",
        family: "huge-g2",
        claim: "a huge page that is discarded while it is split is a table, or nothing",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), write(1, 0, 8)],
        actors: &[Actor { name: "Z", ops: &[dontneed(0, 2)] }, Actor { name: "S", ops: &[dontneed(1, 1)] }],
        outcomes: &[
            "Z discarded; S discarded; +0 -0 pages; +0 -1 tables; +0 -1 huge",
            "Z discarded; S discarded; +0 -2 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-zero-writes-4.4",
        family: "huge-g2",
        claim: "two writes to the huge zero page give each writer what it wrote",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), read(0, 0), stock_huge(0, 1), stock_huge(1, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +0 -0 tables; +2 -1 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +1 -1 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +1 -1 tables; +2 -1 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +0 -0 tables; +2 -1 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +1 -1 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +1 -1 tables; +2 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-munmap-4.4",
        family: "huge-g2",
        claim: "a huge fault either completes before munmap discards it, or gets SEGV_MAPERR; no deposit leaks",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -0 pages; +0 -0 tables",
            "A got MAPERR; U unmapped; +0 -0 pages; +1 -1 tables; +1 -1 huge",
            "A wrote; U unmapped; +0 -0 pages; +1 -1 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
];

/// A huge page, one page of which is moved; another huge page is free, and nobody takes it.
#[cfg(test)]
const MOVED: Scenario = Scenario {
    name: "huge-migrate-4.4",
    family: "huge-g2",
    claim: "a huge page of which one page is moved is split before: no entry is ever huge and under migration",
    shape: ShapeName::TwoLevels,
    generation: Generation::G2,
    vmas: HUGE,
    setup: &[stock_huge(2, 1), stock_huge(0, 1), write(0, 0, 9)],
    actors: &[],
    outcomes: &[],
    loom: LoomReach::Partly { preemptions: 1 },
};

#[cfg(test)]
mod tests {
    use super::MOVED;
    use crate::platform::Watch;
    use crate::platform::interleaved::Search;
    use crate::scenario::definition::{Actor, dontneed, migrate, peek, read};
    use crate::scenario::{Engine, Scenario, Verdict, check};

    fn verdict(scenario: &'static Scenario) -> Verdict {
        check(scenario, Engine::Interleaver { search: Search::Everything }, &Watch::default()).verdict
    }

    #[test]
    fn a_fault_meets_a_page_that_moves_below_a_table() {
        static SCENARIO: Scenario = Scenario {
            actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "R", ops: &[peek(1, 0), read(0, 0)] }],
            outcomes: &[
                "M moved; R got EFAULT, read 9; page 0 is M's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
                "M moved; R read 0, read 9; page 0 is M's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
            ],
            ..MOVED
        };
        assert_eq!(verdict(&SCENARIO), Verdict::Holds);
    }

    #[test]
    fn a_page_that_is_moved_while_its_neighbour_is_discarded_is_split_once() {
        static SCENARIO: Scenario = Scenario {
            actors: &[Actor { name: "M", ops: &[migrate(0)] }, Actor { name: "S", ops: &[dontneed(1, 1)] }],
            outcomes: &[
                "M kept; S discarded; page 0 is setup's; +1 -2 pages; +0 -0 tables",
                "M moved; S discarded; page 0 is M's; +1 -2 pages; +0 -0 tables",
            ],
            ..MOVED
        };
        assert_eq!(verdict(&SCENARIO), Verdict::Holds);
    }
}
