//! A spinlock under loom: loom's own mutex, whose guard is kept until the unlock.
//!
//! It cannot be tried: a failed `try_lock` on loom's mutex reports deadlocks that cannot happen.

use std::mem;
use std::thread;

use loom::sync::{Mutex, MutexGuard};
use parking_lot::lock_api::RawMutex;

use super::super::seam::NewLock;

/// A lock that blocks; see the module for why it cannot be tried.
#[derive(Debug)]
pub struct SpinLock(Mutex<()>);

impl NewLock for SpinLock {
    fn new_lock(_class: &'static str) -> Self {
        Self(Mutex::new(()))
    }
}

// SAFETY: loom's mutex excludes; its guard is the state of the acquisition and unlocks when it is dropped.
unsafe impl RawMutex for SpinLock {
    const INIT: Self = panic!("a lock under loom belongs to one execution: make it with new_lock");

    type Guard = MutexGuard<'static, ()>;

    fn lock(&self) -> MutexGuard<'static, ()> {
        let guard = self.0.lock().expect("a panic ends the exploration, so nobody meets a poisoned lock");
        // SAFETY: the guard goes back to `unlock` of this very lock, or is forgotten, before the lock is dropped or
        // moved.
        unsafe { mem::transmute::<MutexGuard<'_, ()>, MutexGuard<'static, ()>>(guard) }
    }

    fn try_lock(&self) -> Option<MutexGuard<'static, ()>> {
        panic!("this lock is never tried: a lock that is must have a state of its own under loom")
    }

    unsafe fn unlock(&self, guard: MutexGuard<'static, ()>) {
        if thread::panicking() {
            // See `explore`: a failed model is left as it is.
            mem::forget(guard);
        }
    }

    fn is_locked(&self) -> bool {
        panic!("nobody asks whether a spinlock is held: the answer would be old")
    }
}
