//! The seam: everything that the modelled kernel may ask of whoever schedules its threads.
//!
//! All of the kernel is generic over [`Platform`], so one binary holds every engine and the logic has no `cfg`. The
//! door is as narrow as the logic allows. A back end may be stricter than what it wraps, never weaker.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::Ordering;

use parking_lot::lock_api::{RawMutex, RawRwLockDowngrade};

use super::geometry::Geometry;
use super::locals::Locals;
use super::probe::Event;

/// An engine: who schedules the threads, and what an access to shared memory costs there.
pub trait Platform: Sized + Send + Sync + 'static {
    /// What reports call this engine.
    const NAME: &'static str;
    /// The shape of the page tables.
    const GEOMETRY: Geometry;
    /// Whether ghost state is kept; natively it compiles away.
    const CHECKED: bool;
    /// Whether a load returns what was stored last, in the order in which the engine runs the steps.
    const SEQUENTIAL: bool;
    /// Whether the order of the locks is recorded (`CONFIG_PROVE_LOCKING`): by every checker, and natively in builds
    /// with debug assertions.
    const LOCKDEP: bool;
    /// Whether [`Platform::tell`] listens; where it does not, no event is ever formatted.
    const TRACED: bool;

    /// A word of shared memory.
    type AtomicU64: AtomicWord;
    /// A word of plain data that a lock protects; a racy access is reported.
    type RaceWord: RaceWord;
    /// A statistic: additions commute, and it is read when nobody adds.
    type Counter: Tally;
    /// A spinlock.
    type RawSpin: RawMutex + NewLock + Send + Sync;
    /// A fair reader-writer semaphore: a waiting writer stops new readers. It can be downgraded.
    type RawRwSem: RawRwLockDowngrade + NewLock + Send + Sync;
    /// A lock bit with a queue of waiters, without an owner.
    type RawBit: RawBitLock + NewLock;
    /// The words of physical memory; what they hold at first is anything.
    type Words: Deref<Target = [Self::AtomicU64]> + Send + Sync;
    /// A running thread.
    type Thread<T: Send + 'static>;

    /// Physical memory of `count` words.
    ///
    /// # Errors
    /// The host's reason if it has not that much memory.
    fn words(count: usize) -> Result<Self::Words, std::io::Error>;

    /// Starts a thread.
    fn spawn<T: Send + 'static>(name: String, body: impl FnOnce() -> T + Send + 'static) -> Self::Thread<T>;

    /// Waits for a thread and takes its result.
    ///
    /// # Panics
    /// If the thread panicked: its panic goes on here.
    fn join<T: Send + 'static>(thread: Self::Thread<T>) -> T;

    /// One of `0..count`: what hardware, an allocation, I/O or another process may decide. A checker tries each.
    ///
    /// # Panics
    /// If `count` is zero.
    fn choose(count: usize) -> usize;

    /// Waits, without sleeping, until the condition holds. The condition only reads.
    fn spin_until(condition: impl FnMut() -> bool);

    /// Looks at what the running thread keeps for itself; `None` on a thread that is none of the engine's.
    fn with_locals<R>(look: impl FnOnce(&Locals) -> R) -> Option<R>;

    /// Puts something into words. What that reads of the memory is no access of the model: who is told of an execution
    /// must not change it.
    fn aside<R>(words: impl FnOnce() -> R) -> R {
        words()
    }

    /// Takes one event of the running thread's story; called only where [`Platform::TRACED`] is set.
    fn tell(event: Event);
}

/// What physical memory holds at first under a checker: nothing that anybody could take for zeroed memory or a table.
pub const GARBAGE: u64 = 0xdead_beef_0000;

/// A 64-bit word that threads share.
pub trait AtomicWord: Send + Sync + fmt::Debug {
    /// A word with a first value.
    fn new(value: u64) -> Self;
    /// Says what the word is called from now on, and how its values read, to an engine that tells its executions.
    fn describe(&self, _name: fmt::Arguments<'_>, _value: fn(u64) -> String) {}
    /// Takes the value of a word that nobody shares any more.
    fn final_value(&mut self) -> u64;
    /// Reads the word.
    fn load(&self, order: Ordering) -> u64;
    /// Writes the word.
    fn store(&self, value: u64, order: Ordering);
    /// Writes the word and returns what it held.
    fn swap(&self, value: u64, order: Ordering) -> u64;
    /// Writes `new` if the word holds `current`; `Err` is what it held instead. A failure reads with `Acquire`.
    ///
    /// # Errors
    /// The value that was there, if it was not `current`.
    fn compare_exchange(&self, current: u64, new: u64, order: Ordering) -> Result<u64, u64>;
    /// Adds (wrapping) and returns what the word held.
    fn fetch_add(&self, value: u64, order: Ordering) -> u64;
    /// Subtracts (wrapping) and returns what the word held.
    fn fetch_sub(&self, value: u64, order: Ordering) -> u64;
}

/// A 64-bit word of plain data. It is no scheduling point; two accesses without happens-before, one of them a write,
/// are a data race, which a checking engine reports.
pub trait RaceWord: Send + Sync {
    /// A word with a first value, and the invariant that its lock or its publication upholds.
    fn new(upholds: &'static str, value: u64) -> Self;
    /// Reads the word.
    fn get(&self) -> u64;
    /// Writes the word.
    fn set(&self, value: u64);
}

/// A statistic.
pub trait Tally: Send + Sync + Default {
    /// Adds, or subtracts if `by` is negative.
    fn add(&self, by: i64);
    /// The sum, exact once nobody adds any more.
    fn read(&self) -> i64;
}

/// A lock bit with a queue of waiters (a page lock, a writeback bit): whoever finishes the work releases it, which need
/// not be the thread that took it.
pub trait RawBitLock: Send + Sync {
    /// Waits until the bit is clear and sets it.
    fn lock(&self);
    /// Sets the bit if it is clear; says whether it did.
    fn try_lock(&self) -> bool;
    /// Clears the bit and wakes the waiters.
    fn unlock(&self);
    /// Waits until the bit is clear, without setting it.
    fn wait(&self);
    /// Whether the bit is set; by the time it returns, the answer may be old.
    fn is_locked(&self) -> bool;
}

/// A raw lock made at run time: an engine's locks are objects of one execution, so they cannot be constants.
pub trait NewLock {
    /// An unlocked lock of the class `class`, by which reports name it.
    fn new_lock(class: &'static str) -> Self;
}
