//! A page lock across a fault: what `write(2)` did before Linux 2.6.24 (K01).

use crate::actors;
use crate::mm::VmFlags;
use crate::mm::{Process, Task};
use crate::oracle::Sharing;
use crate::phys::Pfn;
use crate::platform::Platform;
use crate::scenario::definition::{Actor, DISK, READ_WRITE, Scenario, VmaSpec, dontneed, map_file, read};
use crate::scenario::world::{World, page_address};
use crate::x86::{Completion, Instruction, Mode};

use super::definition::{Form, LockScenario, Reality, task};

/// Page 2 shows the first page of the file, and is there.
static OWN_PAGE: Scenario = Scenario {
    setup: &[map_file(2, 1, Sharing::Shared, &DISK), read(2, 0)],
    actors: &[Actor { name: "A", ops: &[read(2, 0), read(2, 0)] }, Actor { name: "B", ops: &[dontneed(2, 1)] }],
    ..Scenario::small("own-page")
};

/// The same beside a page of anonymous memory, which is not there yet.
static OTHER_PAGE: Scenario = Scenario {
    vmas: &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::empty() }],
    actors: &[Actor { name: "A", ops: &[read(0, 0), read(0, 0)] }, Actor { name: "B", ops: &[] }],
    ..OWN_PAGE
};

pub(super) const SCENARIOS: &[LockScenario] = &[
    LockScenario {
        name: "folio-fault",
        breaks: "a write to a page of a file copies from that very page, which is faulted in under its own lock (K01)",
        mended_by: "the source is faulted in before, and the copy under the lock takes no fault (copy_folio_from_iter)",
        reality: Reality::Deadlocks,
        world: &OWN_PAGE,
        tasks: &[
            task!(write_from_own_page, "write(2) to a page of a file, from page 2, which maps it"),
            task!(discard, "dontneed page 2"),
        ],
    },
    LockScenario {
        name: "folio-mmap",
        breaks: "the same from any page: the fault wants the mmap lock, and who holds that populates the page (K01)",
        mended_by: "the same: the fault is taken before the page is locked",
        reality: Reality::Deadlocks,
        world: &OTHER_PAGE,
        tasks: &[
            task!(write_from_other_page, "write(2) to a page of a file, from page 0, which is not there yet"),
            task!(populate, "under the mmap lock: lock that page of the file"),
        ],
    },
];

/// `write(2)` of a word from user memory to the first page of the file, as far as locks are concerned.
fn generic_perform_write<P: Platform>(world: &World<P>, task: &Task, from: u64, form: Form) {
    let mut process = Process::new(&world.mm, task);
    let mut copy = || process.execute(Mode::KernelUserCopy, Instruction::Load(page_address::<P>(from)));
    let done = |completion: Completion<_>| matches!(completion, Completion::Done(Some(_)));
    match form {
        Form::Broken => under_folio_lock(world, task, |_| {
            assert!(done(copy()), "the source is mapped");
        }),
        Form::Fixed => loop {
            assert!(done(copy()), "the source is mapped");
            let mut copied = false;
            under_folio_lock(world, task, |_| copied = task.with_faults_disabled(|| done(copy())));
            if copied {
                break;
            }
        },
    }
}

#[track_caller]
fn under_folio_lock<P: Platform>(world: &World<P>, task: &Task, body: impl FnOnce(Pfn)) {
    let (file, memory) = (world.file(&DISK), world.mm.memory());
    let folio = file.get_folio(memory, task.cpu(), 0).expect("the set-up has read it");
    file.lock_folio(memory, folio);
    body(folio);
    memory.folio(folio).lock().unlock();
    memory.put_page(task.cpu(), folio);
}

fn write_from_own_page<P: Platform>(world: &World<P>, task: &Task, form: Form) {
    generic_perform_write(world, task, 2, form);
}

fn write_from_other_page<P: Platform>(world: &World<P>, task: &Task, form: Form) {
    generic_perform_write(world, task, 0, form);
}

fn discard<P: Platform>(world: &World<P>, task: &Task, _form: Form) {
    actors::madvise_dontneed(&world.mm, task.cpu(), page_address::<P>(2), P::GEOMETRY.page_size());
}

/// What `mlock` did: it faults pages in while it holds the mmap lock.
fn populate<P: Platform>(world: &World<P>, task: &Task, _form: Form) {
    let _vmas = world.mm.mmap_lock().write();
    under_folio_lock(world, task, |_| {});
}
