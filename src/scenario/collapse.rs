//! khugepaged, and `MADV_COLLAPSE`, against every kind of fault, and against those who share their locks.
//!
//! A fault is before the collapse or after it, and whoever has a page for himself makes it give up. Each scenario
//! begins with small pages: nobody but the collapser has a huge one.

use crate::mm::{Generation, HugeAdvice, Protection, VmFlags};

use super::definition::{
    Actor, LoomReach, Op, READ_WRITE, Scenario, ShapeName, VmaSpec, advise_huge, collapse, dontneed, in_child,
    madvise_collapse, mark_numa, migrate, mprotect, munmap, peek, read, stock_huge, write,
};

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

/// A stack of two such pages, with room below.
const STACK: &[VmaSpec] =
    &[VmaSpec { page: 2, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE.union(VmFlags::GROWSDOWN) }];

/// Both pages are written, and the second actor has a huge page.
const WRITTEN: &[Op] = &[stock_huge(1, 1), write(0, 0, 9), write(1, 0, 8)];

/// One page is shared with a child, the other is the parent's own.
const SHARED: &[Op] = &[stock_huge(1, 1), write(0, 0, 9), Op::Fork, write(1, 0, 8)];

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "collapse",
        claim,
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGE,
        setup: WRITTEN,
        actors: &[],
        outcomes: &[],
        loom: LoomReach::Outcomes { preemptions: 1 },
    }
}

const COLLAPSE: &[Op] = &[collapse(0)];

