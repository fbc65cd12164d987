//! The native back end: std atomics, parking_lot's raw locks, real threads.
//!
//! # Memory ordering
//! - O1. A [`RaceWord`] is a relaxed atomic: what orders its accesses is the lock or the publication that its owner
//!   names.
//! - O2. A counter's shards are relaxed: additions commute, and a reader comes after the adders were joined.

mod bit_lock;
mod choice;

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use crossbeam_utils::{Backoff, CachePadded};
use parking_lot::lock_api::{RawMutex as _, RawRwLock as _};
use parking_lot::{RawMutex, RawRwLock};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::geometry::{Geometry, Shape};
use super::locals::Locals;
use super::probe::Event;
use super::seam::{AtomicWord, NewLock, Platform, RaceWord, Tally};

pub use bit_lock::BitLock;

thread_local! {
    static LOCALS: Locals = Locals::default();
}

/// Real threads over page tables of shape `G`. Where speed is not the point, ghost state can be kept here, too.
#[derive(Debug)]
pub struct Native<G, const CHECKED: bool = false>(PhantomData<G>);

impl<G: Shape, const CHECKED: bool> Platform for Native<G, CHECKED> {
    const NAME: &'static str = "native";
    const GEOMETRY: Geometry = G::GEOMETRY;
    const CHECKED: bool = CHECKED;
    const SEQUENTIAL: bool = false;
    const LOCKDEP: bool = CHECKED || cfg!(debug_assertions);
    const TRACED: bool = false;

    type AtomicU64 = AtomicU64;
    type RaceWord = PlainWord;
    type Counter = ShardedCounter;
    type RawSpin = RawMutex;
    type RawRwSem = RawRwLock;
    type RawBit = BitLock;
    type Words = MappedWords;
    type Thread<T: Send + 'static> = thread::JoinHandle<T>;

    fn words(count: usize) -> Result<MappedWords, io::Error> {
        MappedWords::new(count)
    }

    fn spawn<T: Send + 'static>(name: String, body: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        thread::Builder::new().name(name).spawn(body).expect("the host has room for one more thread")
    }

    fn join<T: Send + 'static>(thread: thread::JoinHandle<T>) -> T {
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    #[inline]
    fn choose(count: usize) -> usize {
        choice::choose(count)
    }

    fn spin_until(mut condition: impl FnMut() -> bool) {
        let backoff = Backoff::new();
        while !condition() {
            backoff.snooze();
        }
    }

    fn with_locals<R>(look: impl FnOnce(&Locals) -> R) -> Option<R> {
        LOCALS.try_with(look).ok()
    }

    fn tell(_event: Event) {}
}

impl AtomicWord for AtomicU64 {
    fn new(value: u64) -> Self {
        AtomicU64::new(value)
    }

    fn final_value(&mut self) -> u64 {
        *self.get_mut()
    }

    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }

    #[inline]
    fn swap(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::swap(self, value, order)
    }

    #[inline]
    fn compare_exchange(&self, current: u64, new: u64, order: Ordering) -> Result<u64, u64> {
        // ORDER none of our own: success is the caller's order, failure is promised to be `Acquire`.
        AtomicU64::compare_exchange(self, current, new, order, Ordering::Acquire)
    }

    #[inline]
    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::fetch_add(self, value, order)
    }

    #[inline]
    fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::fetch_sub(self, value, order)
    }
}

/// A [`RaceWord`] that is a relaxed atomic.
#[derive(Debug)]
pub struct PlainWord(AtomicU64);

impl RaceWord for PlainWord {
    fn new(_upholds: &'static str, value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    #[inline]
    fn get(&self) -> u64 {
        // ORDER none: O1.
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    fn set(&self, value: u64) {
        // ORDER none: O1.
        self.0.store(value, Ordering::Relaxed);
    }
}

const SHARDS: usize = 16;

/// A counter in shards, so that threads that count do not fight for a cache line.
#[derive(Debug, Default)]
pub struct ShardedCounter([CachePadded<AtomicI64>; SHARDS]);

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|shard| {
        if shard.get() == usize::MAX {
            // ORDER none: any distribution over the shards is right.
            shard.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        shard.get()
    })
}

impl Tally for ShardedCounter {
    #[inline]
    fn add(&self, by: i64) {
        // ORDER none: O2.
        self.0[shard()].fetch_add(by, Ordering::Relaxed);
    }

    fn read(&self) -> i64 {
        // ORDER none: O2.
        self.0.iter().map(|shard| shard.load(Ordering::Relaxed)).sum()
    }
}

impl NewLock for RawMutex {
    fn new_lock(_class: &'static str) -> Self {
        Self::INIT
    }
}

impl NewLock for RawRwLock {
    fn new_lock(_class: &'static str) -> Self {
        Self::INIT
    }
}

/// Physical memory as one real anonymous mapping, populated so that the host's own faults stay out of the way.
#[derive(Debug)]
pub struct MappedWords {
    start: NonNull<AtomicU64>,
    count: usize,
}

impl MappedWords {
    fn new(count: usize) -> Result<Self, io::Error> {
        let bytes = count.checked_mul(size_of::<AtomicU64>()).filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or_else(|| io::Error::other("physical memory has no size that an address can hold"))?;
        // SAFETY: a fresh private anonymous mapping at an address of the host's choice touches no memory of ours.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::POPULATE,
            )
        }?;
        let start = NonNull::new(start.cast()).expect("mmap never returns null without an address asked for");
        Ok(Self { start, count })
    }
}

impl Deref for MappedWords {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page aligned, `count` words long, zeroed (a valid `AtomicU64`), and lives until
        // `drop`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl Drop for MappedWords {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `new` made; `&mut self` says that no reference into it is left.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.count * size_of::<AtomicU64>()) };
        debug_assert!(unmapped.is_ok(), "our own mapping could not be unmapped: {unmapped:?}");
    }
}

// SAFETY: the mapping is owned, and its words are atomics.
unsafe impl Send for MappedWords {}
// SAFETY: shared access gives out atomics only.
unsafe impl Sync for MappedWords {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::X86_64;

    #[test]
    fn memory_starts_as_zeros_and_keeps_what_is_stored() {
        let words = MappedWords::new(1024).expect("8 KiB of memory");
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        words[1023].store(7, Ordering::Relaxed);
        assert_eq!(words[1023].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn no_memory_at_all_is_an_error() {
        assert!(MappedWords::new(0).is_err());
        assert!(MappedWords::new(usize::MAX).is_err());
    }

    #[test]
    fn a_counter_sums_what_every_thread_added() {
        let counter = std::sync::Arc::new(ShardedCounter::default());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let counter = std::sync::Arc::clone(&counter);
                Native::<X86_64>::spawn("adder".to_owned(), move || (0..100).for_each(|_| counter.add(1)))
            })
            .collect();
        threads.into_iter().for_each(Native::<X86_64>::join);
        assert_eq!(counter.read(), 400);
    }
}
