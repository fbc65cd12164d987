//! What a run tells about itself: calls with arguments and results, locks, and remarks in between.
//!
//! The kernel code calls [`enter`] and [`remark`]; where nobody listens ([`Platform::TRACED`] is false) both vanish.

use std::fmt;
use std::marker::PhantomData;

use super::seam::{AtomicWord, GARBAGE, Platform};

/// One line of a run's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A function of the modelled kernel or hardware was entered.
    Enter {
        /// Its name.
        function: &'static str,
        /// Its arguments, as a reader wants them.
        arguments: String,
    },
    /// The innermost function returned.
    Leave {
        /// What it returned; empty if it returns nothing.
        result: String,
    },
    /// Something worth knowing happened in the innermost function.
    Remark(String),
}

/// A function that was entered and is yet to run.
#[must_use = "a call that never runs leaves the story without an end"]
#[derive(Debug)]
pub struct Call<P>(PhantomData<P>);

/// Tells that `function` is entered with `arguments`.
#[inline]
pub fn enter<P: Platform>(function: &'static str, arguments: fmt::Arguments<'_>) -> Call<P> {
    if P::TRACED {
        P::tell(Event::Enter { function, arguments: P::aside(|| arguments.to_string()) });
    }
    Call(PhantomData)
}

impl<P: Platform> Call<P> {
    /// Runs the function's `body`; `words` puts its result into words.
    #[inline]
    pub fn run<R>(self, body: impl FnOnce() -> R, words: impl FnOnce(&R) -> String) -> R {
        let result = body();
        if P::TRACED {
            P::tell(Event::Leave { result: P::aside(|| words(&result)) });
        }
        result
    }
}

/// Says what a word of shared memory is called from now on, and how its values read. A name that begins with the one
/// before tells more of the same word, and holds for its past too.
#[inline]
pub fn describe<P: Platform>(word: &P::AtomicU64, name: fmt::Arguments<'_>, value: fn(u64) -> String) {
    if P::TRACED {
        word.describe(name, value);
    }
}

/// A word of shared memory with a name that it keeps, whose values are numbers.
#[inline]
pub fn named<P: Platform>(name: fmt::Arguments<'_>, value: u64) -> P::AtomicU64 {
    let word = P::AtomicU64::new(value);
    describe::<P>(&word, name, number);
    word
}

/// How a word of physical memory reads that nobody has written yet.
pub const UNSET: &str = "garbage";

/// A number as a reader wants it: small ones in decimal, as signed ones if they are that, others in hexadecimal.
pub fn number(value: u64) -> String {
    const SMALL: u64 = 1 << 20;
    if value == GARBAGE {
        return UNSET.to_owned();
    }
    match value.cast_signed() {
        small if small.unsigned_abs() < SMALL => small.to_string(),
        _ => format!("{value:#x}"),
    }
}

/// An address of the host, which is another one in each process.
pub fn pointer(value: u64) -> String {
    if value == 0 { "NULL".to_owned() } else { "a pointer".to_owned() }
}

/// Tells one thing that the running function did.
#[inline]
pub fn remark<P: Platform>(words: fmt::Arguments<'_>) {
    if P::TRACED {
        P::tell(Event::Remark(P::aside(|| words.to_string())));
    }
}
