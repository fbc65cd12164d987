//! Well-known algorithms, correct and broken, each with the verdict stated. Sequential consistency: what is broken
//! only by stale values (SB, LB and IRIW with relaxed orderings) passes here, and says so.

mod common;
mod litmus;
mod lock_free;
mod locks;
mod waiting;
