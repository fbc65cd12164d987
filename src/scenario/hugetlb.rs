//! Huge pages of the pool: faults on one page, copy on write, discards.

use crate::mm::{Behaviour, FaultOp, Generation, HugeFolios, MapPages, PageMkwrite, Reads, VmFlags};
use crate::oracle::Sharing;

use super::definition::{
    Actor, FileSpec, LoomReach, Op, READ_WRITE, Scenario, ShapeName, VmaSpec, dontneed, in_child, map_file, mark_numa,
    munmap, read, stock_hugetlb, write,
};

/// Two pages, which one entry maps, from the pool.
const HUGETLB: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGETLB }];

/// Four pages, which two entries map.
const TWO_HUGETLB: &[VmaSpec] = &[VmaSpec { page: 0, pages: 4, protection: READ_WRITE, flags: VmFlags::HUGETLB }];

/// The same as the first, and nothing is reserved.
const NORESERVE: &[VmaSpec] =
    &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGETLB.union(VmFlags::NORESERVE) }];

/// A file of hugetlbfs of one huge page.
const FILE: FileSpec = FileSpec {
    name: "hugetlbfs",
    pages: 1,
    most_pages: 1,
    behaviour: Behaviour {
        fault: FaultOp::Hugetlb,
        map_pages: MapPages::None,
        page_mkwrite: PageMkwrite::None,
        reads: Reads::AtOnce,
        readahead_pages: 0,
        huge: HugeFolios::Never,
    },
};

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "hugetlb",
        claim,
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: HUGETLB,
        setup: &[],
        actors: &[],
        outcomes: &[],
        loom: LoomReach::Outcomes { preemptions: 1 },
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        setup: &[stock_hugetlb(1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-two-faults", "two faults on one huge page take one folio: the last of the pool is enough")
    },
    Scenario {
        vmas: TWO_HUGETLB,
        setup: &[stock_hugetlb(2)],
        actors: &[
            Actor { name: "A", ops: &[write(1, 0, 1)] },
            Actor { name: "B", ops: &[write(2, 0, 2), write(0, 0, 3)] },
        ],
        outcomes: &[
            "A wrote; B wrote, wrote; page 0 is huge, A's; page 2 is huge, B's; +0 -0 pages; +0 -0 tables; \
             +2 -0 hugetlb",
            "A wrote; B wrote, wrote; page 0 is huge, B's; page 2 is huge, B's; +0 -0 pages; +0 -0 tables; \
             +2 -0 hugetlb",
        ],
        ..scenario("hugetlb-two-pages", "faults on the two huge pages of a mapping, and on the first again")
    },
    Scenario {
        setup: &[stock_hugetlb(1), write(0, 0, 9)],
        actors: &[Actor { name: "S", ops: &[mark_numa(0)] }, Actor { name: "R", ops: &[read(0, 0)] }],
        outcomes: &["S marked; R read 9; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables"],
        ..scenario("hugetlb-numa", "the NUMA scanner leaves huge pages of the pool alone, so both orders look the same")
    },
    Scenario {
        generation: Generation::G2,
        setup: &[stock_hugetlb(1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-two-faults-4.4", "the same in Linux 4.4, where both hold the mmap semaphore")
    },
    Scenario {
        vmas: NORESERVE,
        setup: &[stock_hugetlb(1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &[
            "A wrote; B wrote; page 0 is huge, A's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "A wrote; B wrote; page 0 is huge, B's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-last-folio", "of two faults that have reserved nothing none is told that the pool is empty")
    },
    Scenario {
        setup: &[stock_hugetlb(1)],
        actors: &[Actor { name: "R", ops: &[read(0, 0)] }, Actor { name: "W", ops: &[write(0, 0, 1)] }],
        outcomes: &[
            "R read 0; W wrote; page 0 is huge, R's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "R read 0; W wrote; page 0 is huge, W's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "R read 1; W wrote; page 0 is huge, R's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "R read 1; W wrote; page 0 is huge, W's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-read-write", "a read maps a folio that the write of another keeps: zero or the new value")
    },
    Scenario {
        vmas: NORESERVE,
        setup: &[stock_hugetlb(0)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[write(1, 0, 2)] }],
        outcomes: &["A got SIGBUS; B got SIGBUS; +0 -0 pages; +0 -0 tables"],
        ..scenario("hugetlb-pool-empty", "where nothing is reserved and the pool is empty, everybody gets SIGBUS")
    },
    Scenario {
        setup: &[stock_hugetlb(1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "A got MAPERR; U unmapped; +0 -0 pages; +0 -0 tables",
            "A got MAPERR; U unmapped; +0 -0 pages; +0 -0 tables; +1 -1 hugetlb",
            "A wrote; U unmapped; +0 -0 pages; +0 -0 tables; +1 -1 hugetlb",
        ],
        ..scenario("hugetlb-munmap", "a fault completes before munmap takes the folio back, or gets SEGV_MAPERR")
    },
    Scenario {
        setup: &[stock_hugetlb(1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "A wrote; D discarded; +0 -0 pages; +0 -0 tables; +1 -1 hugetlb",
            "A wrote; D discarded; page 0 is huge, A's; +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "A wrote; D discarded; page 0 is huge, A's; +0 -0 pages; +0 -0 tables; +2 -1 hugetlb",
        ],
        ..scenario("hugetlb-dontneed", "a discard waits for a fault that holds the VMA's lock, and the other way round")
    },
    Scenario {
        shape: ShapeName::FourLevels,
        setup: &[stock_hugetlb(1)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "A wrote; D discarded; +0 -0 pages; +2 -0 tables; +1 -1 hugetlb",
            "A wrote; D discarded; page 0 is huge, A's; +0 -0 pages; +2 -0 tables; +1 -0 hugetlb",
            "A wrote; D discarded; page 0 is huge, A's; +0 -0 pages; +2 -0 tables; +2 -1 hugetlb",
        ],
        ..scenario("hugetlb-walk-dontneed", "a discard walks tables that a fault has just linked")
    },
    Scenario {
        vmas: NORESERVE,
        setup: &[stock_hugetlb(1), read(0, 0)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "W got SIGBUS; D discarded; +0 -0 pages; +0 -0 tables; +0 -1 hugetlb",
            "W wrote; D discarded; +0 -0 pages; +0 -0 tables; +0 -1 hugetlb",
            "W wrote; D discarded; page 0 is huge, W's; +0 -0 pages; +0 -0 tables; +1 -1 hugetlb",
        ],
        ..scenario("hugetlb-wp-dontneed", "a write whose folio is discarded under it never brings it back")
    },
    Scenario {
        setup: &[stock_hugetlb(2), write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "P", ops: &[write(0, 0, 1)] },
            Actor { name: "C", ops: &[in_child(&write(0, 1, 2)), in_child(&read(0, 0))] },
        ],
        outcomes: &[
            "P wrote; C wrote, read 9; page 0 is huge, P's; child's page 0 is huge, setup's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "P wrote; C wrote, read 9; page 0 is huge, setup's; child's page 0 is huge, C's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-cow", "after a fork the first writer copies, the second keeps the folio")
    },
    Scenario {
        generation: Generation::G2,
        setup: &[stock_hugetlb(2), write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "P", ops: &[write(0, 0, 1)] },
            Actor { name: "C", ops: &[in_child(&write(0, 1, 2)), in_child(&read(0, 0))] },
        ],
        outcomes: &[
            "P wrote; C wrote, read 9; page 0 is huge, P's; child's page 0 is huge, setup's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "P wrote; C wrote, read 9; page 0 is huge, setup's; child's page 0 is huge, C's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-cow-4.4", "the same in Linux 4.4")
    },
    Scenario {
        setup: &[stock_hugetlb(2), write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "P", ops: &[write(0, 0, 1), read(0, 0)] },
            Actor { name: "C", ops: &[in_child(&read(0, 0)), in_child(&read(0, 0))] },
        ],
        outcomes: &["P wrote, read 1; C read 9, read 9; page 0 is huge, P's; child's page 0 is huge, setup's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb"],
        ..scenario("hugetlb-cow-read", "a child that reads while its parent copies sees what was there at the fork")
    },
    Scenario {
        setup: &[stock_hugetlb(2), write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "C", ops: &[in_child(&write(0, 0, 1))] },
            Actor { name: "D", ops: &[in_child(&dontneed(0, 2))] },
        ],
        outcomes: &[
            "C got SIGBUS; D discarded; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables; +1 -1 hugetlb",
            "C wrote; D discarded; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables; +1 -1 hugetlb",
            "C wrote; D discarded; page 0 is huge, setup's; child's page 0 is huge, C's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "C wrote; D discarded; page 0 is huge, setup's; child's page 0 is huge, C's; \
             +0 -0 pages; +0 -0 tables; +2 -1 hugetlb",
        ],
        ..scenario("hugetlb-cow-dontneed", "a copy whose original is discarded meanwhile goes back to the pool")
    },
    Scenario {
        setup: &[stock_hugetlb(1), write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "P", ops: &[write(0, 0, 1)] },
            Actor { name: "C", ops: &[in_child(&read(0, 0)), in_child(&read(0, 0))] },
        ],
        outcomes: &[
            "P wrote; C got SIGBUS, got SIGBUS; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "P wrote; C read 9, got SIGBUS; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "P wrote; C read 9, read 9; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("hugetlb-cow-unmaps", "without a folio for its copy the parent takes the child's page away")
    },
    Scenario {
        setup: &[stock_hugetlb(1), write(0, 0, 9), Op::Fork],
        actors: &[Actor { name: "P", ops: &[write(0, 0, 1)] }, Actor { name: "C", ops: &[in_child(&write(0, 1, 2))] }],
        outcomes: &["P wrote; C got SIGBUS; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables"],
        ..scenario(
            "hugetlb-cow-pool-empty",
            "a child that wants a copy gets SIGBUS while its parent takes the page back",
        )
    },
    Scenario {
        setup: &[stock_hugetlb(2), write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "P", ops: &[write(0, 0, 1)] },
            Actor { name: "R", ops: &[read(0, 0)] },
            Actor { name: "C", ops: &[in_child(&write(0, 0, 2))] },
        ],
        outcomes: &[
            "P wrote; R read 1; C wrote; page 0 is huge, P's; child's page 0 is huge, setup's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "P wrote; R read 1; C wrote; page 0 is huge, setup's; child's page 0 is huge, C's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "P wrote; R read 9; C wrote; page 0 is huge, P's; child's page 0 is huge, setup's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "P wrote; R read 9; C wrote; page 0 is huge, setup's; child's page 0 is huge, C's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-cow-flush", "a reader never sees what the child stores to the folio that was copied")
    },
    Scenario {
        setup: &[stock_hugetlb(1), write(0, 0, 9), Op::Fork],
        actors: &[Actor { name: "P", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 2)] }],
        outcomes: &[
            "P got SIGBUS; D discarded; child's page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "P wrote; D discarded; +0 -0 pages; +0 -0 tables; +0 -1 hugetlb",
            "P wrote; D discarded; page 0 is huge, P's; +0 -0 pages; +0 -0 tables; +1 -1 hugetlb",
        ],
        ..scenario(
            "hugetlb-cow-unmaps-dontneed",
            "a discard while the child's page is taken leaves nothing to write to",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[
            stock_hugetlb(2),
            map_file(0, 2, Sharing::Shared, &FILE),
            map_file(2, 2, Sharing::Private, &FILE),
            write(0, 0, 9),
        ],
        actors: &[Actor { name: "A", ops: &[write(0, 1, 1)] }, Actor { name: "B", ops: &[write(2, 0, 2), read(2, 1)] }],
        outcomes: &[
            "A wrote; B wrote, read 0; page 0 is huge, the file's; page 2 is huge, B's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "A wrote; B wrote, read 1; page 0 is huge, the file's; page 2 is huge, B's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-file-cow", "a private mapping copies the file's folio, and the file keeps its own")
    },
    Scenario {
        vmas: &[],
        setup: &[stock_hugetlb(1), map_file(0, 2, Sharing::Shared, &FILE), map_file(2, 2, Sharing::Shared, &FILE)],
        actors: &[Actor { name: "A", ops: &[write(0, 0, 1)] }, Actor { name: "B", ops: &[read(2, 0), write(2, 1, 2)] }],
        outcomes: &[
            "A wrote; B read 0, wrote; page 0 is huge, the file's; page 2 is huge, the file's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
            "A wrote; B read 1, wrote; page 0 is huge, the file's; page 2 is huge, the file's; \
             +0 -0 pages; +0 -0 tables; +1 -0 hugetlb",
        ],
        ..scenario("hugetlb-shared", "two mappings of one file share the folio that the first fault adds to the cache")
    },
];

/// Not in the library, because it does not hold: a rule of Linux's. The folio is kept when one entry maps it, and a
/// discard uncounts its entry before the other CPUs have forgotten it: a load of the child that is under way then reads
/// what the parent stored.
#[cfg(test)]
const STALE: Scenario = Scenario {
    setup: &[stock_hugetlb(2), write(0, 0, 9), Op::Fork],
    actors: &[
        Actor { name: "P", ops: &[write(0, 0, 1)] },
        Actor { name: "D", ops: &[in_child(&dontneed(0, 2))] },
        Actor { name: "R", ops: &[in_child(&read(0, 0))] },
    ],
    ..scenario("hugetlb-reuse-stale", "a child never sees what its parent stores after the fork")
};

/// Not in the library, because it does not hold: a bug that Linux 6.16 mended. A parent whose copy finds the pool empty
/// gives the mutex up to take the page from its child, and keeps the lock of the folio that the file has for the page.
/// The child's fault takes the mutex and waits for that lock; the parent waits for the mutex.
#[cfg(test)]
const DEADLOCK: Scenario = Scenario {
    vmas: &[],
    setup: &[
        stock_hugetlb(2),
        map_file(0, 2, Sharing::Shared, &FILE),
        map_file(2, 2, Sharing::Private, &FILE),
        write(0, 0, 8),
        write(2, 0, 9),
        Op::Fork,
    ],
    actors: &[Actor { name: "P", ops: &[write(2, 0, 1)] }, Actor { name: "C", ops: &[in_child(&write(2, 1, 2))] }],
    ..scenario("hugetlb-cow-deadlock", "a parent that takes a page from its child waits for nobody who waits for it")
};

#[cfg(test)]
mod tests {
    use super::{DEADLOCK, STALE};
    use crate::platform::Watch;
    use crate::platform::interleaved::Search;
    use crate::scenario::{Engine, Scenario, Verdict, check};

    #[test]
    fn a_folio_is_reused_before_the_last_reader_has_forgotten_it() {
        static SCENARIO: Scenario = STALE;
        let engine = Engine::Interleaver { search: Search::Everything };
        let verdict = check(&SCENARIO, engine, &Watch::default()).verdict;
        assert!(matches!(&verdict, Verdict::Violated(words) if words.contains("D38")), "{verdict:?}");
    }

    #[test]
    fn a_parent_that_takes_a_page_from_its_child_may_wait_for_it_for_ever() {
        static SCENARIO: Scenario = DEADLOCK;
        let engine = Engine::Interleaver { search: Search::Everything };
        let verdict = check(&SCENARIO, engine, &Watch::default()).verdict;
        let Verdict::Violated(words) = &verdict else { panic!("{verdict:?}") };
        assert!(words.starts_with("deadlock, a cycle of 2 thread(s)"), "{words}");
        // Lockdep says why: what is locked under the mutex may not be held by who waits for the mutex.
        assert!(words.contains("D53") && words.contains("does it deadlock? deadlock, here it is"), "{words}");
        assert!(words.contains("(folio lock/1){write}, at: src/mm/hugetlb/file.rs"), "{words}");
    }
}
