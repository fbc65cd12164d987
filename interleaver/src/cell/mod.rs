//! Plain data, watched: two accesses that nothing orders, one of them a write, are a data race, which ends the check.
//!
//! An access is no step: it costs no executions. It is compared with earlier ones by happens-before, so a race is
//! found in every execution with the same synchronization, whether or not the accesses came close to each other in
//! this one.

mod plain;
mod race_cell;
mod unsafe_cell;
mod watch;

pub use plain::Cell;
pub use race_cell::RaceCell;
pub use unsafe_cell::{ConstPtr, MutPtr, UnsafeCell};
