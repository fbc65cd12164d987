//! An empty PMD entry, where a fault decides between a huge page and a table, against everything that fills or empties
//! it meanwhile: another fault, a collapse, the discard of a huge page.
//!
//! Linux 4.4 decides by several looks at the entry. `huge-small-dontneed-4.4` is the bug of 4.4.0, which 4.5 mended
//! (C02): without the last look (M9) an entry that a discard has emptied is taken for a table.

use crate::mm::{Generation, VmFlags};

use super::definition::{
    Actor, LoomReach, READ_WRITE, Scenario, ShapeName, VmaSpec, age, collapse, dontneed, madvise_collapse, read,
    stock_huge, write,
};

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

/// Four pages, which two entries can map: where one is written, the other is empty in a VMA that is prepared.
const TWO_HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 4, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "pmd-none-thp",
        claim,
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[],
        actors: &[],
        outcomes: &[],
        loom: LoomReach::Outcomes { preemptions: 1 },
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "huge-small",
        family: "pmd-none-thp",
        claim: "a fault that finds a huge page and one that finds none agree on a huge entry or on a table",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; page 1 is B's; +2 -0 pages; +1 -0 tables",
            "A wrote; B wrote; page 0 is A's; page 1 is B's; +2 -0 pages; +2 -1 tables; +1 -1 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; +1 -1 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; +1 -1 pages; +2 -1 tables; +1 -0 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-huge",
        family: "pmd-none-thp",
        claim: "two write faults on one empty PMD entry install one huge page and one deposit",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(0, 1), stock_huge(1, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +2 -1 tables; +2 -1 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +2 -1 tables; +2 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-zero",
        family: "pmd-none-thp",
        claim: "a huge read and a small write of the same memory: the huge zero page gives way",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &[Actor { name: "R", ops: &[read(1, 0)] }, Actor { name: "A", ops: &[write(0, 0, 1)] }],
        outcomes: &[
            "R read 0; A wrote; page 0 is A's; page 1 is zero; +1 -0 pages; +1 -0 tables",
            "R read 0; A wrote; page 0 is A's; page 1 is zero; +1 -0 pages; +1 -0 tables; +1 -0 huge",
            "R read 0; A wrote; page 0 is A's; page 1 is zero; +1 -0 pages; +2 -1 tables; +1 -0 huge",
            "R read 0; A wrote; page 0 is A's; page 1 is zero; +2 -1 pages; +1 -0 tables; +1 -0 huge",
            "R read 0; A wrote; page 0 is A's; page 1 is zero; +2 -1 pages; +2 -1 tables; +1 -0 huge",
            "R read 0; A wrote; page 0 is A's; page 1 is zero; +2 -1 pages; +3 -2 tables; +1 -0 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-zero-zero",
        family: "pmd-none-thp",
        claim: "two huge reads share one huge zero page, and the one who allocates in vain frees his own",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(0, 1), stock_huge(1, 1)],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "S", ops: &[read(1, 0)] }],
        outcomes: &[
            "R read 0; S read 0; page 0 is huge, zero; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "R read 0; S read 0; page 0 is huge, zero; +0 -0 pages; +2 -1 tables; +1 -0 huge",
            "R read 0; S read 0; page 0 is huge, zero; +0 -0 pages; +2 -1 tables; +2 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-zero-write",
        family: "pmd-none-thp",
        claim: "a huge read and a huge write of the same memory: nobody sees anything but zeros or what was written",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(0, 1), stock_huge(1, 1)],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "R read 0; B wrote; page 0 is huge, B's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "R read 0; B wrote; page 0 is huge, B's; +0 -0 pages; +2 -1 tables; +2 -0 huge",
            "R read 0; B wrote; page 0 is zero; page 1 is B's; +1 -0 pages; +1 -0 tables; +1 -0 huge",
            "R read 0; B wrote; page 0 is zero; page 1 is B's; +1 -0 pages; +2 -1 tables; +1 -0 huge",
            "R read 0; B wrote; page 0 is zero; page 1 is B's; +1 -0 pages; +2 -1 tables; +2 -1 huge",
            "R read 0; B wrote; page 0 is zero; page 1 is B's; +1 -0 pages; +3 -2 tables; +2 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-small-dontneed",
        family: "pmd-none-thp",
        claim: "a fault that finds no huge page while another huge page is discarded never takes one for a table",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), age(0)],
        actors: &[Actor { name: "W", ops: &[write(1, 0, 2)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "W wrote; D discarded; +0 -0 pages; +0 -1 tables; +0 -1 huge",
            "W wrote; D discarded; page 1 is W's; +1 -0 pages; +1 -1 tables; +0 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-small-huge-dontneed",
        family: "pmd-none-thp",
        claim: "a huge page that appears and disappears under a small fault leaves it a table or nothing",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &[
            Actor { name: "A", ops: &[write(0, 0, 1), dontneed(0, 2)] },
            Actor { name: "B", ops: &[write(1, 0, 2)] },
        ],
        outcomes: &[
            "A wrote, discarded; B wrote; +0 -0 pages; +1 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; +1 -1 pages; +1 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; +1 -1 pages; +2 -2 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; +2 -2 pages; +1 -0 tables",
            "A wrote, discarded; B wrote; +2 -2 pages; +2 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +1 -0 pages; +2 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +2 -1 pages; +1 -0 tables",
            "A wrote, discarded; B wrote; page 1 is B's; +2 -1 pages; +2 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +2 -1 pages; +3 -2 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +3 -2 pages; +1 -0 tables",
            "A wrote, discarded; B wrote; page 1 is B's; +3 -2 pages; +2 -1 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "huge-small-4.4",
        family: "pmd-none-thp",
        claim: "a fault that finds a huge page and one that finds none agree on a huge entry or on a table",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is A's; page 1 is B's; +2 -0 pages; +1 -0 tables",
            "A wrote; B wrote; page 0 is A's; page 1 is B's; +2 -0 pages; +2 -1 tables; +1 -1 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +2 -1 tables; +1 -0 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-huge-4.4",
        family: "pmd-none-thp",
        claim: "two write faults on one empty PMD entry install one huge page and one deposit",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(0, 1), stock_huge(1, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +2 -1 tables; +2 -1 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +2 -1 tables; +2 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        name: "huge-zero-write-4.4",
        family: "pmd-none-thp",
        claim: "a huge read and a huge write: the zero page is replaced by a huge page as a whole",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(0, 1), stock_huge(1, 1)],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "R read 0; B wrote; page 0 is huge, B's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "R read 0; B wrote; page 0 is huge, B's; +0 -0 pages; +1 -0 tables; +2 -0 huge",
            "R read 0; B wrote; page 0 is huge, B's; +0 -0 pages; +2 -1 tables; +2 -0 huge",
            "R read 0; B wrote; page 0 is huge, B's; +0 -0 pages; +2 -1 tables; +3 -1 huge",
            "R read 0; B wrote; page 0 is huge, B's; +0 -0 pages; +3 -2 tables; +3 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 1 },
    },
    Scenario {
        actors: &[
            Actor { name: "A", ops: &[write(0, 0, 1), dontneed(0, 2)] },
            Actor { name: "B", ops: &[write(1, 0, 2)] },
        ],
        setup: &[stock_huge(0, 1)],
        generation: Generation::G2,
        outcomes: &[
            "A wrote, discarded; B wrote; +0 -0 pages; +1 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; +0 -0 pages; +2 -2 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; +2 -2 pages; +1 -0 tables",
            "A wrote, discarded; B wrote; +2 -2 pages; +2 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +1 -0 pages; +2 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +1 -0 pages; +3 -2 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +2 -1 pages; +1 -0 tables",
            "A wrote, discarded; B wrote; page 1 is B's; +2 -1 pages; +2 -1 tables; +1 -1 huge",
            "A wrote, discarded; B wrote; page 1 is B's; +3 -2 pages; +1 -0 tables",
            "A wrote, discarded; B wrote; page 1 is B's; +3 -2 pages; +2 -1 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario(
            "huge-small-dontneed-4.4",
            "4.4: a huge page that appears and is discarded leaves an entry that nobody takes for a table",
        )
    },
    Scenario {
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        setup: &[stock_huge(0, 1)],
        outcomes: &[
            "A wrote; D discarded; +0 -0 pages; +1 -1 tables; +1 -1 huge",
            "A wrote; D discarded; page 0 is A's; +1 -0 pages; +2 -1 tables; +1 -1 huge",
            "A wrote; D discarded; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
        ],
        ..scenario("pmd-none-huge-dontneed", "a huge page that appears while the range is discarded is there, or gone")
    },
    Scenario {
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        setup: &[stock_huge(0, 1)],
        generation: Generation::G2,
        outcomes: &[
            "A wrote; D discarded; +0 -0 pages; +1 -1 tables; +1 -1 huge",
            "A wrote; D discarded; page 0 is A's; +1 -0 pages; +2 -1 tables; +1 -1 huge",
            "A wrote; D discarded; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
        ],
        ..scenario(
            "pmd-none-huge-dontneed-4.4",
            "4.4: a huge page that appears while the range is discarded is there, or gone",
        )
    },
    Scenario {
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "K", ops: &[madvise_collapse(0)] }],
        vmas: TWO_HUGE,
        setup: &[stock_huge(1, 1), write(2, 0, 7)],
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; page 2 is setup's; +1 -1 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 2 is setup's; +1 -0 pages; +1 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_RO); page 0 is A's; page 2 is setup's; +1 -0 pages; +1 -0 tables",
            "A wrote; K gave up (SCAN_PMD_NONE); page 0 is A's; page 2 is setup's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario(
            "pmd-none-small-collapse",
            "a fault that links a table is collapsed once it has a page, and not before",
        )
    },
    Scenario {
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "K", ops: &[madvise_collapse(0)] }],
        vmas: TWO_HUGE,
        setup: &[stock_huge(0, 1), stock_huge(1, 1), write(2, 0, 7)],
        outcomes: &[
            "A wrote; K gave up (SCAN_PMD_MAPPED); page 0 is huge, A's; page 2 is setup's; +0 -0 pages; +1 -0 \
             tables; +1 -0 huge",
            "A wrote; K gave up (SCAN_PMD_NONE); page 0 is huge, A's; page 2 is setup's; +0 -0 pages; +1 -0 tables; \
             +1 -0 huge",
        ],
        ..scenario(
            "pmd-none-huge-collapse",
            "a collapse finds nothing where a huge page is about to be, or that it is there",
        )
    },
    Scenario {
        actors: &[
            Actor { name: "A", ops: &[write(0, 0, 1)] },
            Actor { name: "K", ops: &[madvise_collapse(0), dontneed(0, 2)] },
        ],
        vmas: TWO_HUGE,
        setup: &[stock_huge(1, 1), write(2, 0, 7), write(1, 0, 8)],
        outcomes: &[
            "A wrote; K collapsed, discarded; page 0 is A's; page 2 is setup's; +1 -1 pages; +1 -1 tables; +1 -1 huge",
            "A wrote; K collapsed, discarded; page 0 is A's; page 2 is setup's; +2 -2 pages; +1 -1 tables; +1 -1 huge",
            "A wrote; K collapsed, discarded; page 2 is setup's; +0 -1 pages; +0 -1 tables; +1 -1 huge",
            "A wrote; K collapsed, discarded; page 2 is setup's; +1 -2 pages; +0 -1 tables; +1 -1 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 0 is A's; page 2 is setup's; +2 -2 pages; +0 -0 \
             tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 0 is A's; page 2 is setup's; +2 -2 pages; +0 -0 \
             tables; +1 -1 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 2 is setup's; +1 -2 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 2 is setup's; +1 -2 pages; +0 -0 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario(
            "pmd-none-collapse-zap",
            "a table that becomes a huge page, which is discarded, under a fault: none is taken for another",
        )
    },
    Scenario {
        actors: &[
            Actor { name: "A", ops: &[write(0, 0, 1)] },
            Actor { name: "K", ops: &[collapse(0), dontneed(0, 2)] },
        ],
        vmas: TWO_HUGE,
        setup: &[stock_huge(1, 1), write(2, 0, 7), write(1, 0, 8)],
        generation: Generation::G2,
        outcomes: &[
            "A wrote; K collapsed, discarded; page 0 is A's; page 2 is setup's; +1 -1 pages; +1 -1 tables; +1 -1 huge",
            "A wrote; K collapsed, discarded; page 0 is A's; page 2 is setup's; +2 -2 pages; +1 -1 tables; +1 -1 huge",
            "A wrote; K collapsed, discarded; page 2 is setup's; +0 -1 pages; +0 -1 tables; +1 -1 huge",
            "A wrote; K collapsed, discarded; page 2 is setup's; +1 -2 pages; +0 -1 tables; +1 -1 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 0 is A's; page 2 is setup's; +2 -2 pages; +0 -0 \
             tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 0 is A's; page 2 is setup's; +2 -2 pages; +0 -0 \
             tables; +1 -1 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 2 is setup's; +1 -2 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT), discarded; page 2 is setup's; +1 -2 pages; +0 -0 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario(
            "pmd-none-collapse-zap-4.4",
            "4.4: a table that becomes a huge page, which is discarded, under a fault",
        )
    },
];
