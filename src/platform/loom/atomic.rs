//! A word under loom: loom's atomic, one companion for each actor, and swaps in place of stores.
//!
//! # Why companions
//! loom remembers the last access to an atomic only. In `T1 { load y }`, `T2 { load y; store y }` the store finds
//! T2's own load, not T1's, and the order in which T1 reads the store is never tried. A companion is an atomic that
//! its actor updates before its loads, and every other actor before its stores. All accesses to one companion are
//! updates, which conflict pairwise, so the last one stands for all before it.
//!
//! # Why swaps
//! loom lets an update read an old value and write over a newer plain store: `store(1)` beside `fetch_or(0)` can end
//! in 0. Between updates alone this cannot happen. The price is a corner: a swap continues a release sequence that a
//! store would end, so a reader may here synchronise with one writer more than C11 promises. No numbered ordering of
//! the kernel code relies on a release sequence.
//!
//! # Memory ordering
//! - O1. Companions are relaxed: they order loom's search, not memory.

use std::fmt;
use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU64;

use super::super::seam::AtomicWord;
use super::slot;

/// A word that loom sees all races of.
pub struct Atomic {
    word: AtomicU64,
    companions: Box<[AtomicU64]>,
}

impl Atomic {
    fn before_load(&self, actor: usize) {
        touch(&self.companions[actor]);
    }

    fn before_store(&self) {
        if let Some(actor) = slot::current() {
            let others = self.companions.iter().enumerate().filter(|(other, _)| *other != actor);
            others.for_each(|(_, companion)| touch(companion));
        }
    }
}

fn touch(companion: &AtomicU64) {
    // ORDER none: O1.
    companion.fetch_add(0, Ordering::Relaxed);
}

impl AtomicWord for Atomic {
    fn new(value: u64) -> Self {
        let companions = (0..slot::actors()).map(|_| AtomicU64::new(0)).collect();
        Self { word: AtomicU64::new(value), companions }
    }

    fn final_value(&mut self) -> u64 {
        self.word.with_mut(|word| *word)
    }

    fn load(&self, order: Ordering) -> u64 {
        match slot::current() {
            Some(actor) => {
                self.before_load(actor);
                self.word.load(order)
            }
            // SAFETY: no actor runs, so nothing stores; loom itself reports it if that is untrue.
            None => unsafe { self.word.unsync_load() },
        }
    }

    fn store(&self, value: u64, order: Ordering) {
        self.before_store();
        self.word.swap(value, order);
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.before_store();
        self.word.swap(value, order)
    }

    fn compare_exchange(&self, current: u64, new: u64, order: Ordering) -> Result<u64, u64> {
        self.before_store();
        // ORDER none of our own: success is the caller's order, failure is promised to be `Acquire`.
        self.word.compare_exchange(current, new, order, Ordering::Acquire)
    }

    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.before_store();
        self.word.fetch_add(value, order)
    }

    fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.before_store();
        self.word.fetch_sub(value, order)
    }
}

impl fmt::Debug for Atomic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: reading it would be a step of the model.
        formatter.debug_struct("Atomic").finish_non_exhaustive()
    }
}
