//! A mutual exclusion lock with a state, not a spin: who waits for it costs no executions.

use crate::engine::handle::Handle;
use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::step_on;
use std::panic::Location;

/// Proof that a [`RawMutex`] was locked.
#[derive(Debug)]
pub struct Locked(pub(crate) ());

impl Locked {
    /// For code that keeps no guards.
    ///
    /// # Safety
    /// The mutex is locked, and nobody else has or makes the proof.
    #[must_use]
    pub unsafe fn assumed() -> Locked {
        Locked(())
    }
}

/// A mutex or spinlock that implements `lock_api::RawMutex`.
///
/// Inside a model use `lock_api::Mutex::from_raw(RawMutex::new(), value)` and not `lock_api::Mutex::new(value)`: that
/// makes the lock in a constant, so the checker meets it at its first use. If threads have taken steps by then, the
/// lock cannot be recognized in other executions, and a search fails. A `static` may be made in either way.
pub struct RawMutex {
    handle: Handle,
}

impl RawMutex {
    /// An unlocked mutex.
    #[must_use]
    #[track_caller]
    pub fn new() -> RawMutex {
        RawMutex { handle: Handle::new(ObjKind::Mutex, 0, Location::caller()) }
    }

    /// An unlocked mutex with a name or class, which traces and deadlocks show.
    #[must_use]
    #[track_caller]
    pub fn named(label: &'static str) -> RawMutex {
        RawMutex::new().with_label(label)
    }

    #[track_caller]
    pub(crate) fn with_label(mut self, label: &'static str) -> RawMutex {
        self.handle.set_label(label);
        self
    }
}

impl Default for RawMutex {
    #[track_caller]
    fn default() -> RawMutex {
        RawMutex::new()
    }
}

impl std::fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawMutex").finish_non_exhaustive()
    }
}

// SAFETY: the engine lets one thread in at a time; `Lock` is enabled only while nobody holds the mutex.
unsafe impl lock_api::RawMutex for RawMutex {
    const INIT: RawMutex = RawMutex { handle: Handle::lazy(ObjKind::Mutex, 0) };

    type Guard = Locked;

    #[track_caller]
    fn lock(&self) -> Locked {
        step_on(&self.handle, Kind::Lock, 0, 0);
        Locked(())
    }

    #[track_caller]
    fn try_lock(&self) -> Option<Locked> {
        let got = step_on(&self.handle, Kind::TryLock, 0, 0).unwrap_or(1);
        (got != 0).then_some(Locked(()))
    }

    #[track_caller]
    unsafe fn unlock(&self, _guard: Locked) {
        step_on(&self.handle, Kind::Unlock, 0, 0);
    }

    #[track_caller]
    fn is_locked(&self) -> bool {
        step_on(&self.handle, Kind::Peek, 0, 0).unwrap_or_default() != 0
    }
}
