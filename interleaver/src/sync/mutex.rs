//! `std::sync::Mutex`: a `lock_api` mutex over [`RawMutex`], and poisoning.

use super::poison::{Poison, Watch};
use crate::raw::RawMutex;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, TryLockError, TryLockResult};

/// A mutex with data, as in the standard library, poisoning included.
pub struct Mutex<T: ?Sized> {
    poison: Poison,
    inner: lock_api::Mutex<RawMutex, T>,
}

/// Access to the data of a locked [`Mutex`].
#[must_use = "dropped at once, it unlocks at once"]
pub struct MutexGuard<'m, T: ?Sized> {
    _watch: Watch<'m>,
    inner: lock_api::MutexGuard<'m, RawMutex, T>,
    pub(super) mutex: &'m Mutex<T>,
}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    #[track_caller]
    pub fn new(value: T) -> Mutex<T> {
        Mutex { poison: Poison::default(), inner: lock_api::Mutex::from_raw(RawMutex::new(), value) }
    }

    /// Gives it a name or class for traces and deadlocks.
    #[must_use]
    #[track_caller]
    pub fn named(self, label: &'static str) -> Mutex<T> {
        let (raw, value) = self.inner.into_inner_with_raw();
        Mutex { poison: self.poison, inner: lock_api::Mutex::from_raw(raw.with_label(label), value) }
    }

    /// The value.
    ///
    /// # Errors
    /// If a thread panicked while it held the lock.
    pub fn into_inner(self) -> LockResult<T> {
        let value = self.inner.into_inner();
        self.poison.warn(value)
    }
}

impl<T: ?Sized> Mutex<T> {
    fn guard<'m>(&'m self, inner: lock_api::MutexGuard<'m, RawMutex, T>) -> LockResult<MutexGuard<'m, T>> {
        self.poison.warn(MutexGuard { _watch: self.poison.watch(), inner, mutex: self })
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// If a thread panicked while it held it.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.guard(self.inner.lock())
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// If it is held, or a thread panicked while it held it.
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Some(inner) => Ok(self.guard(inner)?),
            None => Err(TryLockError::WouldBlock),
        }
    }

    /// The value, which nobody else can reach.
    ///
    /// # Errors
    /// If a thread panicked while it held the lock.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.warn(self.inner.get_mut())
    }

    /// Whether a thread holds the lock now; the standard library has no such thing.
    #[track_caller]
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    /// Whether a thread panicked while it held the lock.
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
