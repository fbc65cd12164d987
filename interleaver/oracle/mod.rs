//! Comparing the engine with brute force; used by the tests and by the example of the same name.

pub mod brute;
pub mod compare;
pub mod engine;
pub mod generate;
pub mod program;
