//! Two page tables locked at once.

use crate::locks::LockClass;
use crate::mm::{LockedTable, Task, find_pmd};
use crate::platform::Platform;
use crate::scenario::definition::{Actor, Scenario, write};
use crate::scenario::world::{World, page_address};

use super::definition::{FOUR_PAGES, Form, LockScenario, Reality, task};

/// Both tables are there.
static WORLD: Scenario = Scenario {
    vmas: FOUR_PAGES,
    setup: &[write(0, 0, 1), write(2, 0, 1)],
    actors: &[Actor { name: "A", ops: &[] }, Actor { name: "B", ops: &[] }],
    ..Scenario::small("two-tables")
};

pub(super) const SCENARIOS: &[LockScenario] = &[
    LockScenario {
        name: "two-ptls",
        breaks: "two tasks lock two page tables, each the other one first",
        mended_by: "the table of the lower address comes first, the other one is a nested lock (double_pt_lock)",
        reality: Reality::Deadlocks,
        world: &WORLD,
        tasks: &[
            task!(lock_upwards, "lock page table 0, then page table 1"),
            task!(lock_downwards, "lock page table 1, then page table 0"),
        ],
    },
    LockScenario {
        name: "two-ptls-guarded",
        breaks: "the same below the mmap lock, held for writing: nobody says why it is safe",
        mended_by: "the second one is a nested lock: who moves entries is alone (move_ptes)",
        reality: Reality::GuardedBy(LockClass::MmapLock),
        world: &WORLD,
        tasks: &[
            task!(move_upwards, "under the mmap lock: lock page table 0, then page table 1"),
            task!(move_downwards, "under the mmap lock: lock page table 1, then page table 0"),
        ],
    },
];

/// How the second table is locked.
#[derive(Clone, Copy)]
enum Second {
    /// As the first.
    Plain,
    /// As one that has a reason to be inside of the first.
    Nested,
}

fn lock_both<P: Platform>(world: &World<P>, [first, second]: [u64; 2], how: Second) {
    let pmd = |page| find_pmd(&world.mm, page_address::<P>(page)).expect("the set-up has written there");
    let _first = LockedTable::offset_map_lock(&world.mm, pmd(first)).expect("there is a table");
    let _second = match how {
        Second::Plain => LockedTable::offset_map_lock(&world.mm, pmd(second)),
        Second::Nested => LockedTable::offset_map_lock_nested(&world.mm, pmd(second)),
    };
}

fn lock_upwards<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    match form {
        Form::Broken => lock_both(world, [0, 2], Second::Plain),
        Form::Fixed => lock_both(world, [0, 2], Second::Nested),
    }
}

fn lock_downwards<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    match form {
        Form::Broken => lock_both(world, [2, 0], Second::Plain),
        Form::Fixed => lock_both(world, [0, 2], Second::Nested),
    }
}

fn alone<P: Platform>(world: &World<P>, pages: [u64; 2], form: Form) {
    let _vmas = world.mm.mmap_lock().write();
    match form {
        Form::Broken => lock_both(world, pages, Second::Plain),
        Form::Fixed => lock_both(world, pages, Second::Nested),
    }
}

fn move_upwards<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    alone(world, [0, 2], form);
}

fn move_downwards<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    alone(world, [2, 0], form);
}
