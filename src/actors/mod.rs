//! What races with a fault.
//!
//! Each actor has Linux's steps and locks in Linux's order. So far: `munmap`, and the exit of an address space.

mod exit;
mod free_pgtables;
mod gather;
mod munmap;
mod zap;

pub use exit::exit_mmap;
pub use munmap::{UnmapError, munmap};
