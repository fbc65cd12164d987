//! The back end of the exhaustive engine: interleaver's threads, atomics and locks.
//!
//! Nothing has to be cured here: an access is one step, reads commute, a tried lock is a lock like any other.

mod explore;
mod replay;
mod told;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use interleaver::raw::{BitLock, RawFairRwLock, RawMutex};
use interleaver::sync::atomic::AtomicU64;
use interleaver::thread::{Builder, JoinHandle};
use interleaver::{Counter, RaceCell, hint};

use super::geometry::{Geometry, Shape};
use super::locals::Locals;
use super::probe::Event;
use super::seam::{AtomicWord, GARBAGE, NewLock, Platform, RaceWord, RawBitLock, Tally};

pub use explore::{Part, Search, explore, explore_part};
pub use interleaver::{BadFrontier, BadMerge, BadToken, Effect, Frontier, Pending, Reason, Token, TraceStep};
pub use interleaver::{is_replay, schedule_so_far};
pub use replay::{Execution, Failing, Line, Recipe, make_simpler, replay};
pub use told::{Plain, Told};

interleaver::thread_local! {
    static LOCALS: Locals = Locals::default();
}

/// interleaver's threads over page tables of shape `G`.
#[derive(Debug)]
pub struct Interleaved<G>(PhantomData<G>);

impl<G: Shape> Platform for Interleaved<G> {
    const NAME: &'static str = "interleaver";
    const GEOMETRY: Geometry = G::GEOMETRY;
    const CHECKED: bool = true;
    const SEQUENTIAL: bool = true;
    const LOCKDEP: bool = true;
    const TRACED: bool = false;

    type AtomicU64 = AtomicU64;
    type RaceWord = WatchedWord;
    type Counter = Sum;
    type RawSpin = RawMutex;
    type RawRwSem = RawFairRwLock;
    type RawBit = BitLock;
    type Words = Box<[AtomicU64]>;
    type Thread<T: Send + 'static> = JoinHandle<T>;

    fn words(count: usize) -> Result<Box<[AtomicU64]>, io::Error> {
        Ok((0..count).map(|_| AtomicU64::new(GARBAGE)).collect())
    }

    fn spawn<T: Send + 'static>(name: String, body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        Builder::new().name(name).spawn(body).expect("interleaver has room for one more thread")
    }

    fn join<T: Send + 'static>(thread: JoinHandle<T>) -> T {
        thread.join().expect("a thread's panic ends the execution before the join")
    }

    #[track_caller]
    fn choose(count: usize) -> usize {
        hint::choose(count)
    }

    #[track_caller]
    fn spin_until(condition: impl FnMut() -> bool) {
        hint::spin_until(condition);
    }

    fn with_locals<R>(look: impl FnOnce(&Locals) -> R) -> Option<R> {
        LOCALS.try_with(look)
    }

    fn tell(_event: Event) {}
}

impl AtomicWord for AtomicU64 {
    #[track_caller]
    fn new(value: u64) -> Self {
        AtomicU64::new(value)
    }

    fn describe(&self, name: fmt::Arguments<'_>, value: fn(u64) -> String) {
        AtomicU64::describe(self, name, value);
    }

    fn final_value(&mut self) -> u64 {
        self.with_mut(|value| *value)
    }

    #[track_caller]
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }

    #[track_caller]
    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }

    #[track_caller]
    fn swap(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::swap(self, value, order)
    }

    #[track_caller]
    fn compare_exchange(&self, current: u64, new: u64, order: Ordering) -> Result<u64, u64> {
        // ORDER none of our own: success is the caller's order, failure is promised to be `Acquire`.
        AtomicU64::compare_exchange(self, current, new, order, Ordering::Acquire)
    }

    #[track_caller]
    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::fetch_add(self, value, order)
    }

    #[track_caller]
    fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::fetch_sub(self, value, order)
    }
}

/// A [`RaceWord`] that interleaver watches.
#[derive(Debug)]
pub struct WatchedWord(RaceCell<u64>);

impl RaceWord for WatchedWord {
    fn new(upholds: &'static str, value: u64) -> Self {
        Self(RaceCell::named(upholds, value))
    }

    #[track_caller]
    fn get(&self) -> u64 {
        self.0.get()
    }

    #[track_caller]
    fn set(&self, value: u64) {
        self.0.set(value);
    }
}

/// A statistic, kept as two's complement.
#[derive(Debug, Default)]
pub struct Sum(Counter);

impl Tally for Sum {
    fn add(&self, by: i64) {
        self.0.add(by.cast_unsigned());
    }

    fn read(&self) -> i64 {
        self.0.sum().cast_signed()
    }
}

impl NewLock for RawMutex {
    fn new_lock(class: &'static str) -> Self {
        Self::named(class)
    }
}

impl NewLock for RawFairRwLock {
    fn new_lock(class: &'static str) -> Self {
        Self::named(class)
    }
}

impl NewLock for BitLock {
    fn new_lock(class: &'static str) -> Self {
        Self::named(class)
    }
}

impl RawBitLock for BitLock {
    #[track_caller]
    fn lock(&self) {
        BitLock::lock(self);
    }

    #[track_caller]
    fn try_lock(&self) -> bool {
        BitLock::try_lock(self)
    }

    #[track_caller]
    fn unlock(&self) {
        // As natively. One more step, which commutes with all that others can do while the bit is set.
        assert!(BitLock::is_locked(self), "a lock bit was cleared that nobody had set");
        BitLock::unlock(self);
    }

    #[track_caller]
    fn wait(&self) {
        BitLock::wait(self);
    }

    #[track_caller]
    fn is_locked(&self) -> bool {
        BitLock::is_locked(self)
    }
}
