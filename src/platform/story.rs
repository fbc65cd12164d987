//! The native back end on one thread, with every event of the story kept.

use std::cell::RefCell;
use std::io;

use super::geometry::{Geometry, X86_64};
use super::native::Native;
use super::probe::Event;
use super::seam::Platform;

type Told = Native<X86_64>;

/// [`Native`] that listens: its thread's events are kept until [`Story::take`].
#[derive(Debug)]
pub struct Story;

thread_local! {
    static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

impl Story {
    /// Takes the events of this thread since the last call.
    pub fn take() -> Vec<Event> {
        EVENTS.take()
    }
}

impl Platform for Story {
    const NAME: &'static str = "story";
    const GEOMETRY: Geometry = Told::GEOMETRY;
    const CHECKED: bool = false;
    const TRACED: bool = true;

    type AtomicU64 = <Told as Platform>::AtomicU64;
    type RaceWord = <Told as Platform>::RaceWord;
    type Counter = <Told as Platform>::Counter;
    type RawSpin = <Told as Platform>::RawSpin;
    type RawRwSem = <Told as Platform>::RawRwSem;
    type Words = <Told as Platform>::Words;
    type Thread<T: Send + 'static> = <Told as Platform>::Thread<T>;

    fn words(count: usize) -> Result<Self::Words, io::Error> {
        Told::words(count)
    }

    fn spawn<T: Send + 'static>(name: String, body: impl FnOnce() -> T + Send + 'static) -> Self::Thread<T> {
        Told::spawn(name, body)
    }

    fn join<T: Send + 'static>(thread: Self::Thread<T>) -> T {
        Told::join(thread)
    }

    fn tell(event: Event) {
        EVENTS.with_borrow_mut(|events| events.push(event));
    }
}
