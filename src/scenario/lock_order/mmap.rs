//! The mmap lock inside of itself, and inside of a VMA's lock.

use crate::actors;
use crate::mm::{Process, Task, lock_vma_under_rcu};
use crate::platform::Platform;
use crate::scenario::definition::{Actor, Scenario, copy_to_user, munmap, write};
use crate::scenario::world::{World, page_address};
use crate::x86::{Completion, Instruction, Mode};

use super::definition::{FOUR_PAGES, Form, LockScenario, Reality, task};

/// Page 0 is not there yet.
static UNTOUCHED: Scenario = Scenario {
    vmas: FOUR_PAGES,
    setup: &[write(1, 0, 1)],
    actors: &[Actor { name: "A", ops: &[copy_to_user(0, 0, 7)] }, Actor { name: "B", ops: &[munmap(2, 2)] }],
    ..Scenario::small("mmap-lock")
};

pub(super) const SCENARIOS: &[LockScenario] = &[
    LockScenario {
        name: "recursive-mmap-lock",
        breaks: "a task that reads the VMAs touches user memory, faults, and reads them again behind a writer (K04)",
        mended_by: "what was looked up is taken along, and the lock is not held across the access",
        reality: Reality::Deadlocks,
        world: &UNTOUCHED,
        tasks: &[
            task!(look_and_copy, "read the VMAs, and write page 0 meanwhile"),
            task!(unmap_others, "munmap pages 2 and 3"),
        ],
    },
    LockScenario {
        name: "mmap-vma-mmap",
        breaks: "a fault that holds its VMA's lock waits for the mmap lock, whose writer waits for the VMA's readers",
        mended_by: "it only tries, and begins again under the mmap lock if that fails (vmf_anon_prepare)",
        reality: Reality::Deadlocks,
        world: &UNTOUCHED,
        tasks: &[
            task!(vma_then_mmap, "lock the VMA of page 0, then the mmap lock"),
            task!(unmap_all, "munmap pages 0 to 3"),
        ],
    },
];

fn look_and_copy<P: Platform>(world: &World<P>, task: &Task, form: Form) {
    let vmas = world.mm.mmap_lock().read();
    assert!(vmas.iter().any(|vma| vma.contains(page_address::<P>(0))), "the page is mapped");
    let held = match form {
        Form::Broken => Some(vmas),
        Form::Fixed => {
            drop(vmas);
            None
        }
    };
    let store = Instruction::store(page_address::<P>(0), 7);
    let completion = Process::new(&world.mm, task).execute(Mode::KernelUserCopy, store);
    assert_eq!(completion, Completion::Done(None), "nobody unmaps the page");
    drop(held);
}

fn unmap_others<P: Platform>(world: &World<P>, task: &Task, _form: Form) {
    let bytes = 2 * P::GEOMETRY.page_size();
    actors::munmap(&world.mm, task.cpu(), page_address::<P>(2), bytes).expect("the range is valid");
}

fn vma_then_mmap<P: Platform>(world: &World<P>, task: &Task, form: Form) {
    let Some(_vma) = lock_vma_under_rcu(&world.mm, task, page_address::<P>(0)) else { return };
    let _vmas = match form {
        Form::Broken => Some(world.mm.mmap_lock().read()),
        Form::Fixed => world.mm.mmap_lock().try_read(),
    };
}

fn unmap_all<P: Platform>(world: &World<P>, task: &Task, _form: Form) {
    let bytes = 4 * P::GEOMETRY.page_size();
    actors::munmap(&world.mm, task.cpu(), page_address::<P>(0), bytes).expect("the range is valid");
}
