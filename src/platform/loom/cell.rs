//! Plain data and statistics under loom: neither is a scheduling point.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

use loom::cell::UnsafeCell;

use super::super::seam::{RaceWord, Tally};

thread_local! {
    static TOUCHED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What the cell upholds that this thread of the host touched last: if loom reports a race now, it is on that one.
pub(super) fn touched() -> Option<&'static str> {
    TOUCHED.get()
}

/// A word of plain data whose races loom reports.
#[derive(Debug)]
pub struct RaceTrackedWord {
    upholds: &'static str,
    word: UnsafeCell<u64>,
}

impl RaceWord for RaceTrackedWord {
    fn new(upholds: &'static str, value: u64) -> Self {
        Self { upholds, word: UnsafeCell::new(value) }
    }

    fn get(&self) -> u64 {
        TOUCHED.set(Some(self.upholds));
        // SAFETY: loom has just checked that no write races with this read, and no other thread of the host is here.
        let value = self.word.with(|word| unsafe { *word });
        TOUCHED.set(None);
        value
    }

    fn set(&self, value: u64) {
        TOUCHED.set(Some(self.upholds));
        // SAFETY: as in `get`: loom has just checked that no access races with this write.
        self.word.with_mut(|word| unsafe { *word = value });
        TOUCHED.set(None);
    }
}

// SAFETY: loom runs all threads of a model on one thread of the host, and reports accesses that race in the model.
unsafe impl Sync for RaceTrackedWord {}
// SAFETY: the word is a plain integer.
unsafe impl Send for RaceTrackedWord {}

/// A statistic: loom does not see it, because additions commute and it is read when nobody adds.
#[derive(Debug, Default)]
pub struct Count(AtomicI64);

impl Tally for Count {
    fn add(&self, by: i64) {
        // ORDER none: one thread of the host runs the whole model.
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    fn read(&self) -> i64 {
        // ORDER none: as in `add`.
        self.0.load(Ordering::Relaxed)
    }
}
