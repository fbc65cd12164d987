//! What a run tells about itself: calls with arguments and results, locks, and remarks in between.
//!
//! The kernel code calls [`call`] and [`remark`]; where nobody listens ([`Platform::TRACED`] is false) both vanish.

use std::fmt;

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

/// Runs `body` as the function `function`; `tell` puts its result into words.
pub fn call<P: Platform, R>(
    function: &'static str,
    arguments: fmt::Arguments<'_>,
    body: impl FnOnce() -> R,
    tell: impl FnOnce(&R) -> String,
) -> R {
    if !P::TRACED {
        return body();
    }
    P::tell(Event::Enter { function, arguments: arguments.to_string() });
    let result = body();
    P::tell(Event::Leave { result: tell(&result) });
    result
}

/// Tells one thing that the running function did.
pub fn remark<P: Platform>(words: fmt::Arguments<'_>) {
    if P::TRACED {
        P::tell(Event::Remark(words.to_string()));
    }
}
