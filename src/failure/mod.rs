//! What a failure looks like: one failing execution as a value, and the ways to show it.
//!
//! A check that fails leaves a [`ReplayToken`] of its [`Subject`]: a scenario, or an order of locks. [`replay()`] plays
//! it again with everything told, which makes a [`Failure`]; that is shown as columns ([`Page`]), as JSON (it is a
//! [`serde::Serialize`]), as a diagram ([`mermaid()`]) or as a trace ([`perfetto()`]).
//!
//! # Invariants
//! - I1. A failure is a function of its token: whatever process makes it, it is the same. So nothing that differs
//!   between processes (an address of the host, a time, a random seed) is in it.
//! - I2. A token that does not lead to the execution that it was made from is an error, never another execution: it
//!   carries a sum of the steps that were taken.

mod columns;
mod from_execution;
mod matters;
mod mermaid;
mod names;
mod perfetto;
mod record;
mod replay;
mod subject;
mod token;
mod wrap;

pub use columns::{Detail, Page, WIDTH, page};
pub use mermaid::mermaid;
pub use perfetto::perfetto;
pub use record::{Change, Doing, Effect, Failure, History, Phase, Removed, Step, Thread, Violation, Waiting, What};
pub use replay::{NoReplay, Replayed, replay};
pub use subject::Subject;
pub use token::{BadReplayToken, ReplayToken};
pub(crate) use wrap::wrap;
