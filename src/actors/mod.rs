//! What races with a fault.
//!
//! Each actor has Linux's steps and locks in Linux's order. So far: `munmap`, truncation, ageing, and the exit of an address
//! space.

mod age;
mod exit;
mod free_pgtables;
mod gather;
mod munmap;
mod truncate;
mod zap;

pub use age::age;
pub use exit::exit_mmap;
pub use munmap::{UnmapError, munmap};
pub use truncate::truncate;
