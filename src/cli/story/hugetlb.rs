//! Tales of huge pages of the pool (hugetlb).

use crate::mm::{Behaviour, FaultOp, HugeFolios, MapFlags, MapPages, Mm, PageMkwrite, Process, Reads};
use crate::x86::{Completion, Instruction, Mode};

use super::library::{Tale, tale, tale_g2, with_pool};
use super::memory::fork_child;
use super::stage::{File, Opened, P, Stage, page};

const PRIVATE: MapFlags = MapFlags::PRIVATE;
const SHARED: MapFlags = MapFlags::SHARED;

pub(super) const TALES: &[Tale] = &[
    with_pool(1, tale("hugetlb-write", "the first store to a huge page of the pool", private_write)),
    with_pool(
        1,
        tale(
            "hugetlb-read",
            "the first load from one: a private mapping gets a folio of its own, read-only",
            |stage| {
                stage.map_hugetlb(0, PRIVATE, None);
                stage.read(3);
            },
        ),
    ),
    with_pool(
        1,
        tale(
            "hugetlb-reuse",
            "a store to a huge page that was only read: nobody else maps it, so it is kept",
            |stage| {
                stage.map_hugetlb(0, PRIVATE, None);
                stage.accessed_before("a load", Instruction::Load(page(0)));
                stage.write(3);
            },
        ),
    ),
    with_pool(
        2,
        tale("hugetlb-cow", "a store to a huge page that a child shares: it is copied as a whole", |stage| {
            forked(stage);
            stage.write(3);
        }),
    ),
    with_pool(
        1,
        tale("hugetlb-cow-unmaps", "the same where the pool is empty: the page is taken from the child", |stage| {
            forked(stage);
            stage.write(3);
        }),
    ),
    with_pool(
        1,
        tale("hugetlb-cow-lost", "a load by a child whose page its parent took: SIGBUS, not zeros", |stage| {
            let child = forked(stage);
            stage.accessed_before("a store of the parent, for whose copy the pool has no folio", store(3));
            let _parent = stage.switch_to(child);
            stage.read(3);
        }),
    ),
    with_pool(
        1,
        tale(
            "hugetlb-cow-sigbus",
            "a store by a child, which has reserved nothing, where the pool is empty",
            |stage| {
                let child = forked(stage);
                let _parent = stage.switch_to(child);
                stage.write(3);
            },
        ),
    ),
    tale("hugetlb-pool-empty", "a store where nothing is reserved and the pool is empty: SIGBUS", |stage| {
        stage.map_hugetlb(0, PRIVATE | MapFlags::NORESERVE, None);
        stage.write(3);
    }),
    with_pool(
        1,
        tale("hugetlb-shared-write", "the first store to a shared mapping: the folio is added to the cache", |stage| {
            stage.map_hugetlb(0, SHARED, None);
            stage.write(3);
        }),
    ),
    with_pool(
        1,
        tale(
            "hugetlb-shared",
            "a load from a shared mapping whose folio a child has made: it is in the cache",
            |stage| {
                stage.map_hugetlb(0, SHARED, None);
                let child = fork_child(stage);
                stage.before("the child stores", |_, task| {
                    let done = Process::new(&child, task).execute(Mode::User, store(3));
                    assert_eq!(done, Completion::Done(None));
                });
                stage.read(3);
            },
        ),
    ),
    with_pool(
        2,
        tale(
            "hugetlb-file-cow",
            "a store to a private mapping of a file whose folio is in the cache: a copy",
            |stage| {
                let file = hugetlbfs(1);
                stage.map_hugetlb(0, SHARED, Some(&file));
                stage.map_hugetlb(512, PRIVATE, Some(&file));
                stage.accessed_before("a store through the shared mapping", store(3));
                stage.write(512 + 3);
            },
        ),
    ),
    with_pool(
        1,
        tale("hugetlb-eof", "a load beyond the end of a file of hugetlbfs: SIGBUS", |stage| {
            stage.map_hugetlb(0, SHARED, Some(&hugetlbfs(0)));
            stage.read(3);
        }),
    ),
    with_pool(
        1,
        tale_g2(
            "hugetlb-write-g2",
            "the first store to a huge page of the pool, as Linux 4.4 handles it",
            private_write,
        ),
    ),
];

fn store(number: u64) -> Instruction {
    Instruction::store(page(number), 1)
}

fn private_write(stage: &mut Stage) {
    stage.map_hugetlb(0, PRIVATE, None);
    stage.write(3);
}

/// One huge page that is written, and a child that shares it.
fn forked(stage: &mut Stage) -> Mm<P> {
    stage.map_hugetlb(0, PRIVATE, None);
    stage.accessed_before("a store", store(0));
    fork_child(stage)
}

/// A file of hugetlbfs of so many huge pages.
fn hugetlbfs(pages: u64) -> Opened {
    let behaviour = Behaviour {
        fault: FaultOp::Hugetlb,
        map_pages: MapPages::None,
        page_mkwrite: PageMkwrite::None,
        reads: Reads::AtOnce,
        readahead_pages: 0,
        huge: HugeFolios::Never,
    };
    File { pages, behaviour }.opened()
}
