//! What races with a fault.
//!
//! Each actor has Linux's steps and locks in Linux's order. So far: `munmap`, `MADV_DONTNEED`, ageing, and the exit of an address
//! space.

mod age;
mod exit;
mod free_pgtables;
mod gather;
mod madvise;
mod munmap;
mod zap;

pub use age::age;
pub use exit::exit_mmap;
pub use madvise::madvise_dontneed;
pub use munmap::{UnmapError, munmap};
