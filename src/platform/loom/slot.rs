//! Which actor is running: each has a slot, by which the other parts of this back end keep actors apart.
//!
//! The thread that sets the world up and looks at it afterwards has none. It runs alone (before the first actor is
//! spawned and after the last is joined), so happens-before orders it with all of them and it pays for no cure.

use std::cell::Cell;
use std::sync::mpsc;

use loom::thread::{Builder, JoinHandle};

use super::explore::contain;

thread_local! {
    /// How many actors this exploration has; set before each execution by the thread that explores.
    static ACTORS: Cell<usize> = const { Cell::new(0) };
}

loom::thread_local! {
    static SLOT: Cell<Option<usize>> = Cell::new(None);
    static SPAWNED: Cell<usize> = Cell::new(0);
}

/// Says how many actors the next executions on this thread of the host will spawn.
pub(super) fn set_actors(count: usize) {
    ACTORS.set(count);
}

/// How many actors this execution has.
pub(super) fn actors() -> usize {
    ACTORS.get()
}

/// The running actor's slot, or `None` for the thread that runs alone.
pub(super) fn current() -> Option<usize> {
    SLOT.with(Cell::get)
}

/// A running actor.
#[derive(Debug)]
pub struct Actor<T> {
    thread: JoinHandle<()>,
    result: mpsc::Receiver<T>,
}

impl<T: Send + 'static> Actor<T> {
    pub(super) fn spawn(name: String, body: impl FnOnce() -> T + Send + 'static) -> Self {
        let slot = SPAWNED.with(|spawned| spawned.replace(spawned.get() + 1));
        assert!(slot < actors(), "actor {slot} of {}: the exploration was told of too few", actors());
        let (sender, result) = mpsc::sync_channel(1);
        let thread = Builder::new()
            .name(name)
            .spawn(move || {
                SLOT.with(|current| current.set(Some(slot)));
                sender.send(contain(body)).expect("whoever joins holds the receiver");
            })
            .expect("loom has room for one more thread");
        Self { thread, result }
    }

    pub(super) fn join(self) -> T {
        self.thread.join().expect("an actor's panic ends the exploration before the join");
        self.result.recv().expect("a joined actor has sent its result")
    }
}
