//! Throughput: rayon threads fault anonymous memory of one address space, as fast as the machine goes.

mod run;

pub use run::{Flood, FloodError, Flooded, flood};
