#![doc = include_str!("../README.md")]
//!
//! # A failure and its replay
//!
//! ```
//! use interleaver::sync::atomic::{AtomicU32, Ordering::SeqCst};
//! use interleaver::{Builder, Token, thread};
//! use std::sync::Arc;
//!
//! fn lost_update() {
//!     let x = Arc::new(AtomicU32::new(0).named("x"));
//!     let other = x.clone();
//!     let handle = thread::spawn(move || other.store(other.load(SeqCst) + 1, SeqCst));
//!     x.store(x.load(SeqCst) + 1, SeqCst);
//!     handle.join().unwrap();
//!     assert_eq!(x.load(SeqCst), 2);
//! }
//!
//! let report = Builder::new().name("lost").check(lost_update);
//! let failure = report.expect_failure();
//! let token: Token = failure.token.to_string().parse()?;
//! let again = Builder::new().name("lost").replay(&token, lost_update);
//! assert_eq!(again.expect_failure().steps, failure.steps);
//! # Ok::<(), interleaver::BadToken>(())
//! ```
//!
//! # Locks with guards, through `lock_api`
//!
//! ```
//! use interleaver::raw::RawFairRwLock;
//! use interleaver::{Builder, thread};
//! use std::sync::Arc;
//!
//! let report = Builder::new().check(|| {
//!     let lock = Arc::new(lock_api::RwLock::from_raw(RawFairRwLock::named("mmap_lock"), 0));
//!     let other = lock.clone();
//!     let writer = thread::spawn(move || *other.write() += 1);
//!     let outer = lock.read();
//!     let inner = lock.read(); // behind a queued writer, this waits for ever
//!     drop((outer, inner));
//!     writer.join().unwrap();
//! });
//! assert_eq!(report.expect_failure().reason.kind(), "deadlock");
//! ```
//!
//! # How it works
//!
//! `engine` runs one execution: coroutines, what operations mean, the dependence order and C11 happens-before.
//! `search` decides: optimal DPOR (source sets and wakeup trees), or a replayed, random, prioritized or bounded
//! schedule.

#![warn(missing_docs)]

mod builder;
pub mod cell;
mod check;
mod counter;
mod engine;
mod explore;
mod failure;
mod frontier;
pub mod future;
pub mod hint;
mod local;
pub mod raw;
mod report;
mod search;
mod shrink;
pub mod sync;
pub mod thread;
mod token;
mod worker;

pub use builder::{Alike, Builder, Leaks, OnFailure, Panics, Progress, ProgressFn, Strategy, model};
pub use cell::RaceCell;
pub use counter::Counter;
pub use failure::{Effect, Failure, Held, Note, Pending, TraceStep};
pub use frontier::{BadFrontier, BadMerge, Frontier};
pub use hint::{choose, spin_until};
pub use report::{Reason, Report, Stop};
pub use token::{BadToken, Token};

/// The schedule of the running execution as far as it has come: replaying it comes to this point again. `None` where no
/// model runs.
#[must_use]
pub fn schedule_so_far() -> Option<Token> {
    let runtime = engine::rt::try_runtime()?;
    Some(Token { name: String::new(), schedule: runtime.exec.schedule() })
}

/// Whether the running execution follows a schedule that was given: a replay, or a try at a simpler failure. Whoever
/// counts what a search does leaves these out. `false` where no model runs.
#[must_use]
pub fn is_replay() -> bool {
    engine::rt::try_runtime().is_some_and(|runtime| runtime.exec.plan.is_replay())
}

/// Runs `f`, which only reads, without taking steps: for putting the present state into words. It sees atomics and
/// plain data as they are now, orders nothing, and may not touch locks.
pub fn aside<R>(f: impl FnOnce() -> R) -> R {
    engine::rt::aside(f)
}

/// Puts a line into the running thread's column of a failing execution's trace. Use it through `format_args!`.
pub fn note(text: std::fmt::Arguments<'_>) {
    if let Some(runtime) = engine::rt::try_runtime() {
        runtime.exec.note(text);
    }
}
