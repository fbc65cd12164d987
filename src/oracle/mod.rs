//! What must be true: the invariants, and the ghost state that some of them need.
//!
//! The numbers are those of the list in `docs/invariants.md`. [`at_rest`] holds whenever nobody runs, [`after_exit`]
//! once the address space is gone.

mod coherence;
mod cow;
mod files;
mod folios;
mod ghost;
mod huge;
mod hugetlb;
mod invariant;
mod layout;
mod ledgers;
mod rights;
mod shown;
mod tables;
mod tlb;

pub use ghost::{GhostEvent, GhostLog, Stamped};
pub use invariant::{Broken, Evaluated, Invariant, after_exit, at_rest, verify};
pub use layout::{Kin, Layout, Quiet, Relation};
pub use shown::{Files, Sharing, Shows, cut_away, file_address};
