//! Choices under loom, which knows none: the whole model is explored once for each assignment of choices.
//!
//! A choice is named by the actor that makes it and by how many it made before. An assignment gives every named choice
//! a value; for each execution with choices there is the assignment that has just these, so exploring the model under
//! every assignment covers all of them. Choices become known while the model runs; those that are known stand on a
//! stack in the order in which they came up, and the last one that has a value left is moved on, as in any
//! backtracking.

use std::cell::{Cell, RefCell};

use super::slot;

/// One choice that some execution made.
#[derive(Debug)]
struct Known {
    /// The actor's slot (the thread that runs alone has the one after the last), and how many it made before.
    name: (usize, usize),
    value: usize,
    /// The most possibilities that an execution had here.
    count: usize,
}

thread_local! {
    /// The assignment under which the thread that explores runs its model.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

loom::thread_local! {
    static MADE: Cell<usize> = Cell::new(0);
}

/// Forgets every choice, before the first model of an exploration.
pub(super) fn begin() {
    KNOWN.take();
}

/// Goes on to the next assignment; `false` if there is none left.
pub(super) fn advance() -> bool {
    KNOWN.with_borrow_mut(|known| {
        while let Some(last) = known.last_mut() {
            if last.value + 1 < last.count {
                last.value += 1;
                return true;
            }
            known.pop();
        }
        false
    })
}

/// What the assignment says of the running actor's next choice.
pub(super) fn choose(count: usize) -> usize {
    assert!(count > 0, "choose wants at least one possibility");
    let made = MADE.with(|made| made.replace(made.get() + 1));
    let name = (slot::current().unwrap_or_else(slot::actors), made);
    KNOWN.with_borrow_mut(|known| match known.iter_mut().find(|choice| choice.name == name) {
        Some(choice) => {
            choice.count = choice.count.max(count);
            // Another execution had more possibilities here: the others are met again, which is harmless.
            choice.value % count
        }
        None => {
            known.push(Known { name, value: 0, count });
            0
        }
    })
}
