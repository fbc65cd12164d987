//! Ghost state: what a checker remembers beside the model, and what no engine sees.
//!
//! An access is no scheduling point and orders nothing. So a check that rests on ghost state alone sees one order of
//! two steps that the model does not order, and an engine that explores each order of dependent steps once may never
//! try the other. Whoever checks makes the check on both sides, or lets a [`super::RaceCell`] say that something must
//! order them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A value that no engine sees.
pub struct Ghost<T>(Mutex<T>);

impl<T> Ghost<T> {
    /// A value.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Looks at the value, or changes it. `look` must come to its end without a step of the model.
    pub fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        // What was broken by a panic is an execution that has failed already.
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Default> Default for Ghost<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Ghost<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ghost").finish_non_exhaustive()
    }
}
