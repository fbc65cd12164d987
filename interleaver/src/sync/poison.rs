//! Poisoning, as the standard library has it: a lock remembers that a thread panicked while it held it.

use crate::engine::rt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LockResult, PoisonError};

/// Whether a thread has panicked while it held the lock.
#[derive(Default)]
pub(super) struct Poison(AtomicBool);

/// Part of a guard, dropped before the lock is released.
pub(super) struct Watch<'l> {
    poison: &'l Poison,
    /// A thread that takes the lock while it unwinds leaves no more damage than was there.
    was_panicking: bool,
}

impl Poison {
    pub(super) fn is_set(&self) -> bool {
        // ORDER none: only the holder of the lock writes it.
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn watch(&self) -> Watch<'_> {
        Watch { poison: self, was_panicking: rt::panicking() }
    }

    /// A guard, or what else gives access, with the warning that belongs to it.
    pub(super) fn warn<G>(&self, guard: G) -> LockResult<G> {
        if self.is_set() { Err(PoisonError::new(guard)) } else { Ok(guard) }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.was_panicking && rt::panicking() {
            // ORDER none: the lock is held.
            self.poison.0.store(true, Ordering::Relaxed);
        }
    }
}
