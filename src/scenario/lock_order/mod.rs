//! Lock orders that went wrong in Linux, or would have: each with the form that can deadlock and the one that cannot,
//! over the kernel's own locks and, where there is one, its own function that takes them.
//!
//! The broken form shows three things: that lockdep finds it in an execution that went well, what it says, and whether
//! some interleaving really deadlocks. The fixed form is clean in every interleaving of the same world.
//!
//! | file | orders |
//! |---|---|
//! | `tables` | two page tables; the same below a lock that makes it harmless |
//! | `mmap` | the mmap lock inside of itself, and inside of a VMA's |
//! | `folio` | a page lock across a fault |
//! | `atomic` | what sleeps, or waits for a CPU, below what spins |

mod atomic;
mod check;
mod definition;
mod folio;
mod mmap;
mod tables;

pub use check::{LockReport, check_lock_order, replay_lock_order};
pub use definition::{Form, LockScenario, Reality};

/// Every lock-order scenario.
pub fn lock_scenarios() -> impl Iterator<Item = &'static LockScenario> {
    [tables::SCENARIOS, mmap::SCENARIOS, folio::SCENARIOS, atomic::SCENARIOS].into_iter().flatten()
}
