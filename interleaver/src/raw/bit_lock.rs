//! A lock bit with a queue of waiters, which any thread may release: a page lock, a writeback bit.

use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::{Handle, step_on};
use std::panic::Location;

/// A lock without an owner.
pub struct BitLock {
    handle: Handle,
}

impl BitLock {
    /// An unlocked bit.
    #[must_use]
    #[track_caller]
    pub fn new() -> BitLock {
        BitLock { handle: Handle::new(ObjKind::BitLock, 0, Location::caller()) }
    }

    /// An unlocked bit with a name or class.
    #[must_use]
    #[track_caller]
    pub fn named(label: &'static str) -> BitLock {
        let mut lock = BitLock::new();
        lock.handle.set_label(label);
        lock
    }

    /// Waits until the bit is clear and sets it.
    #[track_caller]
    pub fn lock(&self) {
        step_on(&self.handle, Kind::Lock, 0, 0);
    }

    /// Sets the bit if it is clear; says whether it did.
    #[track_caller]
    pub fn try_lock(&self) -> bool {
        step_on(&self.handle, Kind::TryLock, 0, 0).unwrap_or(1) != 0
    }

    /// Clears the bit and lets waiters try. The thread need not be the one that set it.
    #[track_caller]
    pub fn unlock(&self) {
        step_on(&self.handle, Kind::Unlock, 0, 0);
    }

    /// Waits until the bit is clear, without setting it.
    #[track_caller]
    pub fn wait(&self) {
        step_on(&self.handle, Kind::WaitFree, 0, 0);
    }

    /// Whether the bit is set.
    #[must_use]
    #[track_caller]
    pub fn is_locked(&self) -> bool {
        step_on(&self.handle, Kind::Peek, 0, 0).unwrap_or_default() != 0
    }
}

impl Default for BitLock {
    #[track_caller]
    fn default() -> BitLock {
        BitLock::new()
    }
}

impl std::fmt::Debug for BitLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BitLock").finish_non_exhaustive()
    }
}
