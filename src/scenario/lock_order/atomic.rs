//! What sleeps, or waits for a CPU, below what spins.

use crate::mm::{AnonVma, LockedTable, Task, find_pmd, flush_tlb_mm};
use crate::platform::{Arc, Platform};
use crate::scenario::definition::{Actor, Scenario, write};
use crate::scenario::world::{World, page_address};

use super::definition::{FOUR_PAGES, Form, LockScenario, Reality, task};

/// Page 0 is there.
static WORLD: Scenario = Scenario {
    vmas: FOUR_PAGES,
    setup: &[write(0, 0, 1)],
    actors: &[Actor { name: "A", ops: &[] }, Actor { name: "B", ops: &[] }],
    ..Scenario::small("atomic")
};

pub(super) const SCENARIOS: &[LockScenario] = &[
    LockScenario {
        name: "anon-vma-ptl",
        breaks: "a task looks for the other mappings of a page while it holds a page table's lock",
        mended_by: "the anon_vma comes before the table's lock (page_vma_mapped_walk)",
        reality: Reality::Deadlocks,
        world: &WORLD,
        tasks: &[
            task!(rmap_walk, "lock the anon_vma, then the page table"),
            task!(mappings_of_a_page, "lock the page table, then the anon_vma"),
        ],
    },
    LockScenario {
        name: "folio-under-ptl",
        breaks: "a task waits for a page lock, and sleeps, while it holds a page table's lock",
        mended_by: "it only tries; if that fails it gives the table's lock up first (wp_can_reuse_anon_folio)",
        reality: Reality::Deadlocks,
        world: &WORLD,
        tasks: &[
            task!(map_locked, "lock the page, then the page table"),
            task!(lock_mapped, "lock the page table, then the page"),
        ],
    },
    LockScenario {
        name: "flush-under-ptl",
        breaks: "a flush waits for a CPU that takes no interrupts while it waits for the flusher's page table",
        mended_by: "who waits for a page table's lock takes interrupts (CPUs that flush wait for all others)",
        reality: Reality::Deadlocks,
        world: &WORLD,
        tasks: &[
            task!(flush, "lock the page table, then flush all CPUs"),
            task!(wait_without_interrupts, "take no interrupts, then lock the page table"),
        ],
    },
];

#[track_caller]
fn lock_table<P: Platform>(world: &World<P>) -> LockedTable<'_, P> {
    let pmd = find_pmd(&world.mm, page_address::<P>(0)).expect("the set-up has written there");
    LockedTable::offset_map_lock(&world.mm, pmd).expect("there is a table")
}

/// The `anon_vma` of page 0.
fn anon_vma<P: Platform>(world: &World<P>) -> Arc<AnonVma<P>> {
    let vmas = world.mm.mmap_lock().read();
    let vma = vmas.iter().next().expect("there is a mapping");
    Arc::clone(vma.anon_vma().expect("the set-up has written there"))
}

fn rmap_walk<P: Platform>(world: &World<P>, _task: &Task, _form: Form) {
    anon_vma(world).read_locked(|| drop(lock_table(world)));
}

fn mappings_of_a_page<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    let anon_vma = anon_vma(world);
    match form {
        Form::Broken => {
            let _table = lock_table(world);
            anon_vma.write_locked(|| {});
        }
        Form::Fixed => anon_vma.write_locked(|| drop(lock_table(world))),
    }
}

/// As `finish_fault` does.
fn map_locked<P: Platform>(world: &World<P>, _task: &Task, _form: Form) {
    let folio = lock_table(world).get(page_address::<P>(0)).pfn();
    let lock = world.mm.memory().folio(folio).lock();
    lock.lock();
    drop(lock_table(world));
    lock.unlock();
}

fn lock_mapped<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    let table = lock_table(world);
    let lock = world.mm.memory().folio(table.get(page_address::<P>(0)).pfn()).lock();
    match form {
        Form::Broken => lock.lock(),
        Form::Fixed if lock.try_lock() => {}
        Form::Fixed => {
            drop(table);
            lock.lock();
            let _table = lock_table(world);
            return lock.unlock();
        }
    }
    lock.unlock();
}

fn flush<P: Platform>(world: &World<P>, _task: &Task, _form: Form) {
    let _table = lock_table(world);
    flush_tlb_mm(&world.mm);
}

fn wait_without_interrupts<P: Platform>(world: &World<P>, task: &Task, form: Form) {
    let cpu = world.mm.machine().cpu(task.cpu());
    let interrupts = match form {
        Form::Broken => Some(cpu.without_interrupts()),
        Form::Fixed => None,
    };
    drop(lock_table(world));
    drop(interrupts);
}
