//! The native back end on one thread, with every event of the story kept.
//!
//! Some stories need somebody else in the middle: a fault that waits for a page is told only if the page is being
//! moved. [`Story::meanwhile`] has another thread, of which nothing is told, go to a function and stop there; the told
//! thread runs until it would wait, and only then does the other finish. [`Story::interrupted`] has the other act when
//! the told thread comes to a function, and [`Story::meanwhile_from`] has it both ways. So nothing depends on who is
//! faster.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc;
use std::thread;

use super::geometry::{Geometry, X86_64};
use super::locals::Locals;
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
    /// What this thread does when it enters a function, once.
    static STOP: RefCell<Option<(&'static str, Action)>> = const { RefCell::new(None) };
    /// What this thread does before it waits, once.
    static WAIT: RefCell<Option<Action>> = const { RefCell::new(None) };
}

type Action = Box<dyn FnOnce()>;

const OTHER_LIVES: &str = "the other thread ends only after it has answered";

/// Whether who tells this is about to wait for somebody.
fn is_wait(event: &Event) -> bool {
    match event {
        Event::Remark(words) => words.starts_with("wait for "),
        Event::Enter { function, .. } => *function == "wait_split_huge_page",
        Event::Leave { .. } => false,
    }
}

/// Lets the other thread finish, if there is one that has stopped.
fn let_other_finish() {
    if let Some(finish) = WAIT.take() {
        Story::tell(Event::Remark("meanwhile the other one goes on, and is done".to_owned()));
        finish();
    }
}

/// What another thread is to run, which waits to begin and stops when it enters `stops_in`; and what the told thread
/// does to have it run so far. The second half runs when the told thread waits.
fn in_two_halves(other: impl FnOnce() + Send, stops_in: &'static str) -> (impl FnOnce() + Send, Action) {
    let (begin, may_begin) = mpsc::channel();
    let (stopped, has_stopped) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let whole = move || {
        may_begin.recv().expect("the told thread begins it");
        let stop = move || {
            stopped.send(()).expect("the told thread waits for it");
            may_go.recv().expect("the told thread lets the other go on before it ends");
        };
        STOP.set(Some((stops_in, Box::new(stop))));
        other();
        done.send(()).expect("the told thread waits for it");
    };
    let first_half = move || {
        begin.send(()).expect(OTHER_LIVES);
        has_stopped.recv().expect("the other thread comes to where it is to stop");
        WAIT.set(Some(Box::new(move || {
            go.send(()).expect(OTHER_LIVES);
            is_done.recv().expect(OTHER_LIVES);
        })));
    };
    (whole, Box::new(first_half))
}

impl Story {
    /// Takes the events of this thread since the last call.
    pub fn take() -> Vec<Event> {
        EVENTS.take()
    }

    /// Runs `other` on a thread of its own until it enters the function `stops_in`, then `told` on this one. When that
    /// waits, or at its end, the other goes on to its end first.
    ///
    /// # Panics
    /// If the other thread never comes there.
    pub fn meanwhile(other: impl FnOnce() + Send, stops_in: &'static str, told: impl FnOnce()) {
        let (other, begin) = in_two_halves(other, stops_in);
        thread::scope(|scope| {
            scope.spawn(other);
            begin();
            told();
            if let Some(finish) = WAIT.take() {
                finish();
            }
        });
    }

    /// As [`Story::meanwhile`], but the other begins only when `told` enters the function `at`.
    ///
    /// # Panics
    /// If `told` never enters its function, or the other one its.
    pub fn meanwhile_from(told: impl FnOnce(), at: &'static str, other: impl FnOnce() + Send, stops_in: &'static str) {
        let (other, begin) = in_two_halves(other, stops_in);
        thread::scope(|scope| {
            scope.spawn(other);
            let start = move || {
                Story::tell(Event::Remark("meanwhile the other one acts, and stops in the middle".to_owned()));
                begin();
            };
            STOP.set(Some((at, Box::new(start))));
            told();
            assert!(STOP.take().is_none(), "the told thread never enters {at}");
            if let Some(finish) = WAIT.take() {
                finish();
            }
        });
    }

    /// Runs `told`; when it enters the function `at`, `other` runs on a thread of its own, from its beginning to its
    /// end, before `told` goes on.
    ///
    /// # Panics
    /// If `told` never enters the function.
    pub fn interrupted(told: impl FnOnce(), at: &'static str, other: impl FnOnce() + Send) {
        let (go, may_go) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                may_go.recv().expect("the told thread comes there");
                other();
                done.send(()).expect("the told thread waits for it");
            });
            let stop = move || {
                Story::tell(Event::Remark("meanwhile the other one acts".to_owned()));
                go.send(()).expect(OTHER_LIVES);
                is_done.recv().expect(OTHER_LIVES);
            };
            STOP.set(Some((at, Box::new(stop))));
            told();
            assert!(STOP.take().is_none(), "the told thread never enters {at}");
        });
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
    const SEQUENTIAL: bool = false;
    const LOCKDEP: bool = true;
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
        if !condition() {
            let_other_finish();
        }
        assert!(condition(), "a story has one thread: what it waits for never comes");
    }

    fn with_locals<R>(look: impl FnOnce(&Locals) -> R) -> Option<R> {
        Told::with_locals(look)
    }

    fn tell(event: Event) {
        let stop = STOP.with_borrow_mut(|stop| match (&event, &stop) {
            (Event::Enter { function, .. }, Some((name, _))) if function == name => stop.take(),
            _ => None,
        });
        let waits = is_wait(&event);
        EVENTS.with_borrow_mut(|events| events.push(event));
        if let Some((_, act)) = stop {
            act();
        }
        if waits {
            let_other_finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_thread_stops_in_the_middle_and_ends_before_the_wait_does() {
        let other = || {
            Story::tell(Event::Enter { function: "f", arguments: String::new() });
        };
        Story::take();
        Story::meanwhile(other, "f", || {
            Story::tell(Event::Remark("begin".to_owned()));
            Story::tell(Event::Remark("wait for a page".to_owned()));
        });
        let told = Story::take().into_iter().map(|event| match event {
            Event::Remark(words) => words,
            other @ (Event::Enter { .. } | Event::Leave { .. }) => panic!("{other:?} is the other's"),
        });
        let words: Vec<_> = told.collect();
        assert_eq!(words, ["begin", "wait for a page", "meanwhile the other one goes on, and is done"]);
    }

    #[test]
    fn a_script_is_followed_and_then_nothing_happens() {
        Story::script([2, 1]);
        assert_eq!([3, 3, 3].map(Story::choose), [2, 1, 0]);
    }
}
