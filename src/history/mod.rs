//! Races and lock orders that went wrong in Linux, long mended and public: each comes back here, is found, and is clean
//! with its fix in the same world.
//!
//! A file for each bug, named after the corpus's number for it. The mechanics are told in our own words.

mod bug;
mod check;

mod a04;
mod a07;
mod b01;
mod b06;
mod c01;
mod c02;
mod c03;
mod f01;
mod g02;
mod j03;
mod k01;
mod k04;

pub use bug::{Bug, Reproduction};
pub use check::{BugReport, Half, check_bug};

/// Every bug, by its number.
pub fn bugs() -> impl Iterator<Item = &'static Bug> {
    [
        &a04::BUG,
        &a07::BUG,
        &b01::BUG,
        &b06::BUG,
        &c01::BUG,
        &c02::BUG,
        &c03::BUG,
        &f01::BUG,
        &g02::BUG,
        &j03::BUG,
        &k01::BUG,
        &k04::BUG,
    ]
    .into_iter()
}
