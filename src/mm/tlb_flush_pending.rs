//! How many changes of an address space's entries are under way whose flush is still to come (`mm->tlb_flush_pending`).
//!
//! ```text
//!   inc; lock the table; change the entry; unlock; flush; dec
//! ```
//!
//! Whoever finds under the lock of a table that there is nothing left to unmap may be looking at the work of another,
//! who has not flushed yet. The count tells.
//!
//! # Memory ordering (`include/linux/mm_types.h`)
//! - O1. The count goes up before the lock of the table is taken, and is asked after it: the lock orders the two.
//! - O2. It goes down with `Release` after the flush, and is asked with `Acquire`: who finds nobody else sees that the
//!   flush is over. Linux has no barrier here: on x86 the decrement is a locked instruction, and elsewhere whoever
//!   flushes has waited for the CPUs by then.

use crate::platform::{AtomicWord, Ordering, Platform, Variant, named, ordering};

/// The count.
#[derive(Debug)]
pub struct TlbFlushPending<P: Platform>(P::AtomicU64);

impl<P: Platform> TlbFlushPending<P> {
    pub(super) fn new() -> Self {
        Self(named::<P>(format_args!("mm->tlb_flush_pending"), 0))
    }

    /// Entries are going to be changed (`inc_tlb_flush_pending`).
    pub fn inc(&self) {
        // ORDER none: O1, the lock of the table, which is taken next.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The flush is over (`dec_tlb_flush_pending`).
    pub fn dec(&self) {
        // ORDER O2: pairs with `get`.
        let before = self.0.fetch_sub(1, ordering::<P>(Variant::OFlushDone, Ordering::Release));
        assert!(before > 0, "D35: a flush came to its end that nobody had announced");
    }

    /// Whether somebody else is between the two as well as the caller (`mm_tlb_flush_nested`).
    pub fn is_nested(&self) -> bool {
        self.get() > 1
    }

    /// Whether somebody is (`mm_tlb_flush_pending`).
    pub fn is_pending(&self) -> bool {
        self.get() > 0
    }

    fn get(&self) -> u64 {
        // ORDER O2: pairs with `dec`.
        self.0.load(ordering::<P>(Variant::OFlushPending, Ordering::Acquire))
    }
}
