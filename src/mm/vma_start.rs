//! Where a VMA begins (`vma->vm_start`).
//!
//! # Invariants
//! - I1 (D49). The start is plain data that the VMA's locks protect, with one exception: a stack of 4.4 grows while
//!   others read, so its start is a word that they load while it is stored.
//! - I2. Such a start only sinks, and whoever lets it sink holds the `anon_vma` and looks at it again first. So who
//!   reads it without that lock finds a start that was right at some moment, and an address at or above it is the VMA's
//!   for as long as the mmap lock is held.

use crate::platform::{AtomicWord, Ordering, Platform, RaceCell};
use crate::x86::VirtAddr;

/// The first address of a VMA.
pub(super) enum VmaStart<P: Platform> {
    /// It moves only while nobody reads it.
    Stable(RaceCell<P, VirtAddr>),
    /// It sinks while others read it.
    Sinking(P::AtomicU64),
}

impl<P: Platform> VmaStart<P> {
    /// A start that moves only while nobody reads it.
    pub(super) fn new(start: VirtAddr) -> Self {
        Self::Stable(RaceCell::new("D49 (the fields of a VMA are stable under its lock)", start))
    }

    /// The same start, which may sink while others read it.
    pub(super) fn sinking(&self) -> Self {
        Self::Sinking(P::AtomicU64::new(self.get().bytes()))
    }

    /// The start of another part of the same VMA.
    pub(super) fn of_other_part(&self, start: VirtAddr) -> Self {
        match self {
            Self::Stable(_) => Self::new(start),
            Self::Sinking(_) => Self::Sinking(P::AtomicU64::new(start.bytes())),
        }
    }

    #[track_caller]
    pub(super) fn get(&self) -> VirtAddr {
        match self {
            Self::Stable(start) => start.get(),
            // ORDER none: I2. Who must have the latest start holds the lock under which it was stored.
            Self::Sinking(start) => VirtAddr::user(start.load(Ordering::Relaxed)),
        }
    }

    #[track_caller]
    pub(super) fn set(&self, start: VirtAddr) {
        match self {
            Self::Stable(cell) => cell.set(start),
            // ORDER none: I2, as above.
            Self::Sinking(word) => word.store(start.bytes(), Ordering::Relaxed),
        }
    }
}
