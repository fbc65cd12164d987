//! `std::sync::Once`: a lock around the first call, an atomic for those that come later.

use super::atomic::{AtomicU8, Ordering};
use crate::raw::RawMutex;
use lock_api::RawMutex as _;

/// Runs something once.
#[derive(Debug)]
pub struct Once {
    lock: RawMutex,
    state: AtomicU8,
}

/// What `call_once_force` tells its function.
#[derive(Debug)]
pub struct OnceState(bool);

impl OnceState {
    /// Whether an earlier call panicked.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.0
    }
}

const NEW: u8 = 0;
const DONE: u8 = 1;
const POISONED: u8 = 2;

impl Once {
    /// Nothing has run.
    #[must_use]
    #[track_caller]
    pub fn new() -> Once {
        Once { lock: RawMutex::new(), state: AtomicU8::new(NEW) }
    }

    /// Whether a call has completed.
    #[must_use]
    #[track_caller]
    pub fn is_completed(&self) -> bool {
        // ORDER: pairs with the release store in `call`.
        self.state.load(Ordering::Acquire) == DONE
    }

    /// Runs `f` if nothing has run; waits for it if another thread runs it.
    ///
    /// # Panics
    /// If an earlier call panicked.
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        self.call(|state| {
            assert!(!state.is_poisoned(), "Once instance has previously been poisoned");
            f();
        });
    }

    /// As `call_once`, but also runs if an earlier call panicked.
    #[track_caller]
    pub fn call_once_force(&self, f: impl FnOnce(&OnceState)) {
        self.call(f);
    }

    #[track_caller]
    fn call(&self, f: impl FnOnce(&OnceState)) {
        if self.is_completed() {
            return;
        }
        let mut finish = Finish { once: self, locked: Some(self.lock.lock()), news: None };
        // ORDER none: the lock is held, under which every store happens.
        let state = self.state.load(Ordering::Relaxed);
        if state != DONE {
            finish.news = Some(POISONED);
            f(&OnceState(state == POISONED));
            finish.news = Some(DONE);
        }
    }
}

/// Writes the outcome, if there is a new one, and unlocks; also when the function panics.
struct Finish<'o> {
    once: &'o Once,
    locked: Option<crate::raw::Locked>,
    news: Option<u8>,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.news {
            // ORDER: pairs with the acquire load in `is_completed`.
            self.once.state.store(state, Ordering::Release);
        }
        if let Some(locked) = self.locked.take() {
            // SAFETY: `locked` is what `lock` gave.
            unsafe { self.once.lock.unlock(locked) };
        }
    }
}

impl Default for Once {
    #[track_caller]
    fn default() -> Once {
        Once::new()
    }
}
