//! `std::sync::Condvar`.
//!
//! A wait is four steps: join the waiters, release the mutex, wake up, take the mutex. That joining comes before
//! releasing, instead of both at once, cannot be seen: a notification in between wakes the waiter, as one right after
//! would. `notify_one` may wake any waiter; each of them is explored.
//!
//! A spurious wake-up may come and need not: where the check allows one, the thread chooses (a step of its own) whether
//! it will wake without a reason. If it does not, it waits for a notification, for ever if none comes.

use super::mutex::{Mutex, MutexGuard};
use crate::engine::exec::{Status, Wake};
use crate::engine::handle::Handle;
use crate::engine::op::{Kind, ObjId, ObjKind};
use crate::engine::rt::{exec, step, step_on, try_runtime, wait_locally};
use std::panic::Location;
use std::sync::LockResult;
use std::time::Duration;

/// A condition variable, as in the standard library.
pub struct Condvar {
    handle: Handle,
}

/// Whether a wait ended because its time was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it did.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

/// Whether a wait may end by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Endless,
    Limited,
}

impl Condvar {
    /// A condition variable without waiters.
    #[must_use]
    #[track_caller]
    pub fn new() -> Condvar {
        Condvar { handle: Handle::new(ObjKind::Condvar, 0, Location::caller()) }
    }

    /// Gives it a name for traces.
    #[must_use]
    #[track_caller]
    pub fn named(mut self, label: &'static str) -> Condvar {
        self.handle.set_label(label);
        self
    }

    /// Releases the mutex, waits for a notification, and takes the mutex again.
    ///
    /// # Errors
    /// If a thread panicked while it held the mutex.
    #[track_caller]
    pub fn wait<'m, T>(&self, guard: MutexGuard<'m, T>) -> LockResult<MutexGuard<'m, T>> {
        let mutex = guard.mutex;
        self.sleep(guard, Patience::Endless);
        mutex.lock()
    }

    /// Waits as long as `condition` holds.
    ///
    /// # Errors
    /// If a thread panicked while it held the mutex.
    #[track_caller]
    pub fn wait_while<'m, T>(
        &self,
        mut guard: MutexGuard<'m, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'m, T>> {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As `wait`, but the time may be over at any moment, however long it is. Some day it is.
    ///
    /// # Errors
    /// If a thread panicked while it held the mutex.
    #[track_caller]
    pub fn wait_timeout<'m, T>(
        &self,
        guard: MutexGuard<'m, T>,
        _time: Duration,
    ) -> LockResult<(MutexGuard<'m, T>, WaitTimeoutResult)> {
        let mutex: &'m Mutex<T> = guard.mutex;
        let wake = self.sleep(guard, Patience::Limited);
        let over = WaitTimeoutResult(wake == Wake::TimedOut);
        match mutex.lock() {
            Ok(guard) => Ok((guard, over)),
            Err(poisoned) => Err(std::sync::PoisonError::new((poisoned.into_inner(), over))),
        }
    }

    #[track_caller]
    fn sleep<T>(&self, guard: MutexGuard<'_, T>, patience: Patience) -> Wake {
        let place = Location::caller();
        if step_on(&self.handle, Kind::Enlist, 0, 0).is_none() {
            return Wake::Notified;
        }
        drop(guard);
        let Some(runtime) = try_runtime() else { return Wake::Notified };
        if runtime.exec.status != Status::Running {
            return Wake::Notified;
        }
        let exec = exec();
        let me = exec.current;
        let obj = self.handle.id(exec, place);
        let for_no_reason = exec.thread(me).spurious_left > 0 && step(Kind::Choose, ObjId::NONE, 2, 0, place) == 1;
        let timed = patience == Patience::Limited;
        if timed || for_no_reason {
            step(Kind::Wake, obj, 0, u64::from(!for_no_reason), place);
        } else if self::exec().obj(obj).waiters.contains(&me) {
            wait_locally(Kind::Wake, obj, 0, place);
        } else {
            // Notified between joining the waiters and going to sleep; the notifier could not order this thread then.
            let exec = self::exec();
            let notified_by = exec.thread(me).notified_by;
            exec.thread_clock_joins_event(me, notified_by);
        }
        if for_no_reason { Wake::Notified } else { self::exec().thread(me).wake }
    }

    /// Wakes one waiter, any.
    #[track_caller]
    pub fn notify_one(&self) {
        step_on(&self.handle, Kind::NotifyOne, 0, 0);
    }

    /// Wakes all waiters.
    #[track_caller]
    pub fn notify_all(&self) {
        step_on(&self.handle, Kind::NotifyAll, 0, 0);
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl std::fmt::Debug for Condvar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
