//! The loom back end: every interleaving of a small world, with C11 stale reads.
//!
//! loom 0.7.2 has three faults that matter here, and this back end pays for a cure of each. It is stricter than loom,
//! never weaker (but see `atomic` for one corner).
//!
//! | fault | cure | price |
//! |---|---|---|
//! | only the *last* access to an atomic is remembered, so a store races with too few loads and outcomes are lost | companions: one atomic for each actor beside each word; a load updates its own actor's, a store updates all of them | one more step for a load, one for each actor for a store |
//! | an update may read an old value and write it over a newer plain store | every store is a `swap` | a store reads, too |
//! | a failed `try_lock` reports deadlocks that cannot happen | the semaphore, which is tried, is a state under a mutex and a condition variable, one for each actor | a writer visits every actor's |
//!
//! Loads of different actors touch different companions, so they still commute, as do read locks: that is what keeps
//! worlds of two actors within reach without a bound. What loom does not have at all, choices, is in `choices`.

mod atomic;
mod bit_lock;
mod cell;
mod choices;
mod explore;
mod mutex;
mod rwsem;
mod slot;

use std::io;
use std::marker::PhantomData;

use super::geometry::{Geometry, Shape};
use super::locals::Locals;
use super::probe::Event;
use super::seam::{GARBAGE, Platform};

pub use atomic::Atomic;
pub use bit_lock::BitLock;
pub use cell::{Count, RaceTrackedWord};
pub use explore::{Bounds, Environment, explore};
pub use mutex::SpinLock;
pub use rwsem::FairRwSem;

loom::thread_local! {
    static LOCALS: Locals = Locals::default();
}

/// loom's threads over page tables of shape `G`.
#[derive(Debug)]
pub struct Loom<G>(PhantomData<G>);

impl<G: Shape> Platform for Loom<G> {
    const NAME: &'static str = "loom";
    const GEOMETRY: Geometry = G::GEOMETRY;
    const CHECKED: bool = true;
    const SEQUENTIAL: bool = false;
    const LOCKDEP: bool = true;
    const TRACED: bool = false;

    type AtomicU64 = Atomic;
    type RaceWord = RaceTrackedWord;
    type Counter = Count;
    type RawSpin = SpinLock;
    type RawRwSem = FairRwSem;
    type RawBit = BitLock;
    type Words = Box<[Atomic]>;
    type Thread<T: Send + 'static> = slot::Actor<T>;

    fn words(count: usize) -> Result<Box<[Atomic]>, io::Error> {
        Ok((0..count).map(|_| <Atomic as super::seam::AtomicWord>::new(GARBAGE)).collect())
    }

    fn spawn<T: Send + 'static>(name: String, body: impl FnOnce() -> T + Send + 'static) -> slot::Actor<T> {
        slot::Actor::spawn(name, body)
    }

    fn join<T: Send + 'static>(thread: slot::Actor<T>) -> T {
        thread.join()
    }

    fn choose(count: usize) -> usize {
        choices::choose(count)
    }

    fn spin_until(mut condition: impl FnMut() -> bool) {
        while !condition() {
            loom::thread::yield_now();
        }
    }

    fn with_locals<R>(look: impl FnOnce(&Locals) -> R) -> Option<R> {
        explore::is_sound().then(|| LOCALS.with(look))
    }

    fn tell(_event: Event) {}
}
