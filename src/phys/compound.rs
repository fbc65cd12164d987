//! What makes frames one folio: 2^order frames that are allocated, referred to and freed together, with a head and
//! tails; and what a page needs besides because of it (`struct folio`, `struct ptdesc`).
//!
//! # Invariants
//! - I1. Every frame of a folio has the state of its head. References are kept by the head alone; what maps a single
//!   page is counted by that page, what maps the whole by the head's `entire_mapcount`.
//! - I2 (D9). The tables deposited for the huge entries of a PMD table form a list that begins at the PMD table's page;
//!   the lock of the PMD table guards it.
//!
//! # Memory ordering
//! - O1. `add_entire_mapcount` is `AcqRel`, as `add_mapcount` is: whoever finds one mapping left sees what was done
//!   through the others.

use std::fmt;

use crate::platform::{AtomicWord, Ordering, Platform, RaceCell, Variant, describe, number, ordering};

use super::address::Pfn;

/// One frame's part in its folio.
pub(super) struct Compound<P: Platform> {
    /// Frames from the head to this one.
    from_head: RaceCell<P, u64>,
    /// Of a head: its folio has 2^order frames.
    order: RaceCell<P, u64>,
    /// Of a head: huge entries that map the folio.
    entire_mapcount: P::AtomicU64,
    /// Nobody else maps the page, nor may anybody without saying so (`PG_anon_exclusive`).
    anon_exclusive: RaceCell<P, bool>,
    /// Of a PMD table: the first table deposited with it; of that: the next one. A frame's index and one.
    deposit: RaceCell<P, u64>,
}

const STABLE: &str = "D14 (an entry names an allocated folio)";

impl<P: Platform> Compound<P> {
    pub(super) fn new() -> Self {
        Self {
            from_head: RaceCell::new(STABLE, 0),
            order: RaceCell::new(STABLE, 0),
            entire_mapcount: P::AtomicU64::new(0),
            anon_exclusive: RaceCell::new("D27 (an exclusive page has one mapping)", false),
            deposit: RaceCell::new("D9 (a huge entry has one deposited table)", 0),
        }
    }

    /// Says which frame's counts these are.
    pub(super) fn describe(&self, pfn: Pfn) {
        describe::<P>(&self.entire_mapcount, format_args!("entire mapcount of {pfn}"), number);
    }

    pub(super) fn frames_after_head(&self) -> u64 {
        self.from_head.get()
    }

    pub(super) fn order(&self) -> u32 {
        self.order.get() as u32
    }

    /// Says which part of which folio the frame is.
    pub(super) fn set(&self, from_head: u64, order: u32) {
        self.from_head.set(from_head);
        self.set_order(order);
    }

    pub(super) fn set_order(&self, order: u32) {
        self.order.set(u64::from(order));
    }

    pub(super) fn entire_mapcount(&self) -> i64 {
        // ORDER none: an answer about now; who acts on it holds what keeps it true.
        self.entire_mapcount.load(Ordering::Relaxed).cast_signed()
    }

    pub(super) fn entire_mapcount_after_removals(&self) -> i64 {
        // ORDER O1: pairs with `add_entire_mapcount`.
        self.entire_mapcount.load(ordering::<P>(Variant::OLastHugeMapping, Ordering::Acquire)).cast_signed()
    }

    pub(super) fn add_entire_mapcount(&self, entries: i64) {
        // ORDER O1: pairs with `entire_mapcount_after_removals` of another address space, which holds another lock.
        self.entire_mapcount
            .fetch_add(entries.cast_unsigned(), ordering::<P>(Variant::OEntireMapcount, Ordering::AcqRel));
    }

    pub(super) fn anon_exclusive(&self) -> &RaceCell<P, bool> {
        &self.anon_exclusive
    }

    pub(super) fn deposit(&self) -> &RaceCell<P, u64> {
        &self.deposit
    }

    /// The frame is free, and nothing of a folio.
    pub(super) fn reset(&self) {
        self.reset_users();
        self.set(0, 0);
    }

    /// Nobody uses the folio any more; its frames stay together.
    pub(super) fn reset_users(&self) {
        let entire = self.entire_mapcount();
        assert!(entire == 0, "D21: a folio that {entire} huge entries map was freed");
        self.anon_exclusive.set(false);
    }
}

impl<P: Platform> fmt::Debug for Compound<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the values: reading them would be steps of the model.
        formatter.debug_struct("Compound").finish_non_exhaustive()
    }
}
