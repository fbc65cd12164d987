//! One fault, set up, run on the code that the checkers run, and told.

mod call;
mod collapse;
mod entry;
mod files;
mod gup;
mod huge;
mod hugetlb;
mod library;
mod memory;
mod mprotect;
mod plot;
mod render;
mod stage;

pub(super) use library::{find, tales};
pub(super) use plot::{Mapping, Plot, Story, Use};
