//! A spinlock with a class.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use parking_lot::lock_api::{Mutex, MutexGuard};

use super::class::{LockClass, LockKey};
use super::held::{Mode, Place, disown, got_at, instance, waits_at};
use crate::platform::{NewLock, Platform, remark};

/// A spinlock around what it protects (`spinlock_t`).
pub struct Spin<P: Platform, T> {
    class: LockClass,
    lock: Mutex<P::RawSpin, T>,
}

impl<P: Platform, T> Spin<P, T> {
    /// An unlocked lock of the class `class`.
    pub fn new(class: LockClass, value: T) -> Self {
        Self { class, lock: Mutex::from_raw(P::RawSpin::new_lock(class.name()), value) }
    }

    /// Waits for the lock.
    #[track_caller]
    pub fn lock(&self) -> SpinGuard<'_, P, T> {
        self.lock_as(LockKey::of(self.class), Location::caller())
    }

    /// As [`Spin::lock`], inside of another lock of the class: the caller knows why nobody does it the other way round
    /// (`spin_lock_nested`).
    #[track_caller]
    pub fn lock_nested(&self) -> SpinGuard<'_, P, T> {
        self.lock_as(LockKey::nested(self.class), Location::caller())
    }

    /// As [`Spin::lock`]; for a lock whose class depends on what it has become the lock of. Lockdep names `place`.
    #[track_caller]
    pub fn lock_as(&self, key: LockKey, place: Place) -> SpinGuard<'_, P, T> {
        waits_at::<P>(key, Mode::Write, place);
        let guard = self.lock.lock();
        remark::<P>(format_args!("lock {}", self.class));
        got_at::<P>(key, Mode::Write, instance(self), place);
        SpinGuard { guard, _told: Told::new("unlock", self.class, instance(self)) }
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

/// Tells of a release when it is dropped, which is after the guard beside it: the story, and lockdep.
pub(super) struct Told<P: Platform> {
    verb: &'static str,
    class: LockClass,
    instance: usize,
    _platform: PhantomData<P>,
}

impl<P: Platform> Told<P> {
    pub(super) fn new(verb: &'static str, class: LockClass, instance: usize) -> Self {
        Self { verb, class, instance, _platform: PhantomData }
    }

    /// Forgets it without a word; returns which lock it is.
    pub(super) fn forget(self) -> usize {
        let instance = self.instance;
        mem::forget(self);
        instance
    }
}

impl<P: Platform> Drop for Told<P> {
    fn drop(&mut self) {
        remark::<P>(format_args!("{} {}", self.verb, self.class));
        disown::<P>(self.instance);
    }
}
