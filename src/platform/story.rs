//! The native back end on one thread, with every event of the story kept.

use std::cell::RefCell;
use std::collections::VecDeque;
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
    static SCRIPT: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

impl Story {
    /// Takes the events of this thread since the last call.
    pub fn take() -> Vec<Event> {
        EVENTS.take()
    }

    /// Sets what [`Platform::choose`] returns on this thread from now on; after the last of them, always 0.
    pub fn script(choices: impl IntoIterator<Item = usize>) {
        SCRIPT.set(choices.into_iter().collect());
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
    type RawBit = <Told as Platform>::RawBit;
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

    fn choose(count: usize) -> usize {
        let chosen = SCRIPT.with_borrow_mut(VecDeque::pop_front).unwrap_or(0);
        assert!(chosen < count, "the script chooses {chosen} where there are {count} possibilities");
        chosen
    }

    fn spin_until(mut condition: impl FnMut() -> bool) {
        assert!(condition(), "a story has one thread: what it waits for never comes");
    }

    fn tell(event: Event) {
        EVENTS.with_borrow_mut(|events| events.push(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_followed_and_then_nothing_happens() {
        Story::script([2, 1]);
        assert_eq!([3, 3, 3].map(Story::choose), [2, 1, 0]);
    }
}
