//! What a task holds: the hooks that each lock calls, and what they ask lockdep to learn.
//!
//! # Invariants
//! - I1. A task's list is its own, on every engine: it comes from [`Platform::with_locals`].
//! - I2 (D53). Nobody waits for a lock whose waiters sleep while it holds a spinlock or is in a section of RCU.
//! - I3. What is learned is learned *before* the wait, so that an execution that deadlocks has told why.
//!
//! A trylock does not wait: it makes no order to what it gets, but who holds it goes on like any other holder. A lock
//! bit that is handed to somebody else (a read that the disk will end) leaves the list with [`disown`]; the other one's
//! release is not looked for in any list.
//!
//! Where [`Platform::LOCKDEP`] is not set, all of it vanishes.

use std::cell::RefCell;
use std::panic::Location;

use super::class::{KeySet, LockKey};
use super::lockdep;
use crate::platform::{Platform, in_rcu_section};

/// What a lock keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody else writes.
    Read,
    /// Nobody else comes in.
    Write,
}

/// A place in the source.
pub type Place = &'static Location<'static>;

/// A lock that a task holds.
#[derive(Clone, Copy, Debug)]
pub struct HeldLock {
    /// Which.
    pub key: LockKey,
    /// For what.
    pub mode: Mode,
    /// Where it was taken.
    pub since: Place,
    /// Which one of its class: where it stands.
    instance: usize,
}

/// The locks that a task holds, in the order in which it took them.
#[derive(Debug, Default)]
struct HeldLocks(RefCell<Vec<HeldLock>>);

impl HeldLocks {
    fn of_task<P: Platform>(look: impl FnOnce(&mut Vec<HeldLock>)) {
        P::with_locals(|locals| look(&mut locals.get::<Self>().0.borrow_mut()));
    }
}

/// Says that the task is about to wait for a lock, or might have to (`lock_acquire`, `might_lock`).
///
/// # Panics
/// If lockdep finds at once that this must not be, and nobody collects its findings.
#[track_caller]
pub(super) fn waits<P: Platform>(key: impl Into<LockKey>, mode: Mode) {
    waits_at::<P>(key.into(), mode, Location::caller());
}

/// As [`waits`], at another place than the caller's.
///
/// # Panics
/// As [`waits`].
pub(super) fn waits_at<P: Platform>(key: LockKey, mode: Mode, at: Place) {
    if !P::LOCKDEP {
        return;
    }
    let mut held = Vec::new();
    HeldLocks::of_task::<P>(|locks| held.clone_from(locks));
    let atomic =
        key.class.kind().sleeps() && (in_rcu_section::<P>() || held.iter().any(|lock| !lock.key.class.kind().sleeps()));
    if atomic {
        lockdep::sleeps::<P>(&held, key, at);
    }
    let (mut outer, mut written) = (KeySet::default(), KeySet::default());
    for from in &held {
        lockdep::learn::<P>(lockdep::Step { held: &held, from, outer, written, to: (key, mode, at) });
        outer.add(from.key);
        if from.mode == Mode::Write {
            written.add(from.key);
        }
    }
}

/// Says that the task has got a lock.
#[track_caller]
pub(super) fn got<P: Platform>(key: impl Into<LockKey>, mode: Mode, instance: usize) {
    got_at::<P>(key.into(), mode, instance, Location::caller());
}

/// As [`got`], at another place than the caller's.
pub(super) fn got_at<P: Platform>(key: LockKey, mode: Mode, instance: usize, since: Place) {
    if P::LOCKDEP {
        let lock = HeldLock { key, mode, since, instance };
        HeldLocks::of_task::<P>(|locks| locks.push(lock));
    }
}

/// Says that the lock is free again, or somebody else's; a lock bit may have been somebody else's before.
pub(super) fn disown<P: Platform>(instance: usize) {
    if P::LOCKDEP {
        HeldLocks::of_task::<P>(|locks| {
            if let Some(index) = locks.iter().rposition(|lock| lock.instance == instance) {
                locks.remove(index);
            }
        });
    }
}

/// Says that a writer goes on as a reader.
pub(super) fn downgraded<P: Platform>(instance: usize) {
    if P::LOCKDEP {
        HeldLocks::of_task::<P>(|locks| {
            let lock = locks.iter_mut().rev().find(|lock| lock.instance == instance);
            lock.expect("who downgrades a lock holds it").mode = Mode::Read;
        });
    }
}

/// By what a lock is told from others of its class.
pub(super) fn instance<T: ?Sized>(lock: &T) -> usize {
    std::ptr::from_ref(lock).cast::<()>().addr()
}
