//! `std::sync::Barrier`.

use crate::engine::handle::Handle;
use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::{exec, step_on, wait_locally};
use std::panic::Location;

/// Lets threads pass when all have come.
pub struct Barrier {
    handle: Handle,
    size: usize,
}

/// Tells one of the threads from the others.
#[derive(Clone, Copy, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for the thread that came last.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// A barrier for so many threads.
    #[must_use]
    #[track_caller]
    pub fn new(size: usize) -> Barrier {
        Barrier { handle: Handle::new(ObjKind::Barrier, 0, Location::caller()), size }
    }

    /// Waits until all threads have come. The order in which they come can be seen (by who is leader), so each is
    /// explored.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let place = Location::caller();
        let last = step_on(&self.handle, Kind::Arrive, self.size as u64, 0);
        if last == Some(0) {
            let obj = self.handle.id(exec(), place);
            wait_locally(Kind::Passed, obj, 0, place);
        }
        BarrierWaitResult(last == Some(1))
    }
}

impl std::fmt::Debug for Barrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Barrier").field("size", &self.size).finish_non_exhaustive()
    }
}
