//! Whoever keeps a page by a reference (a debugger that writes, a pipe) against those who take the page away, share it
//! or replace it.

use crate::mm::{Generation, Protection, VmFlags};
use crate::oracle::Sharing;

use super::definition::{
    Actor, DISK, FileMap, LoomReach, Op, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, collapse, dontneed,
    in_child, migrate, mprotect, munmap, poke, read, read_pipe, stock_huge, vmsplice, write, writev,
};

/// A private mapping of a file's pages that may not be written to.
const MAP_READ_ONLY: Op = Op::MapFile(FileMap {
    page: 0,
    pages: 2,
    protection: Protection::READ,
    sharing: Sharing::Private,
    file: &DISK,
    pgoff: 0,
});

/// The mapping, and nothing in memory.
const READ_ONLY: &[Op] = &[MAP_READ_ONLY];

/// Its first page is in the page cache, and the table stands.
const CACHED: &[Op] = &[MAP_READ_ONLY, read(1, 0), read(0, 0), dontneed(0, 1)];

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

/// Both pages are written, and the second actor has a huge page.
const SMALL: &[Op] = &[stock_huge(1, 1), write(0, 0, 9), write(1, 0, 8)];

/// One huge page, which the set-up wrote.
const ONE_HUGE: &[Op] = &[stock_huge(2, 1), write(0, 0, 9)];

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "gup",
        claim,
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: WRITTEN,
        actors: &[],
        outcomes: &[],
        loom: LoomReach::Outcomes { preemptions: 1 },
    }
}

/// Page 0 is written.
const WRITTEN: &[Op] = &[write(0, 0, 9)];

const POKE: &[Op] = &[poke(0, 0, 1)];
const WRITEV: &[Op] = &[writev(0, 0, 1)];
const PIPE: &[Op] = &[vmsplice(0, 0), read_pipe()];

/// A debugger, and who is in its way.
const fn poked_against(ops: &'static [Op]) -> [Actor; 2] {
    [Actor { name: "D", ops: POKE }, Actor { name: "B", ops }]
}

/// A store by `process_vm_writev`, and who is in its way.
const fn written_against(ops: &'static [Op]) -> [Actor; 2] {
    [Actor { name: "W", ops: WRITEV }, Actor { name: "B", ops }]
}

