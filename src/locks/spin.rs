//! A spinlock with a class.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use parking_lot::lock_api::{Mutex, MutexGuard};

use crate::platform::{NewLock, Platform, remark};

/// A spinlock around what it protects (`spinlock_t`).
pub struct Spin<P: Platform, T> {
    class: &'static str,
    lock: Mutex<P::RawSpin, T>,
}

impl<P: Platform, T> Spin<P, T> {
    /// An unlocked lock of the class `class`.
    pub fn new(class: &'static str, value: T) -> Self {
        Self { class, lock: Mutex::from_raw(P::RawSpin::new_lock(class), value) }
    }

    /// Waits for the lock.
    #[track_caller]
    pub fn lock(&self) -> SpinGuard<'_, P, T> {
        let guard = self.lock.lock();
        remark::<P>(format_args!("lock {}", self.class));
        SpinGuard { guard, _told: Told::new("unlock", self.class) }
    }
}

impl<P: Platform, T> fmt::Debug for Spin<P, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Spin").field("class", &self.class).finish_non_exhaustive()
    }
}

/// The proof that a [`Spin`] is held.
#[must_use = "the lock is released when the guard is dropped"]
pub struct SpinGuard<'a, P: Platform, T> {
    guard: MutexGuard<'a, P::RawSpin, T>,
    _told: Told<P>,
}

impl<P: Platform, T> Deref for SpinGuard<'_, P, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<P: Platform, T> DerefMut for SpinGuard<'_, P, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Tells of a release when it is dropped, which is after the guard beside it.
pub(super) struct Told<P: Platform> {
    verb: &'static str,
    class: &'static str,
    _platform: PhantomData<P>,
}

impl<P: Platform> Told<P> {
    pub(super) fn new(verb: &'static str, class: &'static str) -> Self {
        Self { verb, class, _platform: PhantomData }
    }
}

impl<P: Platform> Drop for Told<P> {
    fn drop(&mut self) {
        remark::<P>(format_args!("{} {}", self.verb, self.class));
    }
}
