//! `mprotect` against every kind of fault, and against those who share its locks.
//!
//! A fault is before the change, and then the access is done by the old rights, or after it, and is judged by the new
//! ones: the VMA's lock leaves nothing in between.

use crate::mm::{Behaviour, Generation, PageMkwrite, Protection, Space, VmFlags};
use crate::oracle::Sharing;

use super::definition::{
    Actor, DISK, FileSpec, LoomReach, Op, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, age, clear_refs,
    dontneed, in_child, map_file, mark_numa, migrate, mprotect, munmap, on, peek, read, stock_huge, stock_hugetlb,
    truncate, write,
};
use super::file_write::SHMEM;

const READ: Protection = Protection::READ;
const NONE: Protection = Protection::empty();

/// The file system is told of writes.
const TOLD: FileSpec =
    FileSpec { behaviour: Behaviour { page_mkwrite: PageMkwrite::Locked(Space::Enough), ..DISK.behaviour }, ..DISK };

/// Two pages, which one PMD entry can map.
const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

/// The same, of the pool.
const HUGETLB: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGETLB }];

/// A stack of one page at the top of the world.
const STACK: &[VmaSpec] = &[VmaSpec { page: 3, pages: 1, protection: READ_WRITE, flags: VmFlags::GROWSDOWN }];

const fn scenario(name: &'static str, claim: &'static str) -> Scenario {
    Scenario {
        name,
        family: "mprotect",
        claim,
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[],
        outcomes: &[],
        loom: LoomReach::Outcomes { preemptions: 1 },
    }
}

