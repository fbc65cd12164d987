//! A lock bit under loom: a state under a mutex and a condition variable, so that it can be tried.

use std::thread;

use loom::sync::{Condvar, Mutex, MutexGuard};

use super::super::seam::{NewLock, RawBitLock};

/// A lock without an owner.
#[derive(Debug)]
pub struct BitLock {
    locked: Mutex<bool>,
    unlocked: Condvar,
}

impl BitLock {
    fn state(&self) -> MutexGuard<'_, bool> {
        self.locked.lock().expect("a panic ends the exploration, so nobody meets a poisoned lock")
    }

    fn wait_until_clear(&self) -> MutexGuard<'_, bool> {
        let mut locked = self.state();
        while *locked {
            locked = self.unlocked.wait(locked).expect("as in `state`");
        }
        locked
    }
}

impl NewLock for BitLock {
    fn new_lock(_class: &'static str) -> Self {
        Self { locked: Mutex::new(false), unlocked: Condvar::new() }
    }
}

impl RawBitLock for BitLock {
    fn lock(&self) {
        *self.wait_until_clear() = true;
    }

    fn try_lock(&self) -> bool {
        !std::mem::replace(&mut *self.state(), true)
    }

    fn unlock(&self) {
        if thread::panicking() {
            // See `explore`: a failed model is left as it is.
            return;
        }
        assert!(std::mem::take(&mut *self.state()), "a lock bit was cleared that nobody had set");
        self.unlocked.notify_all();
    }

    fn wait(&self) {
        drop(self.wait_until_clear());
    }

    fn is_locked(&self) -> bool {
        *self.state()
    }
}
