//! `std::cell::Cell`, watched: code that hands one from thread to thread must order its accesses.

use super::unsafe_cell::UnsafeCell;

/// The standard library's `Cell`, watched.
#[derive(Debug, Default)]
pub struct Cell<T>(UnsafeCell<T>);

impl<T> Cell<T> {
    /// Wraps a value.
    #[must_use]
    #[track_caller]
    pub fn new(value: T) -> Cell<T> {
        Cell(UnsafeCell::new(value))
    }

    /// Copies the value out.
    #[track_caller]
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        // SAFETY: the type is not `Sync`, no reference to the value is ever given out, and the copy runs no code.
        self.0.with(|value| unsafe { *value })
    }

    /// Replaces the value.
    #[track_caller]
    pub fn set(&self, value: T) {
        drop(self.replace(value));
    }

    /// Replaces the value and returns the old one.
    #[track_caller]
    pub fn replace(&self, value: T) -> T {
        // SAFETY: as in `get`; the old value is dropped by the caller.
        self.0.with_mut(|at| unsafe { std::mem::replace(&mut *at, value) })
    }

    /// Takes the value, and leaves a default one.
    #[track_caller]
    pub fn take(&self) -> T
    where
        T: Default,
    {
        self.replace(T::default())
    }

    /// The value, of a cell that nobody uses any more.
    #[must_use]
    #[track_caller]
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
