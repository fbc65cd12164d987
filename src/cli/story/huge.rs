//! Tales of huge pages.

use crate::actors::{change_prot_numa, clear_refs, exit_mmap, madvise_dontneed, migrate};
use crate::mm::{MapFlags, Mm, Process, Protection, Task};
use crate::phys::{PageState, Pfn};
use crate::x86::{Completion, Instruction, Mode};

use super::library::{Tale, tale, tale_g2, with_limit};
use super::memory::fork_child;
use super::stage::{CPU, File, P, Stage, page};

const RW: Protection = Protection::READ.union(Protection::WRITE);

const HUGE_BYTES: u64 = 512 * 4096;

pub(super) const TALES: &[Tale] = &[
    tale("huge-write", "the first store to a mapping that wants huge pages", |stage| {
        stage.map_huge(0, 512, RW);
        stage.write(3);
    }),
    tale("huge-read", "the first load from a mapping that wants huge pages: the huge zero page", |stage| {
        stage.map_huge(0, 512, RW);
        stage.read(3);
    }),
    tale("huge-zero-write", "a store where the huge zero page is: it is split", |stage| {
        stage.map_huge(0, 512, RW);
        stage.accessed_before("a load", Instruction::Load(page(0)));
        stage.write(3);
    }),
    tale("huge-cow", "a store to a huge page that a child shares: it is split, and one page is copied", |stage| {
        stage.map_huge(0, 512, RW);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        fork_child(stage);
        stage.write(3);
    }),
    tale("huge-cow-reuse", "a store to a huge page that a child shared, after it is gone: kept whole", |stage| {
        written(stage);
        let child = fork_child(stage);
        stage.before("the child exits", |_, _| exit_mmap(&child, CPU));
        stage.write(3);
    }),
    tale("huge-accessed", "a store where another task has just mapped a huge page", |stage| {
        stage.map_huge(0, 512, RW);
        let store = Instruction::store(page(3), 0x5eed);
        stage.tell_interrupted("another task stores to the next page", ("handle_mm_fault", store_next), store);
    }),
    tale("huge-wp", "a store to a huge page that is write-protected and shared with nobody", |stage| {
        written(stage);
        stage.before("soft-dirty marks are cleared", |mm, _| clear_refs(mm, page(0), HUGE_BYTES));
        stage.write(3);
    }),
    tale("huge-numa-hint", "a load from a huge page that the NUMA scanner marked", |stage| {
        written(stage);
        stage.before("the scanner marks the page", |mm, _| change_prot_numa(mm, CPU, page(0), 4096));
        stage.read(3);
    }),
    tale("huge-migration", "a load from a huge page that is being moved: it waits", |stage| {
        written(stage);
        let mover = |mm: &Mm<P>| assert_eq!(migrate(mm, &Task::new(CPU), page(0)), crate::mm::Migrated::Moved);
        let load = Instruction::Load(page(3));
        stage.tell_while("the kernel moves the page, and has copied it", (mover, "remove_migration_pmd"), load);
    }),
    with_limit(
        100,
        tale("huge-over-limit", "a store where the cgroup may not charge a huge page: a small one must do", |stage| {
            stage.map_huge(0, 512, RW);
            stage.write(3);
        }),
    ),
    tale("huge-shmem-write", "the first store to shared memory with huge pages", |stage| {
        stage.map_file(512, RW, MapFlags::SHARED, &File::HUGE_SHMEM);
        stage.write(3);
    }),
    tale("huge-shmem-around", "a load from shared memory whose huge page is in the page cache", |stage| {
        let file = stage.map_file(512, RW, MapFlags::SHARED, &File::HUGE_SHMEM);
        stage.map_opened(512, 512, RW, MapFlags::SHARED, &file);
        stage.accessed_before("a store through the first mapping", Instruction::store(page(3), 1));
        stage.read(515);
    }),
    tale(
        "huge-shmem-cow",
        "a store to a private mapping of a huge page: the entry is split, one page is copied",
        |stage| {
            stage.map_file(512, RW, MapFlags::PRIVATE, &File::HUGE_SHMEM);
            stage.accessed_before("a load", Instruction::Load(page(0)));
            stage.write(3);
        },
    ),
    tale_g2("huge-write-g2", "the first store to a mapping that wants huge pages, as Linux 4.4 handles it", |stage| {
        stage.map_huge(0, 512, RW);
        stage.write(3);
    }),
    tale_g2("huge-cow-g2", "a store to a huge page that a child shares, in Linux 4.4: a copy of the whole", |stage| {
        written(stage);
        fork_child(stage);
        stage.write(3);
    }),
    tale_g2("huge-cow-small-g2", "the same where no other huge page is free: copies of all its small pages", |stage| {
        written(stage);
        fork_child(stage);
        stage.before("what is free is in pieces", |mm, _| fragment(mm));
        stage.write(3);
    }),
    tale_g2(
        "huge-cow-split-g2",
        "the same where hardly anything is free: the page is split, and one is copied",
        |stage| {
            written(stage);
            fork_child(stage);
            stage.before("all but 16 pages are taken", |mm, _| exhaust(mm));
            stage.write(3);
        },
    ),
    tale_g2(
        "huge-zero-split-g2",
        "a store where the huge zero page is, in Linux 4.4, and no huge page is free",
        |stage| {
            stage.map_huge(0, 512, RW);
            stage.accessed_before("a load", Instruction::Load(page(0)));
            stage.before("what is free is in pieces", |mm, _| fragment(mm));
            stage.write(3);
        },
    ),
    tale_g2(
        "huge-splitting-g2",
        "a load from a huge page that is being split, in Linux 4.4: the fault comes again",
        |stage| {
            written(stage);
            stage.before("soft-dirty marks are cleared", |mm, _| clear_refs(mm, page(0), HUGE_BYTES));
            let splitter = |mm: &Mm<P>| madvise_dontneed(mm, CPU, page(9), 4096);
            let store = Instruction::store(page(3), 0x5eed);
            stage.tell_while(
                "a page of it is discarded, and it is being split",
                (splitter, "__split_huge_page_refcount"),
                store,
            );
        },
    ),
    tale_g2(
        "huge-materialized-g2",
        "a load where another task maps a huge page before the table is linked, in Linux 4.4",
        |stage| {
            let spare = spare_huge_page(stage);
            let other = move |mm: &Mm<P>| store_to(mm, spare);
            stage.tell_interrupted(
                "a huge page is given back, and another task's store to the next page gets it",
                ("__pte_alloc", other),
                Instruction::Load(page(3)),
            );
        },
    ),
    tale_g2(
        "huge-wait-split-g2",
        "the same in the middle of a split of that huge page: the fault waits for it",
        |stage| {
            let spare = spare_huge_page(stage);
            let other = move |mm: &Mm<P>| {
                store_to(mm, spare);
                madvise_dontneed(mm, CPU, page(9), 4096);
            };
            stage.tell_while_from(
                "another task's store to the next page gets a huge page, of which it then discards a part",
                ("__pte_alloc", other, "__split_huge_page_refcount"),
                Instruction::Load(page(3)),
            );
        },
    ),
    tale_g2("huge-numa-hint-g2", "a load from a huge page that the NUMA scanner marked, in Linux 4.4", |stage| {
        written(stage);
        stage.before("the scanner marks the page", |mm, _| change_prot_numa(mm, CPU, page(0), 4096));
        stage.read(3);
    }),
];

