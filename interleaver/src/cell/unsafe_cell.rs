//! Plain data behind pointers, as loom has it.

use super::watch::{Watch, Watched};
use crate::engine::happens::PlainAccess;
use crate::engine::op::Place;
use crate::engine::rt;
use std::cell::UnsafeCell as StdUnsafeCell;
use std::panic::Location;

/// The standard library's `UnsafeCell`, watched, with loom's closures instead of `get`.
pub struct UnsafeCell<T> {
    watch: Watch,
    value: StdUnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    /// Wraps a value.
    #[must_use]
    #[track_caller]
    pub fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell { watch: Watch::made(None), value: StdUnsafeCell::new(value) }
    }

    /// Runs `f` on a pointer for reading.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        let place = Location::caller();
        self.watch.check(PlainAccess::Read, place);
        let result = f(self.value.get());
        self.watch.check(PlainAccess::Read, place);
        result
    }

    /// Runs `f` on a pointer for writing.
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        let place = Location::caller();
        self.watch.check(PlainAccess::Write, place);
        let result = f(self.value.get());
        self.watch.check(PlainAccess::Write, place);
        result
    }

    /// The value, of a cell that nobody shares any more.
    #[must_use]
    #[track_caller]
    pub fn into_inner(self) -> T {
        self.watch.check(PlainAccess::Write, Location::caller());
        self.value.into_inner()
    }
}

impl<T> UnsafeCell<T> {
    /// A pointer for reading; the access goes on until it is dropped.
    #[track_caller]
    pub fn get(&self) -> ConstPtr<T> {
        let place = Location::caller();
        ConstPtr { watched: self.watch.check(PlainAccess::Read, place), pointer: self.value.get(), place }
    }

    /// A pointer for writing; the access goes on until it is dropped.
    #[track_caller]
    pub fn get_mut(&self) -> MutPtr<T> {
        let place = Location::caller();
        MutPtr { watched: self.watch.check(PlainAccess::Write, place), pointer: self.value.get(), place }
    }
}

/// A pointer for reading an [`UnsafeCell`].
pub struct ConstPtr<T> {
    watched: Option<Watched>,
    pointer: *const T,
    place: Place,
}

/// A pointer for writing an [`UnsafeCell`].
pub struct MutPtr<T> {
    watched: Option<Watched>,
    pointer: *mut T,
    place: Place,
}

impl<T> ConstPtr<T> {
    /// The value.
    ///
    /// # Safety
    /// The cell lives, and nobody writes it meanwhile; the checker looks at the latter.
    #[must_use]
    pub unsafe fn deref(&self) -> &T {
        // SAFETY: by the caller's promise.
        unsafe { &*self.pointer }
    }

    /// Runs `f` on the pointer.
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.pointer)
    }
}

impl<T> MutPtr<T> {
    /// The value.
    ///
    /// # Safety
    /// The cell lives, nobody else uses it meanwhile, and no other reference from here is alive; the checker looks at
    /// other threads.
    #[must_use]
    #[expect(clippy::mut_from_ref, reason = "loom's signature")]
    pub unsafe fn deref(&self) -> &mut T {
        // SAFETY: by the caller's promise.
        unsafe { &mut *self.pointer }
    }

    /// Runs `f` on the pointer.
    pub fn with<R>(&mut self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.pointer)
    }
}

impl<T> Drop for ConstPtr<T> {
    fn drop(&mut self) {
        if let Some(watched) = self.watched.filter(|_| !rt::panicking()) {
            watched.check(PlainAccess::Read, self.place);
        }
    }
}

impl<T> Drop for MutPtr<T> {
    fn drop(&mut self) {
        if let Some(watched) = self.watched.filter(|_| !rt::panicking()) {
            watched.check(PlainAccess::Write, self.place);
        }
    }
}

impl<T> std::fmt::Debug for ConstPtr<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pointer.fmt(f)
    }
}

impl<T> std::fmt::Debug for MutPtr<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pointer.fmt(f)
    }
}

impl<T: Default> Default for UnsafeCell<T> {
    #[track_caller]
    fn default() -> UnsafeCell<T> {
        UnsafeCell::new(T::default())
    }
}

impl<T> std::fmt::Debug for UnsafeCell<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnsafeCell").finish_non_exhaustive()
    }
}