/// Someone who accesses memory, and someone who takes rights from pages 0 and 1.
const fn against(ops: &'static [Op], protects: &'static [Op]) -> [Actor; 2] {
    [Actor { name: "A", ops }, Actor { name: "M", ops: protects }]
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        setup: &[write(1, 0, 8)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 1 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-anon-write", "a first write completes before the right to write goes, or gets SEGV_ACCERR")
    },
    Scenario {
        actors: &against(&[read(0, 0)], &[mprotect(0, 2, NONE)]),
        outcomes: &[
            "A got ACCERR; M protected; +0 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 0 is zero; +0 -0 pages; +1 -0 tables",
            "A read 0; M protected; page 0 is zero; +0 -0 pages; +1 -0 tables",
        ],
        ..scenario("mprotect-anon-read", "a first read completes before all rights go, or gets SEGV_ACCERR")
    },
    Scenario {
        setup: &[read(0, 0), write(1, 0, 8)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 0 is zero; page 1 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-zero-page",
            "a page that shows the zero page is replaced before it may only be read, or never",
        )
    },
    Scenario {
        setup: &[write(0, 0, 9), Op::Fork],
        actors: &against(&[write(0, 1, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is A's; child's page 0 is setup's; +1 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is A's; child's page 0 is setup's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-cow",
            "a write to a shared page copies it before the right to write goes, or gets SEGV_ACCERR",
        )
    },
    Scenario {
        setup: &[write(0, 0, 9), Op::Fork],
        actors: &against(&[in_child(&write(0, 1, 2))], &[mprotect(0, 2, READ), mprotect(0, 2, READ_WRITE)]),
        outcomes: &[
            "A wrote; M protected, protected; page 0 is setup's; child's page 0 is A's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-upgrade-shared", "a page that a child shares does not become writable with its mapping")
    },
    Scenario {
        setup: &[write(0, 0, 9), mprotect(0, 2, READ)],
        actors: &against(&[write(0, 1, 1)], &[mprotect(0, 2, READ_WRITE)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-upgrade", "a write to a page that becomes writable gets SEGV_ACCERR, or needs no copy")
    },
    Scenario {
        setup: &[write(0, 0, 9), age(0)],
        actors: &against(&[write(0, 1, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-marks", "what hardware marks while rights are taken away is not lost")
    },
    Scenario {
        setup: &[write(0, 0, 9)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ), read(0, 0), read(0, 0)]),
        outcomes: &[
            "A got ACCERR; M protected, read 9, read 9; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected, read 1, read 1; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-flush", "once the right to write is gone no store lands, not even one that is under way")
    },
    Scenario {
        setup: &[write(0, 0, 9)],
        actors: &against(&[peek(0, 0), read(0, 0)], &[mprotect(0, 2, NONE), mprotect(0, 2, READ)]),
        outcomes: &[
            "A got EFAULT, got ACCERR; M protected, protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A got EFAULT, read 9; M protected, protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A read 9, got ACCERR; M protected, protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A read 9, read 9; M protected, protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario("mprotect-none", "a page without rights keeps what it holds, and shows it once it may be read again")
    },
    Scenario {
        setup: &[write(0, 0, 9), mark_numa(0)],
        actors: &against(&[read(0, 0)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A read 9; M protected; page 0 is A's; +1 -1 pages; +0 -0 tables",
            "A read 9; M protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-numa",
            "a fault on a marked page gives it the rights of its mapping, or finds that it has them",
        )
    },
    Scenario {
        setup: &[write(0, 0, 9), mark_numa(0)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, NONE)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is A's; +1 -1 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is A's; +1 -1 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-numa-none", "a page without rights is no page that the scanner asks about")
    },
    Scenario {
        setup: &[write(0, 0, 9)],
        actors: &against(&[migrate(0)], &[mprotect(0, 2, READ), read(0, 0)]),
        outcomes: &["A moved; M protected, read 9; page 0 is A's; +1 -1 pages; +0 -0 tables"],
        ..scenario("mprotect-migrate", "a page that moves arrives with the rights that its mapping has by then")
    },
    Scenario {
        setup: &[write(0, 0, 9)],
        actors: &[
            Actor { name: "A", ops: &[write(0, 1, 1)] },
            Actor { name: "M", ops: &[mprotect(0, 2, READ)] },
            Actor { name: "N", ops: &[mark_numa(0)] },
        ],
        outcomes: &[
            "A got ACCERR; M protected; N marked; page 0 is A's; +1 -1 pages; +0 -0 tables",
            "A got ACCERR; M protected; N marked; page 0 is A's; +2 -2 pages; +0 -0 tables",
            "A got ACCERR; M protected; N marked; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; N marked; page 0 is setup's; +1 -1 pages; +0 -0 tables",
            "A wrote; M protected; N marked; page 0 is A's; +1 -1 pages; +0 -0 tables",
            "A wrote; M protected; N marked; page 0 is A's; +2 -2 pages; +0 -0 tables",
            "A wrote; M protected; N marked; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; N marked; page 0 is setup's; +1 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
        ..scenario("mprotect-numa-scan", "a store, the scanner and a change of rights: no mark and no right is lost")
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(1, 0)],
        actors: &against(&[read(0, 0)], &[mprotect(0, 2, NONE)]),
        outcomes: &[
            "A got ACCERR; M protected; page 1 is the file's; +0 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 1 is the file's; +1 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; pages 0, 1 are the file's; +1 -0 pages; +0 -0 tables",
            "A read 100; M protected; pages 0, 1 are the file's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-file-read",
            "a read of a page of a file completes before all rights go, or gets SEGV_ACCERR",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Private, &DISK), read(0, 0), write(1, 0, 8)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 1 is setup's; page 0 is the file's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is A's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-file-cow",
            "a page of a file is copied before the right to write goes, or stays the file's",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &TOLD), read(0, 0)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is the file's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is the file's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-file-mkwrite",
            "a file system that is told of a write lets it in before the right goes, or never",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 2, Sharing::Shared, &TOLD), read(0, 0)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ), mprotect(0, 2, READ_WRITE)]),
        outcomes: &[
            "A got ACCERR; M protected, protected; page 0 is the file's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected, protected; page 0 is the file's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-file-upgrade",
            "a shared page becomes writable with its mapping only if its file knows of a write",
        )
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; +0 -0 pages; +0 -0 tables",
            "A got ACCERR; M protected; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; M protected; page 0 is huge, A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
        ],
        ..scenario("mprotect-huge", "a huge page is entered before the right to write goes, and keeps what was written")
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &against(&[write(1, 0, 1)], &[mprotect(0, 1, READ)]),
        outcomes: &[
            "A wrote; M protected; page 0 is A's; page 1 is A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; M protected; page 1 is A's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario("mprotect-huge-cut", "rights of one page cut the huge page that was there, or keep one from coming")
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), age(0)],
        actors: &against(&[write(0, 1, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-huge-marks", "what hardware marks in a huge entry while rights are taken away is not lost")
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), clear_refs(0, 2)],
        actors: &against(&[write(1, 0, 1)], &[mprotect(0, 2, READ), mprotect(0, 2, READ_WRITE)]),
        outcomes: &[
            "A got ACCERR; M protected, protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected, protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-huge-wp",
            "a write to a write-protected huge page reuses it, whatever its rights were meanwhile",
        )
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9), mark_numa(0)],
        actors: &against(&[read(1, 0)], &[mprotect(0, 2, NONE)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "A read 0; M protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-huge-numa", "a marked huge page gets its rights back before they go, or never")
    },
    Scenario {
        vmas: STACK,
        setup: &[write(3, 0, 9)],
        actors: &against(&[write(2, 0, 1)], &[mprotect(3, 1, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 3 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 2 is A's; page 3 is setup's; +1 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-stack", "a stack grows before it may only be read, or grows and gets SEGV_ACCERR")
    },
    Scenario {
        vmas: HUGETLB,
        setup: &[stock_hugetlb(1), read(0, 0)],
        actors: &against(&[write(0, 0, 1)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A got ACCERR; M protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected; page 0 is huge, setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-hugetlb", "a huge page of the pool is written before the right to write goes, or never")
    },
    Scenario {
        setup: &[write(0, 0, 9), write(1, 0, 8)],
        actors: &against(&[dontneed(0, 1), peek(1, 0)], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A discarded, got EFAULT; M protected; page 1 is setup's; +0 -1 pages; +0 -0 tables",
            "A discarded, read 8; M protected; page 1 is setup's; +0 -1 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-dontneed",
            "a page that is discarded while rights change is gone, and its neighbour is not",
        )
    },
    Scenario {
        vmas: &[],
        setup: &[map_file(0, 1, Sharing::Shared, &SHMEM), write(0, 0, 7), on(1, &write(0, 0, 8))],
        actors: &against(&[truncate(&SHMEM, 0)], &[mprotect(0, 1, READ), write(0, 0, 1), read(0, 0)]),
        outcomes: &[
            "A truncated; M protected, got ACCERR, got SIGBUS; +0 -1 pages; +0 -0 tables",
            "A truncated; M protected, got ACCERR, read 8; +0 -1 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-truncate",
            "a page that truncation has taken away, but not yet flushed, is not written once the right has gone",
        )
    },
    Scenario {
        vmas: HUGE,
        setup: &[stock_huge(2, 1), write(0, 0, 9)],
        actors: &against(&[dontneed(0, 2)], &[mprotect(0, 2, READ)]),
        outcomes: &["A discarded; M protected; +0 -0 pages; +0 -1 tables; +0 -1 huge"],
        ..scenario("mprotect-huge-dontneed", "a discard never overlooks a huge page whose rights are being changed")
    },
    Scenario {
        setup: &[write(0, 0, 9), write(1, 0, 8)],
        actors: &against(&[munmap(1, 1)], &[mprotect(0, 2, READ), peek(0, 0)]),
        outcomes: &[
            "A unmapped; M got ENOMEM, read 9; page 0 is setup's; +0 -1 pages; +0 -0 tables",
            "A unmapped; M protected, read 9; page 0 is setup's; +0 -1 pages; +0 -0 tables",
        ],
        ..scenario("mprotect-munmap", "rights of a range of which a page is unmapped change as far as it is mapped")
    },
    Scenario {
        setup: &[write(0, 0, 9)],
        actors: &against(&[Op::Fork, in_child(&write(0, 1, 2))], &[mprotect(0, 2, READ)]),
        outcomes: &[
            "A forked, got ACCERR; M protected; page 0 is setup's; child's page 0 is setup's; +0 -0 pages; +1 -0 \
             tables",
            "A forked, wrote; M protected; page 0 is setup's; child's page 0 is A's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario("mprotect-fork", "a child has the rights that its parent had at the fork")
    },
    Scenario {
        generation: Generation::G2,
        setup: &[write(0, 0, 9)],
        actors: &against(&[write(0, 1, 1)], &[mprotect(0, 2, READ), mprotect(0, 2, READ_WRITE)]),
        outcomes: &[
            "A got ACCERR; M protected, protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "A wrote; M protected, protected; page 0 is setup's; +0 -0 pages; +0 -0 tables",
        ],
        ..scenario(
            "mprotect-upgrade-4.4",
            "4.4: a page whose rights come back is written without a copy, after a fault",
        )
    },
    Scenario {
        generation: Generation::G2,
        vmas: HUGE,
        setup: &[stock_huge(0, 1)],
        actors: &against(&[write(1, 0, 1)], &[mprotect(0, 1, READ)]),
        outcomes: &[
            "A wrote; M protected; page 0 is A's; page 1 is A's; +0 -0 pages; +1 -0 tables; +1 -0 huge",
            "A wrote; M protected; page 1 is A's; +1 -0 pages; +1 -0 tables",
        ],
        ..scenario(
            "mprotect-huge-cut-4.4",
            "4.4: rights of one page split the huge page that was there, or keep one from coming",
        )
    },
];