/// A huge page that is written.
fn written(stage: &mut Stage) {
    stage.map_huge(0, 512, RW);
    stage.accessed_before("a store", Instruction::store(page(0), 1));
}

/// Another task's store.
fn store_next(mm: &Mm<P>) {
    let done = Process::new(mm, &Task::new(CPU)).execute(Mode::User, Instruction::store(page(4), 1));
    assert_eq!(done, Completion::Done(None));
}

/// A mapping that wants huge pages where none is free: one is taken, and will be given back.
fn spare_huge_page(stage: &mut Stage) -> Pfn {
    stage.map_huge(0, 512, RW);
    let mut spare = None;
    stage.before("what is free is in pieces", |mm, _| {
        spare = mm.memory().alloc_huge(CPU, PageState::User).ok();
        fragment(mm);
    });
    spare.expect("in 8 MiB there is a huge page")
}

/// Another task's store, after the huge page was given back.
fn store_to(mm: &Mm<P>, spare: Pfn) {
    mm.memory().free_uncharged(CPU, spare);
    store_next(mm);
}

/// Takes every huge page, and then every second small one of as many as two of them have.
fn fragment(mm: &Mm<P>) {
    let memory = mm.memory();
    let small: Vec<_> = (0..600).map_while(|_| memory.alloc_page(CPU, PageState::User).ok()).collect();
    while memory.alloc_huge(CPU, PageState::User).is_ok() {}
    small.into_iter().step_by(2).for_each(|frame| memory.free_uncharged(CPU, frame));
}

/// Takes everything, and gives 16 small pages back.
fn exhaust(mm: &Mm<P>) {
    let memory = mm.memory();
    while memory.alloc_huge(CPU, PageState::User).is_ok() {}
    let small: Vec<_> = std::iter::from_fn(|| memory.alloc_page(CPU, PageState::User).ok()).collect();
    small.into_iter().step_by(2).take(16).for_each(|frame| memory.free_uncharged(CPU, frame));
}
