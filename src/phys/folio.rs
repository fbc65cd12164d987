//! What a page of a file needs besides: the folio lock, and whether its contents are there, new, or to be followed by
//! more (`PG_locked`, `PG_uptodate`, `PG_dirty`, `PG_readahead`).
//!
//! # State
//!
//! ```text
//!   locked, not uptodate --- the read ends ---> uptodate (or not, if it failed), unlocked
//!        |                                          |
//!   the cache is filled                      clean <---> dirty
//! ```
//!
//! # Invariants
//! - I1 (D22). Whoever sees the folio uptodate sees the contents that were read.
//! - I2. The lock has no owner: the end of a read releases what its beginning took.
//!
//! # Memory ordering
//! - O1. `set_uptodate` stores with `Release` after the contents, `is_uptodate` loads with `Acquire`
//!   (`__folio_mark_uptodate`, `folio_test_uptodate`). The pair gives I1.
//! - O2. `dirty` and `readahead` publish nothing; who must not miss them holds a lock that orders them.
//! - O3. `begin_read` stores with `Release`, `end_read` takes with `AcqRel`: the folio's lock goes from one to the
//!   other.

use std::fmt;

use crate::locks::{BitLock, LockClass};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, describe, number, ordering};

use super::address::Pfn;

/// Whether a folio's contents are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Not yet, or the read failed.
    Missing,
    /// They are.
    Uptodate,
}

/// The flags of one folio.
pub struct FolioFlags<P: Platform> {
    locked: BitLock<P>,
    uptodate: P::AtomicU64,
    dirty: P::AtomicU64,
    readahead: P::AtomicU64,
    /// A read is under way, and whoever takes this mark ends it.
    reading: P::AtomicU64,
}

impl<P: Platform> FolioFlags<P> {
    pub(super) fn new() -> Self {
        Self {
            locked: BitLock::new(LockClass::Folio),
            uptodate: P::AtomicU64::new(0),
            dirty: P::AtomicU64::new(0),
            readahead: P::AtomicU64::new(0),
            reading: P::AtomicU64::new(0),
        }
    }

    /// Says which frame's flags these are.
    pub(super) fn describe(&self, pfn: Pfn) {
        let flags = [
            (&self.uptodate, "uptodate"),
            (&self.dirty, "dirty"),
            (&self.readahead, "readahead"),
            (&self.reading, "reading"),
        ];
        for (flag, name) in flags {
            describe::<P>(flag, format_args!("{name} flag of {pfn}"), number);
        }
    }

    /// The folio lock (`folio_lock`, `folio_unlock`).
    pub fn lock(&self) -> &BitLock<P> {
        &self.locked
    }

    /// Whether the contents are there (`folio_test_uptodate`).
    #[track_caller]
    pub fn contents(&self) -> Contents {
        // ORDER O1: pairs with `set_uptodate`.
        if self.uptodate.load(ordering::<P>(Variant::OContents, Ordering::Acquire)) == 0 {
            Contents::Missing
        } else {
            Contents::Uptodate
        }
    }

    /// Says that the contents are there (`folio_mark_uptodate`).
    #[track_caller]
    pub fn set_uptodate(&self) {
        // ORDER O1: publishes the contents.
        self.uptodate.store(1, ordering::<P>(Variant::OUptodate, Ordering::Release));
    }

    /// Whether the contents differ from what the file system has (`folio_test_dirty`).
    #[track_caller]
    pub fn is_dirty(&self) -> bool {
        // ORDER none: O2.
        self.dirty.load(Ordering::Relaxed) != 0
    }

    /// Says so (`folio_mark_dirty`); returns whether it was news.
    #[track_caller]
    pub fn mark_dirty(&self) -> bool {
        // ORDER none: O2.
        self.dirty.swap(1, Ordering::Relaxed) == 0
    }

    /// Says that whoever comes here wants more to be read (`folio_set_readahead`).
    pub fn set_readahead(&self) {
        // ORDER none: O2.
        self.readahead.store(1, Ordering::Relaxed);
    }

    /// Whether more is to be read (`folio_test_readahead`).
    #[track_caller]
    pub fn wants_readahead(&self) -> bool {
        // ORDER none: O2.
        self.readahead.load(Ordering::Relaxed) != 0
    }

    /// It is being read (`folio_clear_readahead`).
    #[track_caller]
    pub fn clear_readahead(&self) {
        // ORDER none: O2.
        self.readahead.store(0, Ordering::Relaxed);
    }

    /// Notes that a read of the locked folio lasts; its end releases the lock.
    #[track_caller]
    pub fn begin_read(&self) {
        self.locked.hand_over();
        // ORDER O3: pairs with `end_read`.
        self.reading.store(1, ordering::<P>(Variant::OBeginRead, Ordering::Release));
    }

    /// Whether a read was under way; it is the caller's to end.
    #[track_caller]
    #[must_use]
    pub fn end_read(&self) -> bool {
        // ORDER O3: pairs with `begin_read`: who ends the read sees the folio as its beginner left it.
        self.reading.swap(0, ordering::<P>(Variant::OEndRead, Ordering::AcqRel)) != 0
    }

    /// The frame is free: nothing is known of it.
    pub(super) fn reset(&self) {
        for flag in [&self.uptodate, &self.dirty, &self.readahead, &self.reading] {
            // ORDER none: nobody else refers to a frame that is being freed.
            flag.store(0, Ordering::Relaxed);
        }
    }
}

impl<P: Platform> fmt::Debug for FolioFlags<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the flags: reading them would be steps of the model.
        formatter.debug_struct("FolioFlags").finish_non_exhaustive()
    }
}
