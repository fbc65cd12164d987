//! The same programs on the engine.

mod records;
mod runner;
mod world;

pub use records::run;
pub use world::Making;
