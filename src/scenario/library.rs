//! All scenarios, in the order in which `check` runs them.

use super::definition::Scenario;
use super::{fault_munmap, read_write, same_pte, tables};

/// Every scenario of the library.
pub fn library() -> impl Iterator<Item = &'static Scenario> {
    [same_pte::SCENARIOS, read_write::SCENARIOS, tables::SCENARIOS, fault_munmap::SCENARIOS].into_iter().flatten()
}
