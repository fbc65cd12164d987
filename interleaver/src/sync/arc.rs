//! `std::sync::Arc`, tracked: a leak check counts it, and dropping it orders what its last owner does after what the
//! others did.
//!
//! # Limits
//! Counting references is no step: which thread drops last is not explored for its own sake. When the destructor of
//! the value takes steps itself, the order of drops can matter; such code should make that order a step of its own.

use crate::engine::handle::Handle;
use crate::engine::op::{ObjId, ObjKind};
use crate::engine::rt;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc as StdArc;

struct Inner<T: ?Sized> {
    handle: Handle,
    value: T,
}

/// A shared owner.
pub struct Arc<T: ?Sized> {
    inner: StdArc<Inner<T>>,
}

impl<T> Arc<T> {
    /// Shares a value.
    #[must_use]
    #[track_caller]
    pub fn new(value: T) -> Arc<T> {
        track(1);
        Arc { inner: StdArc::new(Inner { handle: Handle::new(ObjKind::Counter, 0, Location::caller()), value }) }
    }

    /// The value, if this is its only owner.
    ///
    /// # Errors
    /// The owner, if there are others.
    pub fn try_unwrap(this: Arc<T>) -> Result<T, Arc<T>> {
        if StdArc::strong_count(&this.inner) > 1 {
            return Err(this);
        }
        this.acquire_drops();
        track(-1);
        let this = std::mem::ManuallyDrop::new(this);
        // SAFETY: `this` is not dropped; the inner owner is moved out once.
        let inner = unsafe { std::ptr::read(&this.inner) };
        match StdArc::try_unwrap(inner) {
            Ok(inner) => Ok(inner.value),
            Err(inner) => Err(Arc { inner }),
        }
    }
}

impl<T: ?Sized> Arc<T> {
    /// The value, if this is its only owner.
    #[must_use]
    pub fn get_mut(this: &mut Arc<T>) -> Option<&mut T> {
        if StdArc::strong_count(&this.inner) == 1 {
            this.acquire_drops();
        }
        StdArc::get_mut(&mut this.inner).map(|inner| &mut inner.value)
    }

    /// How many owners there are.
    #[must_use]
    pub fn strong_count(this: &Arc<T>) -> usize {
        StdArc::strong_count(&this.inner)
    }

    /// Whether both own the same value.
    #[must_use]
    pub fn ptr_eq(this: &Arc<T>, other: &Arc<T>) -> bool {
        StdArc::ptr_eq(&this.inner, &other.inner)
    }

    /// Where the value is.
    #[must_use]
    pub fn as_ptr(this: &Arc<T>) -> *const T {
        &raw const this.inner.value
    }

    /// What the other owners did before they dropped theirs is now known here.
    fn acquire_drops(&self) {
        self.ordered(|exec, obj| exec.happens.acquire_exclusive(exec.current, obj));
    }

    fn ordered(&self, f: impl FnOnce(&mut crate::engine::exec::Exec, ObjId)) {
        if let Some(runtime) = rt::try_runtime() {
            let exec = &mut runtime.exec;
            let obj = self.inner.handle.id(exec, Location::caller());
            f(exec, obj);
        }
    }
}

fn track(change: i64) {
    if let Some(runtime) = rt::try_runtime() {
        runtime.exec.tracked += change;
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    fn clone(&self) -> Arc<T> {
        Arc { inner: self.inner.clone() }
    }
}

impl<T: ?Sized> Drop for Arc<T> {
    fn drop(&mut self) {
        if StdArc::strong_count(&self.inner) == 1 {
            self.acquire_drops();
            track(-1);
        } else {
            self.ordered(|exec, obj| exec.happens.release_exclusive(exec.current, obj));
        }
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner.value
    }
}

impl<T: ?Sized> AsRef<T> for Arc<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: Default> Default for Arc<T> {
    #[track_caller]
    fn default() -> Arc<T> {
        Arc::new(T::default())
    }
}

impl<T> From<T> for Arc<T> {
    #[track_caller]
    fn from(value: T) -> Arc<T> {
        Arc::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
