//! Two page tables locked at once.

use crate::locks::LockClass;
use crate::mm::{LockedTable, Task, find_pmd};
use crate::platform::Platform;
use crate::platform::TwoLevels;
use crate::platform::interleaved::Interleaved;
use crate::scenario::definition::{Actor, Scenario, write};
use crate::scenario::world::{World, page_address};

use super::definition::{FOUR_PAGES, Form, LockScenario, Reality, race};

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
        play: |form| race(&WORLD, form, [up::<Interleaved<TwoLevels>>, down]),
    },
    LockScenario {
        name: "two-ptls-guarded",
        breaks: "the same below the mmap lock, held for writing: nobody says why it is safe",
        mended_by: "the second one is a nested lock: who moves entries is alone (move_ptes)",
        reality: Reality::GuardedBy(LockClass::MmapLock),
        play: |form| race(&WORLD, form, [up_alone::<Interleaved<TwoLevels>>, down_alone]),
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

fn up<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    match form {
        Form::Broken => lock_both(world, [0, 2], Second::Plain),
        Form::Fixed => lock_both(world, [0, 2], Second::Nested),
    }
}

fn down<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
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

fn up_alone<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    alone(world, [0, 2], form);
}

fn down_alone<P: Platform>(world: &World<P>, _task: &Task, form: Form) {
    alone(world, [2, 0], form);
}
