//! Tales of anonymous memory.

use crate::actors::{change_prot_numa, fork};
use crate::mm::{Mm, Protection, VmFlags};
use crate::platform::Arc;
use crate::x86::Instruction;

use super::library::{Tale, tale};
use super::stage::{CPU, P, Stage, page};

const RW: Protection = Protection::READ.union(Protection::WRITE);

pub(super) const TALES: &[Tale] = &[
    tale("anonymous-write", "the first store to a page of a new mapping", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
        stage.write(0);
    }),
    tale("anonymous-read", "the first load from a page maps the zero page", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
        stage.read(0);
    }),
    tale("vma-lock", "a store where the VMA is prepared: its lock is enough", |stage| {
        stage.map(0, 2, RW, VmFlags::empty());
        stage.accessed_before("a store to the other page", Instruction::store(page(1), 1));
        stage.write(0);
    }),
    tale("zero-page-write", "a store to a page that shows the zero page", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
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
    tale("numa-hint", "a load from a page that the NUMA scanner marked", |stage| {
        stage.map(0, 1, RW, VmFlags::empty());
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.before("the scanner marks the page", |mm, _| change_prot_numa(mm, page(0), 4096));
        stage.read(0);
    }),
];

/// One page that is written, and a child that shares it.
fn forked(stage: &mut Stage) -> Mm<P> {
    stage.map(0, 1, RW, VmFlags::empty());
    stage.accessed_before("a store", Instruction::store(page(0), 1));
    fork_child(stage)
}

pub(super) fn fork_child(stage: &mut Stage) -> Mm<P> {
    let child = Mm::new(Arc::clone(&stage.machine), stage.mm.generation(), CPU).expect("a frame for the root table");
    stage.before("fork", |mm, task| fork(mm, &child, task).expect("there is memory"));
    child
}