/// A pipe that gets the page and is read, and who is in its way.
const fn piped_against(ops: &'static [Op]) -> [Actor; 2] {
    [Actor { name: "V", ops: PIPE }, Actor { name: "B", ops }]
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        vmas: &[],
        setup: READ_ONLY,
        actors: &poked_against(&[dontneed(0, 1)]),
        outcomes: &[
            "D poked; B discarded; +2 -1 pages; +1 -0 tables",
            "D poked; B discarded; page 0 is D's; +2 -0 pages; +1 -0 tables",
            "D poked; B discarded; page 0 is D's; +3 -1 pages; +1 -0 tables",
        ],
        ..scenario(
            "gup-force-dontneed",
            "a debugger's copy that is discarded is made again; the file is not written to",
        )
    },
    Scenario {
        vmas: &[],
        setup: READ_ONLY,
        generation: Generation::G2,
        actors: &poked_against(&[dontneed(0, 1)]),
        outcomes: &[
            "D poked; B discarded; +2 -1 pages; +1 -0 tables",
            "D poked; B discarded; page 0 is D's; +2 -0 pages; +1 -0 tables",
            "D poked; B discarded; page 0 is D's; +3 -1 pages; +1 -0 tables",
        ],
        ..scenario(
            "gup-force-dontneed-4.4",
            "Linux 4.4.26 notes that the copy was made, and looks whether it is still there",
        )
    },
    Scenario {
        vmas: &[],
        setup: CACHED,
        actors: &poked_against(&[read(0, 0)]),
        outcomes: &[
            "D poked; B read 100; page 0 is D's; page 1 is the file's; +1 -0 pages; +0 -0 tables",
            "D poked; B read 100; page 0 is D's; page 1 is the file's; +2 -1 pages; +0 -0 tables",
            "D poked; B read 1; page 0 is D's; page 1 is the file's; +1 -0 pages; +0 -0 tables",
            "D poked; B read 1; page 0 is D's; page 1 is the file's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario("gup-force-read", "a first read of the page finds the file's word, or the debugger's in a copy")
    },
    Scenario {
        actors: &written_against(&[dontneed(0, 1)]),
        outcomes: &[
            "W wrote; B discarded; +0 -1 pages; +0 -0 tables",
            "W wrote; B discarded; page 0 is W's; +1 -1 pages; +0 -0 tables",
        ],
        ..scenario("gup-writev-dontneed", "a store by reference goes to the page, or to what has just been discarded")
    },
    Scenario {
        actors: &written_against(&[munmap(0, 2)]),
        outcomes: &[
            "W got EFAULT; B unmapped; +0 -1 pages; +0 -1 tables",
            "W wrote; B unmapped; +0 -1 pages; +0 -1 tables",
        ],
        ..scenario("gup-writev-munmap", "a store by reference comes before the pages are unmapped, or there is no page")
    },
    Scenario {
        actors: &written_against(&[migrate(0)]),
        outcomes: &[
            "W wrote; B kept; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "W wrote; B kept; page 0 is setup's; +1 -1 pages; +0 -0 tables",
            "W wrote; B moved; page 0 is B's; +1 -1 pages; +0 -0 tables",
        ],
        ..scenario("gup-writev-migrate", "a page that somebody refers to is not moved")
    },
    Scenario {
        actors: &poked_against(&[Op::Fork, in_child(&read(0, 0))]),
        outcomes: &[
            "D poked; B forked, read 1; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +1 -0 tables",
            "D poked; B forked, read 9; page 0 is D's; child's page 0 is setup's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario(
            "gup-poke-fork",
            "a debugger writes before the fork, and the child sees it, or after it, and it does not",
        )
    },
    Scenario {
        vmas: HUGE,
        setup: SMALL,
        actors: &poked_against(&[collapse(0)]),
        outcomes: &[
            "D poked; B collapsed; page 0 is huge, B's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "D poked; B gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 \
             tables",
            "D poked; B gave up (SCAN_PAGE_LOCK); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 \
             tables",
        ],
        ..scenario("gup-poke-collapse", "a debugger writes to the small page or to the huge one")
    },
    Scenario {
        actors: &poked_against(&[mprotect(0, 2, Protection::READ)]),
        outcomes: &["D poked; B protected; page 0 is setup's; +0 -0 pages; +0 -0 tables"],
        ..scenario("gup-force-mprotect", "a debugger writes before the right goes, and by force after it")
    },
    Scenario {
        vmas: HUGE,
        setup: SMALL,
        actors: &written_against(&[collapse(0)]),
        outcomes: &[
            "W wrote; B collapsed; page 0 is huge, B's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "W wrote; B gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 \
             tables",
            "W wrote; B gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 \
             tables; +1 -1 huge",
            "W wrote; B gave up (SCAN_PAGE_LOCK); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 \
             tables",
            "W wrote; B gave up (SCAN_PAGE_LOCK); page 0 is setup's; page 1 is setup's; +0 -0 pages; +0 -0 \
             tables; +1 -1 huge",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario("gup-writev-collapse", "a page that somebody refers to is not copied into a huge one")
    },
    Scenario {
        vmas: HUGE,
        setup: ONE_HUGE,
        actors: &written_against(&[dontneed(0, 1)]),
        outcomes: &[
            "W wrote; B discarded; page 0 is W's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "W wrote; B discarded; page 1 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("gup-writev-split", "a store by reference to a page of a huge one that is cut in two")
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(2, 1), stock_huge(1, 1), write(0, 0, 9)],
        actors: &written_against(&[migrate(0)]),
        outcomes: &[
            "W wrote; B kept; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
            "W wrote; B moved; page 0 is huge, B's; +0 -0 pages; +0 -0 tables; +1 -1 huge",
        ],
        ..scenario("gup-writev-huge-migrate", "a huge page that somebody refers to is not moved")
    },
    Scenario {
        setup: &[write(0, 0, 9), Op::Fork],
        actors: &[
            Actor { name: "A", ops: &[write(0, 0, 1)] },
            Actor { name: "C", ops: &[in_child(&vmsplice(0, 0)), in_child(&munmap(0, 2)), in_child(&read_pipe())] },
        ],
        outcomes: &[
            "A wrote; C spliced, unmapped, piped 9; page 0 is A's; +1 -1 pages; +0 -1 tables",
            "A wrote; C spliced, unmapped, piped 9; page 0 is setup's; +0 -0 pages; +0 -1 tables",
        ],
        ..scenario(
            "gup-pipe-parent-write",
            "the child's pipe keeps a page that only the parent maps by now; the parent copies it",
        )
    },
    Scenario {
        actors: &piped_against(&[dontneed(0, 1)]),
        outcomes: &[
            "V spliced, piped 0; B discarded; page 0 is zero; +0 -1 pages; +0 -0 tables",
            "V spliced, piped 9; B discarded; +0 -1 pages; +0 -0 tables",
        ],
        ..scenario("gup-pipe-dontneed", "a page in a pipe stays what it was when it is discarded")
    },
    Scenario {
        vmas: HUGE,
        setup: ONE_HUGE,
        actors: &piped_against(&[dontneed(0, 2)]),
        outcomes: &[
            "V spliced, piped 0; B discarded; page 0 is zero; +0 -0 pages; +2 -2 tables; +0 -1 huge",
            "V spliced, piped 9; B discarded; +0 -0 pages; +0 -1 tables; +0 -1 huge",
        ],
        ..scenario("gup-pipe-huge-dontneed", "a page of a huge one in a pipe keeps the whole folio")
    },
    Scenario {
        vmas: HUGE,
        setup: SMALL,
        actors: &piped_against(&[collapse(0)]),
        outcomes: &[
            "V spliced, piped 9; B collapsed; page 0 is huge, B's; +0 -2 pages; +0 -0 tables; +1 -0 huge",
            "V spliced, piped 9; B gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; +0 -0 \
             pages; +0 -0 tables",
            "V spliced, piped 9; B gave up (SCAN_PAGE_COUNT); page 0 is setup's; page 1 is setup's; +0 -0 \
             pages; +0 -0 tables; +1 -1 huge",
        ],
        ..scenario(
            "gup-pipe-collapse",
            "a page in a pipe is not copied into a huge one; later its reader has nothing to do with it",
        )
    },
    Scenario {
        actors: &piped_against(&[munmap(0, 2)]),
        outcomes: &[
            "V got EFAULT, found an empty pipe; B unmapped; +0 -1 pages; +0 -1 tables",
            "V spliced, piped 9; B unmapped; +0 -1 pages; +0 -1 tables",
        ],
        ..scenario("gup-pipe-munmap", "a page in a pipe is freed when it has been read, not when it is unmapped")
    },
];
