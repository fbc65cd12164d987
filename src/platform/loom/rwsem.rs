//! A fair reader-writer semaphore under loom, kept in parts: one for each actor.
//!
//! A reader locks its own actor's part, so readers touch different objects and loom need not order them. A writer
//! queues on every part and then takes them one by one.
//!
//! # State of a part
//!
//! | readers | queued | writer | meaning |
//! |---|---|---|---|
//! | 0 | 0 | no | free |
//! | n | 0 | no | held for reading n times by its actor |
//! | n | q | no | as above; q writers wait, new readers wait behind them (fairness) |
//! | 0 | q | yes | held for writing (by a writer that perhaps still waits for other parts) |
//!
//! # Invariants
//! - I1. A writer holds the semaphore when it is the writer of every part; parts are taken in one order, so writers do
//!   not deadlock each other.
//! - I2. A writer is queued on all parts before it waits for any: from then on every new reader waits, also one that
//!   holds the semaphore already (a recursive read behind a queued writer is a deadlock, as in Linux).
//! - I3. Trying never waits: it looks at the own part only, under a mutex that is held for no longer than a look.

use std::thread;

use loom::sync::{Condvar, Mutex, MutexGuard};
use parking_lot::lock_api::{GuardNoSend, RawRwLock, RawRwLockDowngrade};

use super::super::seam::NewLock;
use super::slot;

/// A fair semaphore that can be tried without raising false deadlocks.
#[derive(Debug)]
pub struct FairRwSem {
    parts: Box<[Part]>,
}

#[derive(Debug)]
struct Part {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    readers: usize,
    queued: usize,
    writer: bool,
    sleepers: usize,
}

impl State {
    fn admits_reader(&self) -> bool {
        !self.writer && self.queued == 0
    }

    fn admits_writer(&self) -> bool {
        !self.writer && self.readers == 0
    }
}

impl Part {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a panic ends the exploration, so nobody meets a poisoned lock")
    }

    fn wait_until(&self, admitted: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while !admitted(&state) {
            state.sleepers += 1;
            state = self.changed.wait(state).expect("as in `state`");
            state.sleepers -= 1;
        }
        state
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if thread::panicking() {
            // See `explore`: a failed model is left as it is.
            return;
        }
        let mut state = self.state();
        change(&mut state);
        let wake = state.sleepers > 0;
        drop(state);
        if wake {
            self.changed.notify_all();
        }
    }
}

impl FairRwSem {
    /// The running actor's part; the thread that runs alone borrows the first one.
    fn own(&self) -> usize {
        slot::current().unwrap_or(0)
    }
}

impl NewLock for FairRwSem {
    fn new_lock(_class: &'static str) -> Self {
        let part = |_| Part { state: Mutex::new(State::default()), changed: Condvar::new() };
        Self { parts: (0..slot::actors().max(1)).map(part).collect() }
    }
}

/// A read lock, and the part that counts it.
pub struct ReadHold {
    part: usize,
    _not_sent: GuardNoSend,
}

// SAFETY: I1 excludes writers from each other and from every part's readers; the mutex of each part orders memory.
unsafe impl RawRwLock for FairRwSem {
    const INIT: Self = panic!("a semaphore under loom belongs to one execution: make it with new_lock");

    type SharedGuard = ReadHold;
    type ExclusiveGuard = GuardNoSend;

    fn lock_shared(&self) -> ReadHold {
        let part = self.own();
        self.parts[part].wait_until(State::admits_reader).readers += 1;
        ReadHold { part, _not_sent: GuardNoSend::new() }
    }

    fn try_lock_shared(&self) -> Option<ReadHold> {
        let part = self.own();
        let mut state = self.parts[part].state();
        state.admits_reader().then(|| {
            state.readers += 1;
            ReadHold { part, _not_sent: GuardNoSend::new() }
        })
    }

    unsafe fn unlock_shared(&self, hold: ReadHold) {
        self.parts[hold.part].change(|state| state.readers -= 1);
    }

    fn lock_exclusive(&self) -> GuardNoSend {
        self.parts.iter().for_each(|part| part.change(|state| state.queued += 1));
        for part in &self.parts {
            let mut state = part.wait_until(State::admits_writer);
            state.writer = true;
            state.queued -= 1;
        }
        GuardNoSend::new()
    }

    fn try_lock_exclusive(&self) -> Option<GuardNoSend> {
        panic!("nobody tries to write-lock this semaphore: its parts cannot be taken back")
    }

    unsafe fn unlock_exclusive(&self, _hold: GuardNoSend) {
        self.parts.iter().for_each(|part| part.change(|state| state.writer = false));
    }

    fn is_locked(&self) -> bool {
        panic!("nobody asks whether the semaphore is held: the answer would be old")
    }

    fn is_locked_exclusive(&self) -> bool {
        panic!("nobody asks whether the semaphore is held: the answer would be old")
    }
}

// SAFETY: the own part goes from writer to reader in one step, so no other writer ever holds every part in between.
unsafe impl RawRwLockDowngrade for FairRwSem {
    unsafe fn downgrade(&self, _hold: GuardNoSend) -> ReadHold {
        let own = self.own();
        for (index, part) in self.parts.iter().enumerate() {
            part.change(|state| {
                state.writer = false;
                state.readers += usize::from(index == own);
            });
        }
        ReadHold { part: own, _not_sent: GuardNoSend::new() }
    }
}
