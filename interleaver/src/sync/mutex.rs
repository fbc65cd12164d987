//! `std::sync::Mutex`.

use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::{Handle, step_on};
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

/// A mutex with data, as in the standard library, poisoning included.
pub struct Mutex<T: ?Sized> {
    pub(crate) handle: Handle,
    poisoned: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: the engine lets one thread in at a time; `poisoned` is used by the holder only.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: it owns its value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

/// Access to the data of a locked [`Mutex`].
#[must_use = "dropped at once, it unlocks at once"]
pub struct MutexGuard<'m, T: ?Sized> {
    pub(crate) mutex: &'m Mutex<T>,
    was_panicking: bool,
}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    #[track_caller]
    pub fn new(value: T) -> Mutex<T> {
        let handle = Handle::new(ObjKind::Mutex, 0, Location::caller());
        Mutex { handle, poisoned: Cell::new(false), value: UnsafeCell::new(value) }
    }

    /// Gives it a name or class for traces and deadlocks.
    #[must_use]
    #[track_caller]
    pub fn named(mut self, label: &'static str) -> Mutex<T> {
        self.handle.set_label(label);
        self
    }

    /// The value.
    ///
    /// # Errors
    /// If a thread panicked while it held the lock.
    pub fn into_inner(self) -> LockResult<T> {
        let poisoned = self.poisoned.get();
        let value = self.value.into_inner();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }
}

impl<T: ?Sized> Mutex<T> {
    fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        let guard = MutexGuard { mutex: self, was_panicking: std::thread::panicking() };
        if self.poisoned.get() { Err(PoisonError::new(guard)) } else { Ok(guard) }
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// If a thread panicked while it held it.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        step_on(&self.handle, Kind::Lock, 0, 0);
        self.guard()
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// If it is held, or a thread panicked while it held it.
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if step_on(&self.handle, Kind::TryLock, 0, 0) == Some(0) {
            return Err(TryLockError::WouldBlock);
        }
        Ok(self.guard()?)
    }

    /// The value, which nobody else can reach.
    ///
    /// # Errors
    /// If a thread panicked while it held the lock.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let poisoned = self.poisoned.get();
        let value = self.value.get_mut();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }

    /// Whether a thread holds the lock now; the standard library has no such thing.
    #[track_caller]
    pub fn is_locked(&self) -> bool {
        step_on(&self.handle, Kind::Peek, 0, 0).unwrap_or_default() != 0
    }

    /// Whether a thread panicked while it held the lock.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.get()
    }

    /// Takes the lock again after a wait on a condvar.
    #[track_caller]
    pub(crate) fn relock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.lock()
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
        f.debug_struct("Mutex").field("poisoned", &self.poisoned.get()).finish_non_exhaustive()
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is proof that this thread holds the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[track_caller]
    fn drop(&mut self) {
        if !self.was_panicking && std::thread::panicking() {
            self.mutex.poisoned.set(true);
        }
        step_on(&self.mutex.handle, Kind::Unlock, 0, 0);
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
