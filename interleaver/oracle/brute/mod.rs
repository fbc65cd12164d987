//! The oracle: an interpreter that tries every interleaving, one instruction at a time, with nothing clever in it.
//!
//! It gives the set of outcomes (search over states, each visited once) and the number of Mazurkiewicz traces (every
//! maximal interleaving, its dependence order written down, different ones counted).

mod locks;
mod moves;
mod outcomes;
mod state;
mod steps;
mod traces;

pub use outcomes::{Outcome, outcomes};
pub use state::Waiting;
pub use traces::count_traces;
