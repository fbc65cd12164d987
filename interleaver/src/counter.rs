//! A statistic: threads add to it, and somebody reads the sum when they are done.

use crate::engine::handle::Handle;
use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::step_on;
use std::panic::Location;

/// A sum whose additions commute, because nobody sees their results: any number of threads may add at any time and it
/// costs no executions. Reading it while others add does.
pub struct Counter {
    handle: Handle,
}

impl Counter {
    /// A counter at zero.
    #[must_use]
    #[track_caller]
    pub fn new() -> Counter {
        Counter { handle: Handle::new(ObjKind::Counter, 0, Location::caller()) }
    }

    /// A counter with a name.
    #[must_use]
    #[track_caller]
    pub fn named(label: &'static str) -> Counter {
        let mut counter = Counter::new();
        counter.handle.set_label(label);
        counter
    }

    /// Adds, wrapping around. Negative numbers are two's complements.
    #[track_caller]
    pub fn add(&self, value: u64) {
        step_on(&self.handle, Kind::Add, value, 0);
    }

    /// The sum so far.
    #[must_use]
    #[track_caller]
    pub fn sum(&self) -> u64 {
        step_on(&self.handle, Kind::Sum, 0, 0).unwrap_or_default()
    }
}

impl Default for Counter {
    #[track_caller]
    fn default() -> Counter {
        Counter::new()
    }
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").finish_non_exhaustive()
    }
}
