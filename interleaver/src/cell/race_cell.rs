//! Plain data with safe methods.

use super::watch::Watch;
use crate::engine::happens::PlainAccess;
use crate::engine::rt::{self, Mode};
use std::cell::UnsafeCell as StdUnsafeCell;
use std::panic::Location;

/// Plain data that threads share under some protocol of their own, such as a lock.
///
/// The checker verifies the protocol, so safe methods are enough: a racy access never returns.
pub struct RaceCell<T> {
    watch: Watch,
    value: StdUnsafeCell<T>,
}

// SAFETY: inside a model one thread runs at a time, and an access that is not ordered after a conflicting one does
// not return; outside of one, `Sync` code cannot reach the value at the same time either, since `get` and `set`
// refuse to run there.
unsafe impl<T: Send> Sync for RaceCell<T> {}

impl<T> RaceCell<T> {
    /// Wraps a value.
    #[must_use]
    #[track_caller]
    pub fn new(value: T) -> RaceCell<T> {
        RaceCell { watch: Watch::made(None), value: StdUnsafeCell::new(value) }
    }

    /// As `new`, for a `const` or `static`; the making is no access then.
    #[must_use]
    pub const fn const_new(value: T) -> RaceCell<T> {
        RaceCell { watch: Watch::new(None), value: StdUnsafeCell::new(value) }
    }

    /// Wraps a value, with a name for reports.
    #[must_use]
    #[track_caller]
    pub fn named(label: &'static str, value: T) -> RaceCell<T> {
        RaceCell { watch: Watch::made(Some(label)), value: StdUnsafeCell::new(value) }
    }

    #[track_caller]
    fn enter(&self, access: PlainAccess) {
        let place = Location::caller();
        match rt::mode() {
            Mode::Event | Mode::Leaving => _ = self.watch.check(access, place),
            Mode::Peeking => {}
        }
    }

    /// Copies the value out.
    #[track_caller]
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        self.enter(PlainAccess::Read);
        // SAFETY: no other thread runs, and no reference to the value is alive while user code runs in another thread
        // except under `with` and `with_mut`, whose accesses were checked to be ordered before this one.
        unsafe { *self.value.get() }
    }

    /// Replaces the value.
    #[track_caller]
    pub fn set(&self, value: T) {
        drop(self.replace(value));
    }

    /// Replaces the value and returns the old one.
    #[track_caller]
    pub fn replace(&self, value: T) -> T {
        self.enter(PlainAccess::Write);
        // SAFETY: as in `get`.
        unsafe { std::mem::replace(&mut *self.value.get(), value) }
    }

    /// Runs `f` on the value; the access counts at the beginning, and again at the end.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        self.enter(PlainAccess::Read);
        // SAFETY: as in `get`.
        let result = f(unsafe { &*self.value.get() });
        self.enter(PlainAccess::Read);
        result
    }

    /// Changes the value through its pointer; the access counts at the beginning, and again at the end.
    ///
    /// # Safety
    /// `f` makes no reference that another one overlaps: it may not call this cell again.
    #[track_caller]
    pub unsafe fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.enter(PlainAccess::Write);
        let result = f(self.value.get());
        self.enter(PlainAccess::Write);
        result
    }

    /// The value, which nobody else can reach.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The value, of a cell that nobody shares any more.
    #[must_use]
    #[track_caller]
    pub fn into_inner(self) -> T {
        self.watch.check(PlainAccess::Write, Location::caller());
        self.value.into_inner()
    }
}

impl<T: Default> Default for RaceCell<T> {
    #[track_caller]
    fn default() -> RaceCell<T> {
        RaceCell::new(T::default())
    }
}

impl<T> std::fmt::Debug for RaceCell<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RaceCell").finish_non_exhaustive()
    }
}
