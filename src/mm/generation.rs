//! Which kernel's protocol an address space follows.

use std::fmt;

/// A generation of the fault path, given when an address space is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Linux 2.6.38 to 4.4: every fault holds the mmap semaphore; a split locks each page table; a huge page that is
    /// being split is marked by a bit.
    G2,
    /// Linux 6.5 to 6.12: a fault from user mode holds a lock of its VMA if it can, tables may be removed under RCU.
    G6,
}

/// Whether VMAs have locks of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmaLocking {
    /// The mmap lock is the only one.
    MmapLockOnly,
    /// A fault may hold the lock of its VMA instead (`CONFIG_PER_VMA_LOCK`).
    PerVma,
}

/// Which lock lets a stack grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackGrowth {
    /// The mmap lock held for reading, with that of the `anon_vma` (until 6.4).
    AmongReaders,
    /// The mmap lock held for writing.
    Alone,
}

/// How a write to a write-protected anonymous page finds out that it need not copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CowReuse {
    /// One entry maps it (`reuse_swap_page`).
    MapCount,
    /// It is marked as exclusive, or nobody else has a reference (`PageAnonExclusive`, `wp_can_reuse_anon_folio`).
    AnonExclusive,
}

impl Generation {
    /// Every generation.
    pub const ALL: [Self; 2] = [Self::G2, Self::G6];

    /// How it keeps VMAs stable.
    pub const fn vma_locking(self) -> VmaLocking {
        match self {
            Self::G2 => VmaLocking::MmapLockOnly,
            Self::G6 => VmaLocking::PerVma,
        }
    }

    /// How its stacks grow.
    pub const fn stack_growth(self) -> StackGrowth {
        match self {
            Self::G2 => StackGrowth::AmongReaders,
            Self::G6 => StackGrowth::Alone,
        }
    }

    /// How it decides whether to copy a page on write.
    pub const fn cow_reuse(self) -> CowReuse {
        match self {
            Self::G2 => CowReuse::MapCount,
            Self::G6 => CowReuse::AnonExclusive,
        }
    }
}

/// As a reader knows it: a version of Linux.
impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::G2 => "Linux 4.4",
            Self::G6 => "Linux 6.12",
        })
    }
}
