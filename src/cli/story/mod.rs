//! One fault, set up, run on the code that the checkers run, and told.

mod plot;
mod render;

pub(super) use plot::{Plot, Story, Use};