/// Someone else, and khugepaged.
const fn against(ops: &'static [Op]) -> [Actor; 2] {
    [Actor { name: "A", ops }, Actor { name: "K", ops: COLLAPSE }]
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        actors: &against(&[write(0, 1, 1), peek(0, 1)]),
        outcomes: &[
            "A wrote, got EFAULT; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A wrote, read 1; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
        ],
        ..scenario("collapse-write", "a store that is under way while its page is copied is in the huge page, too")
    },
    Scenario {
        setup: &[stock_huge(1, 1), write(0, 0, 9)],
        actors: &against(&[write(1, 0, 2)]),
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; +0 -1 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K collapsed; page 0 is huge, K's; +1 -2 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables; +1 \
             -1 huge",
        ],
        ..scenario("collapse-anon-write", "a first write enters a small page that is collapsed, or finds the huge one")
    },
    Scenario {
        setup: &[stock_huge(1, 1), write(0, 0, 9)],
        actors: &against(&[read(1, 0)]),
        outcomes: &["A read 0; K collapsed; page 0 is huge, K's; +0 -1 pages; +0 -0 tables; +1 -0 huge"],
        ..scenario("collapse-anon-read", "a first read finds a zero page that is collapsed, or zeros in the huge one")
    },
    Scenario {
        setup: &[stock_huge(1, 1), write(0, 0, 9), read(1, 0)],
        actors: &against(&[write(1, 0, 2)]),
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; +0 -1 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K collapsed; page 0 is huge, K's; +1 -2 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables; +1 \
             -1 huge",
        ],
        ..scenario(
            "collapse-zero-page",
            "a write replaces the zero page before it is collapsed, or goes to the huge page",
        )
    },
    Scenario {
        setup: SHARED,
        actors: &against(&[write(0, 1, 1)]),
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; child's page 0 is setup's; +0 -1 pages; +0 -0 tables; +1 -0 \
             huge",
            "A wrote; K collapsed; page 0 is huge, K's; child's page 0 is setup's; +1 -2 pages; +0 -0 tables; +1 -0 \
             huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; child's page 0 is setup's; +1 \
             -0 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; child's page 0 is setup's; +1 \
             -0 pages; +0 -0 tables; +1 -1 huge",
        ],
        ..scenario(
            "collapse-cow",
            "a shared page is copied by a write, or by the collapse; the child keeps what it had",
        )
    },
    Scenario {
        setup: SHARED,
        actors: &against(&[in_child(&write(0, 1, 2))]),
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; child's page 0 is A's; +1 -2 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K collapsed; page 0 is huge, K's; child's page 0 is setup's; +0 -1 pages; +0 -0 tables; +1 -0 \
             huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; child's page 0 is A's; +1 \
             -0 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; child's page 0 is A's; +1 \
             -0 pages; +0 -0 tables; +1 -1 huge",
        ],
        ..scenario("collapse-cow-child", "a page that the child is copying is locked or referred to, and stays small")
    },
    Scenario {
        setup: &[stock_huge(1, 1), write(0, 0, 9), write(1, 0, 8), mark_numa(0)],
        actors: &against(&[read(0, 0)]),
        outcomes: &[
            "A read 9; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A read 9; K collapsed; page 0 is huge, K's; +1 -3 pages; +0 -0 tables; +1 -0 huge",
            "A read 9; K gave up (SCAN_EXCEED_SWAP_PTE); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
            "A read 9; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
            "A read 9; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables; +1 \
             -1 huge",
            "A read 9; K gave up (SCAN_PAGE_LOCK); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
        ],
        ..scenario("collapse-numa", "a marked page gets its rights back by a fault, or in a huge page")
    },
    Scenario {
        actors: &against(&[mark_numa(0)]),
        outcomes: &["A marked; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge"],
        ..scenario("collapse-numa-scan", "the scanner marks a small page or the huge one")
    },
    Scenario {
        actors: &against(&[migrate(0)]),
        outcomes: &[
            "A kept; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A moved; K collapsed; page 0 is huge, K's; +1 -3 pages; +0 -0 tables; +1 -0 huge",
            "A moved; K gave up (SCAN_EXCEED_SWAP_PTE); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
            "A moved; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
            "A moved; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables; +1 \
             -1 huge",
            "A moved; K gave up (SCAN_PAGE_LOCK); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
        ],
        ..scenario("collapse-migrate", "khugepaged leaves a page that is on the move alone")
    },
    Scenario {
        actors: &[Actor { name: "A", ops: &[migrate(0)] }, Actor { name: "K", ops: &[madvise_collapse(0)] }],
        outcomes: &[
            "A kept; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A moved; K collapsed; page 0 is huge, K's; +1 -3 pages; +0 -0 tables; +1 -0 huge",
            "A moved; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
            "A moved; K gave up (SCAN_PAGE_COUNT); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables; +1 \
             -1 huge",
            "A moved; K gave up (SCAN_PAGE_LOCK); page 0 is A's; page 1 is setup's; +1 -1 pages; +0 -0 tables",
        ],
        ..scenario("collapse-migrate-wait", "MADV_COLLAPSE waits for a page that is on the move, or gives up")
    },
    Scenario {
        actors: &[Actor { name: "A", ops: &[read(0, 0)] }, Actor { name: "K", ops: &[migrate(0), collapse(0)] }],
        outcomes: &["A read 9; K moved, collapsed; page 0 is huge, K's; +1 -3 pages; +0 -0 tables; +1 -0 huge"],
        ..scenario("collapse-migrate-read", "a read that waits for a page on the move finds it there, or in a huge one")
    },
    Scenario {
        actors: &against(&[dontneed(0, 1), read(0, 0)]),
        outcomes: &[
            "A discarded, read 0; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A discarded, read 0; K collapsed; page 0 is zero; page 1 is K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
        ],
        ..scenario(
            "collapse-dontneed",
            "a page that is discarded is gone, from the table or from the huge page, which is split",
        )
    },
    Scenario {
        actors: &against(&[dontneed(0, 2), read(1, 0)]),
        outcomes: &[
            "A discarded, read 0; K collapsed; page 0 is huge, zero; +0 -2 pages; +1 -1 tables; +2 -1 huge",
            "A discarded, read 0; K gave up (SCAN_EXCEED_NONE_PTE); page 1 is zero; +0 -2 pages; +0 -0 tables",
            "A discarded, read 0; K gave up (SCAN_EXCEED_NONE_PTE); page 1 is zero; +0 -2 pages; +0 -0 tables; +1 \
             -1 huge",
        ],
        ..scenario("collapse-dontneed-all", "a discard of all pages leaves nothing that a collapse brings back")
    },
    Scenario {
        actors: &against(&[munmap(0, 2)]),
        outcomes: &[
            "A unmapped; K collapsed; +0 -2 pages; +0 -1 tables; +1 -1 huge",
            "A unmapped; K gave up (SCAN_VMA_NULL); +0 -2 pages; +0 -1 tables",
            "A unmapped; K gave up (SCAN_VMA_NULL); +0 -2 pages; +0 -1 tables; +1 -1 huge",
        ],
        ..scenario("collapse-munmap", "a range that is unmapped between two looks is not collapsed; nothing leaks")
    },
    Scenario {
        actors: &against(&[munmap(1, 1), read(0, 0)]),
        outcomes: &[
            "A unmapped, read 9; K collapsed; page 0 is K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A unmapped, read 9; K gave up (SCAN_ADDRESS_RANGE); page 0 is setup's; +0 -1 pages; +0 -0 tables",
            "A unmapped, read 9; K gave up (SCAN_ADDRESS_RANGE); page 0 is setup's; +0 -1 pages; +0 -0 tables; +1 \
             -1 huge",
        ],
        ..scenario(
            "collapse-munmap-cut",
            "a range that is cut between two looks is not collapsed, and a huge page is split",
        )
    },
    Scenario {
        actors: &against(&[mprotect(0, 2, Protection::READ), write(0, 0, 1)]),
        outcomes: &[
            "A protected, got ACCERR; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A protected, got ACCERR; K gave up (SCAN_PAGE_RO); page 0 is setup's; page 1 is setup's; +0 -0 pages; \
             +0 -0 tables",
            "A protected, got ACCERR; K gave up (SCAN_PAGE_RO); page 0 is setup's; page 1 is setup's; +0 -0 pages; \
             +0 -0 tables; +1 -1 huge",
        ],
        ..scenario(
            "collapse-mprotect",
            "pages that may only be read stay small, and a huge page takes the rights it finds",
        )
    },
    Scenario {
        actors: &against(&[advise_huge(0, 2, HugeAdvice::Unwanted)]),
        outcomes: &[
            "A advised; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A advised; K gave up (SCAN_VMA_CHECK); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 tables",
            "A advised; K gave up (SCAN_VMA_CHECK); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 \
             tables; +1 -1 huge",
        ],
        ..scenario(
            "collapse-nohuge",
            "advice against huge pages comes in time, or too late for a page that is huge then",
        )
    },
    Scenario {
        actors: &against(&[Op::Fork, in_child(&write(0, 1, 2))]),
        outcomes: &[
            "A forked, wrote; K collapsed; page 0 is huge, K's; child's page 0 is A's; child's page 1 is K's; +1 -2 \
             pages; +1 -0 tables; +1 -0 huge",
            "A forked, wrote; K gave up (SCAN_EXCEED_SHARED_PTE); page 0 is setup's; page 1 is setup's; child's \
             page 0 is A's; child's page 1 is setup's; +1 -0 pages; +1 -0 tables",
            "A forked, wrote; K gave up (SCAN_EXCEED_SHARED_PTE); page 0 is setup's; page 1 is setup's; child's \
             page 0 is A's; child's page 1 is setup's; +1 -0 pages; +1 -0 tables; +1 -1 huge",
            "A forked, wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; child's page 0 is \
             A's; child's page 1 is setup's; +1 -0 pages; +1 -0 tables",
            "A forked, wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; child's page 0 is \
             A's; child's page 1 is setup's; +1 -0 pages; +1 -0 tables; +1 -1 huge",
            "A forked, wrote; K gave up (SCAN_PAGE_RO); page 0 is setup's; page 1 is setup's; child's page 0 is \
             A's; child's page 1 is setup's; +1 -0 pages; +1 -0 tables",
            "A forked, wrote; K gave up (SCAN_PAGE_RO); page 0 is setup's; page 1 is setup's; child's page 0 is \
             A's; child's page 1 is setup's; +1 -0 pages; +1 -0 tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario(
            "collapse-fork",
            "a child shares small pages, which stay, or the huge one, which is split by its write",
        )
    },
    Scenario {
        setup: &[stock_huge(0, 1), stock_huge(1, 1), write(0, 0, 9), write(1, 0, 8)],
        actors: &[Actor { name: "J", ops: &[madvise_collapse(0)] }, Actor { name: "K", ops: &[collapse(0)] }],
        outcomes: &[
            "J collapsed; K gave up (SCAN_PMD_MAPPED); page 0 is huge, J's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "J collapsed; K gave up (SCAN_PMD_MAPPED); page 0 is huge, J's; +0 -2 pages; +0 -0 tables; +2 -1 huge",
            "J gave up (SCAN_PMD_MAPPED); K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "J gave up (SCAN_PMD_MAPPED); K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +2 -1 huge",
        ],
        ..scenario(
            "collapse-collapse",
            "two collapses of one range: one makes it huge, and the other finds that out in time",
        )
    },
    Scenario {
        setup: &[write(0, 0, 9), dontneed(0, 2), stock_huge(0, 1), stock_huge(1, 1)],
        actors: &[Actor { name: "A", ops: &[write(0, 1, 1)] }, Actor { name: "K", ops: &[madvise_collapse(0)] }],
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; +1 -1 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is A's; +1 -0 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_RO); page 0 is A's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario("collapse-empty", "a table that maps nothing stays, whoever writes first")
    },
    Scenario {
        setup: &[stock_huge(0, 1), stock_huge(1, 1), stock_huge(2, 1), write(0, 0, 9), dontneed(0, 2)],
        actors: &against(&[write(0, 1, 1)]),
        outcomes: &[
            "A wrote; K gave up (SCAN_PMD_MAPPED); page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; K gave up (SCAN_PMD_NONE); page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
        ],
        ..scenario("collapse-huge", "a fault that makes a huge page, where nothing is, leaves nothing to collapse")
    },
    Scenario {
        setup: &[stock_huge(1, 1), stock_huge(2, 1), write(0, 0, 9), write(1, 0, 8), dontneed(1, 1)],
        actors: &against(&[write(1, 1, 2)]),
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
            "A wrote; K collapsed; page 0 is huge, K's; +1 -1 pages; +0 -0 tables; +1 -1 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables; +1 \
             -1 huge",
        ],
        ..scenario("collapse-again", "what is left of a huge page that was split is collapsed into another one")
    },
    Scenario {
        vmas: STACK,
        setup: &[stock_huge(1, 1), write(2, 0, 9), write(3, 0, 8)],
        actors: &[Actor { name: "A", ops: &[write(1, 0, 1)] }, Actor { name: "K", ops: &[collapse(2)] }],
        outcomes: &["A wrote; K collapsed; page 1 is A's; page 2 is huge, K's; +1 -2 pages; +1 -0 tables; +1 -0 huge"],
        ..scenario("collapse-stack", "a stack grows by small pages while those above become a huge one")
    },
    Scenario {
        setup: &[stock_huge(2, 1), write(0, 0, 9)],
        actors: &[
            Actor { name: "A", ops: &[write(0, 1, 1)] },
            Actor { name: "B", ops: &[write(1, 0, 2)] },
            Actor { name: "K", ops: &[collapse(0)] },
        ],
        outcomes: &[
            "A wrote; B wrote; K collapsed; page 0 is huge, K's; +0 -1 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; B wrote; K collapsed; page 0 is huge, K's; +1 -2 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; B wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is B's; +1 -0 pages; +0 -0 \
             tables",
            "A wrote; B wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is B's; +1 -0 pages; +0 -0 \
             tables; +1 -1 huge",
        ],
        ..scenario(
            "collapse-two-writers",
            "neither of two stores is lost, to a page that is there and to one that is not",
        )
    },
    Scenario {
        generation: Generation::G2,
        actors: &against(&[write(0, 1, 1), peek(0, 1)]),
        outcomes: &[
            "A wrote, got EFAULT; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "A wrote, read 1; K collapsed; page 0 is huge, K's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
        ],
        ..scenario(
            "collapse-write-4.4",
            "4.4: a store that is under way while its page is copied is in the huge page, too",
        )
    },
    Scenario {
        generation: Generation::G2,
        setup: &[stock_huge(1, 1), write(0, 0, 9)],
        actors: &against(&[write(1, 0, 2)]),
        outcomes: &[
            "A wrote; K collapsed; page 0 is huge, K's; +0 -1 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K collapsed; page 0 is huge, K's; +1 -2 pages; +0 -0 tables; +1 -0 huge",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables",
            "A wrote; K gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is A's; +1 -0 pages; +0 -0 tables; +1 \
             -1 huge",
        ],
        ..scenario(
            "collapse-anon-write-4.4",
            "4.4: a first write enters a small page that is collapsed, or finds the huge one",
        )
    },
    Scenario {
        generation: Generation::G2,
        actors: &against(&[munmap(0, 2)]),
        outcomes: &[
            "A unmapped; K collapsed; +0 -2 pages; +0 -1 tables; +1 -1 huge",
            "A unmapped; K gave up (SCAN_VMA_NULL); +0 -2 pages; +0 -1 tables",
            "A unmapped; K gave up (SCAN_VMA_NULL); +0 -2 pages; +0 -1 tables; +1 -1 huge",
        ],
        ..scenario(
            "collapse-munmap-4.4",
            "4.4: a range that is unmapped after the scan is not collapsed; nothing leaks",
        )
    },
];
