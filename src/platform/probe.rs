//! What a run tells about itself: calls with arguments and results, locks, and remarks in between.
//!
//! The kernel code calls [`enter`] and [`remark`]; where nobody listens ([`Platform::TRACED`] is false) both vanish.

use std::fmt;
use std::marker::PhantomData;

use super::seam::Platform;

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
        P::tell(Event::Enter { function, arguments: arguments.to_string() });
    }
    Call(PhantomData)
}

impl<P: Platform> Call<P> {
    /// Runs the function's `body`; `words` puts its result into words.
    #[inline]
    pub fn run<R>(self, body: impl FnOnce() -> R, words: impl FnOnce(&R) -> String) -> R {
        let result = body();
        if P::TRACED {
            P::tell(Event::Leave { result: words(&result) });
        }
        result
    }
}

/// Tells one thing that the running function did.
#[inline]
pub fn remark<P: Platform>(words: fmt::Arguments<'_>) {
    if P::TRACED {
        P::tell(Event::Remark(words.to_string()));
    }
}
