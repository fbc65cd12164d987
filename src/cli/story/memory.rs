//! Tales of anonymous memory.

use crate::actors::{change_prot_numa, fork, migrate};
use crate::mm::{
    LockedTable, MapFlags, MapRequest, Migrated, Mm, Process, Protection, RssKind, Task, VmFlags, Vma, find_pmd,
    flush_tlb_range, remove_rmap,
};
use crate::platform::Arc;
use crate::x86::{Completion, Instruction, Mode, SwapEntry, SwapType};

use super::library::{Tale, tale, tale_g2};
use super::stage::{CPU, P, Stage, page};

const RW: Protection = Protection::READ.union(Protection::WRITE);

pub(super) const TALES: &[Tale] = &[
    tale("anonymous-write", "the first store to a page of a new mapping", |stage| {
        stage.map(0, 1, RW);
        stage.write(0);
    }),
    tale("anonymous-read", "the first load from a page maps the zero page", |stage| {
        stage.map(0, 1, RW);
        stage.read(0);
    }),
    tale("anon-vma-shared", "the first store to a mapping next to one that differs in its rights only", |stage| {
        stage.map(0, 1, RW);
        stage.map(1, 1, RW.union(Protection::EXEC));
        stage.accessed_before("a store to the neighbour", Instruction::store(page(1), 1));
        stage.write(0);
    }),
    tale("vma-lock", "a store where the VMA is prepared: its lock is enough", |stage| {
        stage.map(0, 2, RW);
        stage.accessed_before("a store to the other page", Instruction::store(page(1), 1));
        stage.write(0);
    }),
    tale("zero-page-write", "a store to a page that shows the zero page", |stage| {
        stage.map(0, 1, RW);
        stage.accessed_before("a load", Instruction::Load(page(0)));
        stage.write(0);
    }),
    tale("cow-after-fork", "a store to a page that a child shares: a copy", |stage| {
        forked(stage);
        stage.write(0);
    }),
    tale("cow-reuse", "a store to a page that a child shared, after it is gone: no copy", |stage| {
        let child = forked(stage);
        stage.before("the child exits", |_, _| crate::actors::exit_mmap(&child, CPU));
        stage.write(0);
    }),
    tale(
        "shared-anonymous-write",
        "the first store to shared anonymous memory: it is a file without a name",
        |stage| {
            map_shared(stage);
            stage.write(0);
        },
    ),
    tale("shared-anonymous-read", "a load from shared anonymous memory whose page a child has made", |stage| {
        map_shared(stage);
        let child = fork_child(stage);
        stage.before("the child stores", |_, task| {
            let done = Process::new(&child, task).execute(Mode::User, Instruction::store(page(0), 7));
            assert_eq!(done, Completion::Done(None));
        });
        stage.read(0);
    }),
    tale("shared-without-file", "a shared mapping that nobody answers for", |stage| {
        let flags = VmFlags::READ | VmFlags::WRITE | VmFlags::SHARED;
        stage.insert("a driver's mapping without operations", Vma::new(page(0), page(1), flags));
        stage.read(0);
    }),
    tale("numa-hint", "a load from a page that the NUMA scanner marked", |stage| {
        stage.map(0, 1, RW);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.before("the scanner marks the page", |mm, _| change_prot_numa(mm, CPU, page(0), 4096));
        stage.read(0);
    }),
    tale(
        "numa-hint-moves",
        "a load from a page that the NUMA scanner marked, and that is on the wrong node",
        |stage| {
            stage.map(0, 1, RW);
            stage.accessed_before("a store", Instruction::store(page(0), 1));
            stage.before("the scanner marks the page", |mm, _| change_prot_numa(mm, CPU, page(0), 4096));
            stage.script("the page is misplaced", &[1]);
            stage.read(0);
        },
    ),
    tale("migration", "a load from a page that is being moved: it waits", |stage| {
        stage.map(0, 1, RW);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.tell_while(
            "the kernel moves the page, and has copied it",
            (move_first_page, "remove_migration_pte"),
            Instruction::Load(page(0)),
        );
    }),
    tale("hwpoison", "a load from a page whose memory is broken: SIGBUS", |stage| {
        stage.map(0, 1, RW);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.before("memory_failure: the page is unmapped, and its entry says that it is poisoned", |mm, _| {
            poison_first_page(mm)
        });
        stage.read(0);
    }),
    tale_g2("anonymous-write-g2", "the first store to a page, as Linux 4.4 handles it", |stage| {
        stage.map(0, 1, RW);
        stage.write(0);
    }),
    tale_g2("anonymous-read-g2", "the first load from a page, as Linux 4.4 handles it", |stage| {
        stage.map(0, 1, RW);
        stage.read(0);
    }),
    tale_g2("cow-after-fork-g2", "a store to a page that a child shares, as Linux 4.4 handles it", |stage| {
        forked(stage);
        stage.write(0);
    }),
    tale_g2("cow-reuse-g2", "a store to a page that a child shared: Linux 4.4 counts who maps it", |stage| {
        let child = forked(stage);
        stage.before("the child exits", |_, _| crate::actors::exit_mmap(&child, CPU));
        stage.write(0);
    }),
    tale_g2("numa-hint-g2", "a load from a page that the NUMA scanner marked, as Linux 4.4 handles it", |stage| {
        stage.map(0, 1, RW);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.before("the scanner marks the page", |mm, _| change_prot_numa(mm, CPU, page(0), 4096));
        stage.read(0);
    }),
];

/// Another task moves the first page to another frame.
fn move_first_page(mm: &Mm<P>) {
    assert_eq!(migrate(mm, &Task::new(CPU), page(0)), Migrated::Moved);
}

/// What `try_to_unmap` leaves of the first page's entry when the hardware says that its memory is broken. The
/// reference stays: nobody is to get the page again.
fn poison_first_page(mm: &Mm<P>) {
    let pmd = find_pmd(mm, page(0)).expect("there are tables");
    let mut table = LockedTable::offset_map_lock(mm, pmd).expect("there is a table");
    let broken = table.clear(page(0)).pfn();
    flush_tlb_range(mm, (page(0), page(1)));
    remove_rmap(mm, broken);
    table.count_rss(RssKind::Anon, -1);
    let entry = SwapEntry::new(SwapType::HwPoison, broken.number()).expect("a frame fits into an offset");
    table.set(page(0), entry.to_pte());
}

fn map_shared(stage: &mut Stage) {
    let flags = MapFlags::SHARED | MapFlags::ANONYMOUS;
    stage.mmap(0, 1, MapRequest { flags, ..MapRequest::anonymous(0, RW) });
}

/// One page that is written, and a child that shares it.
fn forked(stage: &mut Stage) -> Mm<P> {
    stage.map(0, 1, RW);
    stage.accessed_before("a store", Instruction::store(page(0), 1));
    fork_child(stage)
}

pub(super) fn fork_child(stage: &mut Stage) -> Mm<P> {
    let child = Mm::new(Arc::clone(&stage.machine), stage.mm.generation(), CPU).expect("a frame for the root table");
    stage.before("fork", |mm, task| fork(mm, &child, task).expect("there is memory"));
    child
}
