//! `std::sync::RwLock`, reader-preferring: every order that a fair one allows is explored too, but a reader that
//! holds the lock and reads again while a writer waits is let in. `raw::RawFairRwLock` is the one that is not.

use super::poison::{Poison, Watch};
use crate::raw::RawRwLock;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, TryLockError, TryLockResult};

/// A reader-writer lock with data, as in the standard library, poisoning included.
pub struct RwLock<T: ?Sized> {
    poison: Poison,
    inner: lock_api::RwLock<RawRwLock, T>,
}

/// Shared access to the data of an [`RwLock`].
#[must_use = "dropped at once, it unlocks at once"]
pub struct RwLockReadGuard<'l, T: ?Sized>(lock_api::RwLockReadGuard<'l, RawRwLock, T>);

/// Exclusive access to the data of an [`RwLock`].
#[must_use = "dropped at once, it unlocks at once"]
pub struct RwLockWriteGuard<'l, T: ?Sized> {
    _watch: Watch<'l>,
    inner: lock_api::RwLockWriteGuard<'l, RawRwLock, T>,
}

impl<T> RwLock<T> {
    /// A free lock.
    #[track_caller]
    pub fn new(value: T) -> RwLock<T> {
        RwLock { poison: Poison::default(), inner: lock_api::RwLock::from_raw(RawRwLock::new(), value) }
    }

    /// Gives it a name or class for traces and deadlocks.
    #[must_use]
    #[track_caller]
    pub fn named(self, label: &'static str) -> RwLock<T> {
        let (raw, value) = self.inner.into_inner_with_raw();
        RwLock { poison: self.poison, inner: lock_api::RwLock::from_raw(raw.with_label(label), value) }
    }

    /// The value.
    ///
    /// # Errors
    /// If a writer panicked.
    pub fn into_inner(self) -> LockResult<T> {
        let value = self.inner.into_inner();
        self.poison.warn(value)
    }
}

impl<T: ?Sized> RwLock<T> {
    fn writer<'l>(
        &'l self,
        inner: lock_api::RwLockWriteGuard<'l, RawRwLock, T>,
    ) -> LockResult<RwLockWriteGuard<'l, T>> {
        self.poison.warn(RwLockWriteGuard { _watch: self.poison.watch(), inner })
    }

    /// Takes shared access.
    ///
    /// # Errors
    /// If a writer panicked.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.poison.warn(RwLockReadGuard(self.inner.read()))
    }

    /// Takes shared access if no writer holds the lock.
    ///
    /// # Errors
    /// If one does, or a writer panicked.
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        match self.inner.try_read() {
            Some(inner) => Ok(self.poison.warn(RwLockReadGuard(inner))?),
            None => Err(TryLockError::WouldBlock),
        }
    }

    /// Takes exclusive access.
    ///
    /// # Errors
    /// If a writer panicked.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.writer(self.inner.write())
    }

    /// Takes exclusive access if the lock is free.
    ///
    /// # Errors
    /// If it is not, or a writer panicked.
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        match self.inner.try_write() {
            Some(inner) => Ok(self.writer(inner)?),
            None => Err(TryLockError::WouldBlock),
        }
    }

    /// The value, which nobody else can reach.
    ///
    /// # Errors
    /// If a writer panicked.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.warn(self.inner.get_mut())
    }

    /// Whether a writer panicked.
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }
}

impl<'l, T: ?Sized> RwLockWriteGuard<'l, T> {
    /// Turns exclusive access into shared access, and lets nobody write in between.
    #[track_caller]
    pub fn downgrade(this: RwLockWriteGuard<'l, T>) -> RwLockReadGuard<'l, T> {
        RwLockReadGuard(lock_api::RwLockWriteGuard::downgrade(this.inner))
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
