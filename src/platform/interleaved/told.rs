//! The back end of one execution that is told: interleaver under a given schedule, with every event of the story kept
//! in its place between the steps.
//!
//! # Invariants
//! - I1. It takes the same steps as [`Interleaved`]: it differs in what it keeps, never in what it does. So a schedule
//!   that was found there is followed here.
//!
//! interleaver keeps lines of text in their places; the line of an event is its number in a list of the host's thread,
//! which runs the whole execution.

use std::cell::{Cell, RefCell};
use std::io;
use std::marker::PhantomData;
use std::panic::Location;

use super::super::geometry::{Geometry, Shape};
use super::super::locals::Locals;
use super::super::probe::Event;
use super::super::seam::{Platform, RaceWord};
use super::{Interleaved, WatchedWord};

/// An access of plain data; it is no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Which word it is, counted in the order in which the execution makes them.
    pub word: usize,
    /// The invariant that the data's lock or publication upholds.
    pub upholds: &'static str,
    /// What was written; a read has none.
    pub written: Option<u64>,
    /// Where in the source.
    pub place: &'static Location<'static>,
}

/// What lies between two steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Between {
    Event(Event),
    Plain(Plain),
}

thread_local! {
    static HEARD: RefCell<Vec<Between>> = const { RefCell::new(Vec::new()) };
    static WORDS: Cell<usize> = const { Cell::new(0) };
}

fn hear(what: Between) {
    let number = HEARD.with_borrow_mut(|heard| {
        heard.push(what);
        heard.len() - 1
    });
    interleaver::note(format_args!("{number}"));
}

/// Takes what this thread of the host has heard since the last time.
pub(super) fn take_heard() -> Vec<Between> {
    WORDS.set(0);
    HEARD.take()
}

/// [`Interleaved`] that listens.
#[derive(Debug)]
pub struct Told<G>(PhantomData<G>);

impl<G: Shape> Platform for Told<G> {
    const NAME: &'static str = Interleaved::<G>::NAME;
    const GEOMETRY: Geometry = G::GEOMETRY;
    const CHECKED: bool = true;
    const SEQUENTIAL: bool = true;
    const LOCKDEP: bool = Interleaved::<G>::LOCKDEP;
    const TRACED: bool = true;

    type AtomicU64 = <Interleaved<G> as Platform>::AtomicU64;
    type RaceWord = ToldWord;
    type Counter = <Interleaved<G> as Platform>::Counter;
    type RawSpin = <Interleaved<G> as Platform>::RawSpin;
    type RawRwSem = <Interleaved<G> as Platform>::RawRwSem;
    type RawBit = <Interleaved<G> as Platform>::RawBit;
    type Words = <Interleaved<G> as Platform>::Words;
    type Thread<T: Send + 'static> = <Interleaved<G> as Platform>::Thread<T>;

    fn words(count: usize) -> Result<Self::Words, io::Error> {
        Interleaved::<G>::words(count)
    }

    fn spawn<T: Send + 'static>(name: String, body: impl FnOnce() -> T + Send + 'static) -> Self::Thread<T> {
        Interleaved::<G>::spawn(name, body)
    }

    fn join<T: Send + 'static>(thread: Self::Thread<T>) -> T {
        Interleaved::<G>::join(thread)
    }

    #[track_caller]
    fn choose(count: usize) -> usize {
        Interleaved::<G>::choose(count)
    }

    #[track_caller]
    fn spin_until(condition: impl FnMut() -> bool) {
        Interleaved::<G>::spin_until(condition);
    }

    fn with_locals<R>(look: impl FnOnce(&Locals) -> R) -> Option<R> {
        Interleaved::<G>::with_locals(look)
    }

    fn aside<R>(words: impl FnOnce() -> R) -> R {
        interleaver::aside(words)
    }

    fn tell(event: Event) {
        hear(Between::Event(event));
    }
}

/// A [`RaceWord`] that is watched, and whose accesses are told. One that races is told first, and never returns.
#[derive(Debug)]
pub struct ToldWord {
    word: WatchedWord,
    number: usize,
    upholds: &'static str,
}

impl ToldWord {
    #[track_caller]
    fn hear(&self, written: Option<u64>) {
        let (word, upholds, place) = (self.number, self.upholds, Location::caller());
        hear(Between::Plain(Plain { word, upholds, written, place }));
    }
}

impl RaceWord for ToldWord {
    fn new(upholds: &'static str, value: u64) -> Self {
        let number = WORDS.replace(WORDS.get() + 1);
        Self { word: WatchedWord::new(upholds, value), number, upholds }
    }

    #[track_caller]
    fn get(&self) -> u64 {
        self.hear(None);
        self.word.get()
    }

    #[track_caller]
    fn set(&self, value: u64) {
        self.hear(Some(value));
        self.word.set(value);
    }
}
