//! `std::sync::RwLock`, reader-preferring: every order that a fair one allows is explored too, but a reader that
//! holds the lock and reads again while a writer waits is let in. `raw::RawFairRwLock` is the one that is not.

use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::{Handle, step_on};
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

/// A reader-writer lock with data, as in the standard library.
pub struct RwLock<T: ?Sized> {
    handle: Handle,
    poisoned: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: the engine lets in readers or one writer; `poisoned` is set by the writer only.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: it owns its value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}

/// Shared access to the data of an [`RwLock`].
#[must_use = "dropped at once, it unlocks at once"]
pub struct RwLockReadGuard<'l, T: ?Sized>(&'l RwLock<T>);

/// Exclusive access to the data of an [`RwLock`].
#[must_use = "dropped at once, it unlocks at once"]
pub struct RwLockWriteGuard<'l, T: ?Sized> {
    lock: &'l RwLock<T>,
    was_panicking: bool,
}

impl<T> RwLock<T> {
    /// A free lock.
    #[track_caller]
    pub fn new(value: T) -> RwLock<T> {
        let handle = Handle::new(ObjKind::RwLock, 0, Location::caller());
        RwLock { handle, poisoned: Cell::new(false), value: UnsafeCell::new(value) }
    }

    /// Gives it a name or class for traces and deadlocks.
    #[must_use]
    #[track_caller]
    pub fn named(mut self, label: &'static str) -> RwLock<T> {
        self.handle.set_label(label);
        self
    }

    /// The value.
    ///
    /// # Errors
    /// If a writer panicked.
    pub fn into_inner(self) -> LockResult<T> {
        let poisoned = self.poisoned.get();
        let value = self.value.into_inner();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }
}

impl<T: ?Sized> RwLock<T> {
    fn checked<G>(&self, guard: G) -> LockResult<G> {
        if self.poisoned.get() { Err(PoisonError::new(guard)) } else { Ok(guard) }
    }

    fn writer(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard { lock: self, was_panicking: std::thread::panicking() }
    }

    /// Takes shared access.
    ///
    /// # Errors
    /// If a writer panicked.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        step_on(&self.handle, Kind::Read, 0, 0);
        self.checked(RwLockReadGuard(self))
    }

    /// Takes shared access if no writer holds the lock.
    ///
    /// # Errors
    /// If one does, or a writer panicked.
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        if step_on(&self.handle, Kind::TryRead, 0, 0) == Some(0) {
            return Err(TryLockError::WouldBlock);
        }
        Ok(self.checked(RwLockReadGuard(self))?)
    }

    /// Takes exclusive access.
    ///
    /// # Errors
    /// If a writer panicked.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        step_on(&self.handle, Kind::Write, 0, 0);
        self.checked(self.writer())
    }

    /// Takes exclusive access if the lock is free.
    ///
    /// # Errors
    /// If it is not, or a writer panicked.
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        if step_on(&self.handle, Kind::TryWrite, 0, 0) == Some(0) {
            return Err(TryLockError::WouldBlock);
        }
        Ok(self.checked(self.writer())?)
    }

    /// The value, which nobody else can reach.
    ///
    /// # Errors
    /// If a writer panicked.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let poisoned = self.poisoned.get();
        let value = self.value.get_mut();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }

    /// Whether a writer panicked.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.get()
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").field("poisoned", &self.poisoned.get()).finish_non_exhaustive()
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is proof of shared access.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[track_caller]
    fn drop(&mut self) {
        step_on(&self.0.handle, Kind::ReadUnlock, 0, 0);
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is proof of exclusive access.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[track_caller]
    fn drop(&mut self) {
        if !self.was_panicking && std::thread::panicking() {
            self.lock.poisoned.set(true);
        }
        step_on(&self.lock.handle, Kind::WriteUnlock, 0, 0);
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
