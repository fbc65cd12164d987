//! A pointer that is published once and then read without a lock.
//!
//! # State
//!
//! ```text
//!          set
//!   Empty -----> Set(value), until the owner is dropped
//! ```
//!
//! # Invariants
//! - I1. The pointer goes from null to one value and never changes again, so a reference lives as long as the owner.
//!
//! # Memory ordering
//! - O1. `set` publishes with `AcqRel`, `get` loads with `Acquire`: whoever sees the pointer sees the value.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::Ordering;

use super::probe;
use super::seam::{AtomicWord, Platform, RaceWord};
use super::variant::{Variant, ordering};

/// A value that is not there at first and is then set once (Linux: a pointer read with `READ_ONCE`, written under a
/// lock).
#[derive(Debug)]
pub struct SetOnce<P: Platform, T> {
    pointer: P::AtomicU64,
    /// Ghost: written with the value and read with it, so that a checker sees whether the pointer publishes it.
    written: P::RaceWord,
    _owns: PhantomData<T>,
}

impl<P: Platform, T> SetOnce<P, T> {
    /// An empty slot, with a name for who is told of it.
    pub fn empty(name: &'static str) -> Self {
        Self::at(name, 0)
    }

    /// A slot that is set from the start.
    pub fn with(name: &'static str, value: T) -> Self {
        Self::at(name, expose(value))
    }

    fn at(name: &str, pointer: u64) -> Self {
        let written = P::RaceWord::new("O1 (whoever sees the pointer sees the value)", 0);
        let word = P::AtomicU64::new(pointer);
        probe::describe::<P>(&word, format_args!("{name}"), probe::pointer);
        Self { pointer: word, written, _owns: PhantomData }
    }

    /// The value, if it was set.
    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        // ORDER O1: pairs with the exchange in `set`.
        let pointer = self.pointer.load(ordering::<P>(Variant::OGetOnce, Ordering::Acquire));
        if P::CHECKED && pointer != 0 {
            self.written.get();
        }
        // SAFETY: a non-null pointer came from `expose` and, by I1, is freed only by `drop`, which needs the owner.
        unsafe { ptr::with_exposed_provenance::<T>(pointer as usize).as_ref() }
    }

    /// Sets the value. Setters hold a lock that orders them (Linux: `page_table_lock` for an `anon_vma`).
    ///
    /// # Errors
    /// Gives the value back if another one came first.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<&T, T> {
        let pointer = expose(value);
        // ORDER none: setters hold a lock that orders them, and nothing of the value that was first is looked at.
        if P::CHECKED && self.pointer.load(Ordering::Relaxed) == 0 {
            self.written.set(1);
        }
        // ORDER O1: publishes the value; pairs with the load in `get`.
        match self.pointer.compare_exchange(0, pointer, ordering::<P>(Variant::OSetOnce, Ordering::AcqRel)) {
            // SAFETY: as in `get`; we just published it.
            Ok(_) => Ok(unsafe { &*ptr::with_exposed_provenance::<T>(pointer as usize) }),
            Err(_) => Err(reclaim(pointer)),
        }
    }
}

impl<P: Platform, T> Drop for SetOnce<P, T> {
    fn drop(&mut self) {
        let pointer = self.pointer.final_value();
        if pointer != 0 {
            drop::<T>(reclaim(pointer));
        }
    }
}

fn expose<T>(value: T) -> u64 {
    Box::into_raw(Box::new(value)).expose_provenance() as u64
}

/// Takes the value back out of a pointer that `expose` made and that nobody else can reach.
fn reclaim<T>(pointer: u64) -> T {
    // SAFETY: both callers own the pointer: `set` never published it, `drop` has the only reference to the slot.
    *unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<T>(pointer as usize)) }
}

// SAFETY: the slot owns a `T` and lends `&T` to every thread that can reach it.
unsafe impl<P: Platform, T: Send + Sync> Sync for SetOnce<P, T> {}
// SAFETY: the slot owns a `T`; sending it sends the value.
unsafe impl<P: Platform, T: Send> Send for SetOnce<P, T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Native, X86_64};

    #[test]
    fn the_second_set_gets_its_value_back() {
        let slot = SetOnce::<Native<X86_64>, String>::empty("a slot");
        assert_eq!(slot.get(), None);
        assert_eq!(slot.set("first".to_owned()).map(String::as_str), Ok("first"));
        assert_eq!(slot.set("second".to_owned()), Err("second".to_owned()));
        assert_eq!(slot.get().map(String::as_str), Some("first"));
    }
}
