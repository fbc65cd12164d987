//! Who asks for a huge page, and what he puts up with (`struct collapse_control`).

use crate::platform::Platform;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collapser {
    /// The daemon: where somebody asked for huge pages, and where it is worth it.
    Khugepaged,
    /// `madvise(MADV_COLLAPSE)`, which came with 6.1: wherever it is not forbidden.
    Madvise,
}

impl Collapser {
    /// Empty entries and zero pages, at most (`khugepaged_max_ptes_none`).
    pub(super) fn max_ptes_none<P: Platform>(self) -> usize {
        match self {
            Self::Khugepaged => P::GEOMETRY.entries() - 1,
            Self::Madvise => P::GEOMETRY.entries(),
        }
    }

    /// Pages that others map, too, at most (`khugepaged_max_ptes_shared`).
    pub(super) fn max_ptes_shared<P: Platform>(self) -> usize {
        match self {
            Self::Khugepaged => P::GEOMETRY.entries() / 2,
            Self::Madvise => P::GEOMETRY.entries(),
        }
    }

    /// Entries that are neither empty nor present, at most (`khugepaged_max_ptes_swap`).
    pub(super) fn max_ptes_swap<P: Platform>(self) -> usize {
        match self {
            Self::Khugepaged => P::GEOMETRY.entries() / 8,
            Self::Madvise => P::GEOMETRY.entries(),
        }
    }
}
