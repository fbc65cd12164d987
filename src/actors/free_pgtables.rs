//! Freeing the tables of a range that is unmapped (`mm/memory.c`, `free_pgtables`, `free_pgd_range`).
//!
//! # Invariants
//! - I1. No lock of a table is needed: the range belongs to no VMA, its entries are all empty, and the neighbours'
//!   bounds (floor and ceiling) keep every table that somebody else could use.
//! - I2 (D7). A PTE table is empty when it is unlinked.

use crate::mm::{EntryAt, Mm, read_table};
use crate::platform::{AtomicWord, Ordering, Platform, enter};
use crate::x86::{PteVal, VirtAddr};

use super::gather::Gather;

/// A range of addresses, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Range {
    fn within(self, outer: Self) -> bool {
        outer.start <= self.start && self.end <= outer.end
    }

    fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Unlinks and gathers the tables that cover only addresses within `bounds` and touch `range`.
pub(super) fn free_pgtables<P: Platform>(mm: &Mm<P>, gather: &mut Gather<'_, P>, range: Range, bounds: Range) {
    enter::<P>("free_pgtables", format_args!("{range:x?}, between neighbours at {bounds:x?}")).run(
        || {
            let root = EntryAt::of::<P>(mm.pgd(), P::GEOMETRY.levels, VirtAddr::ZERO);
            free_below(mm, gather, root, (range, bounds));
        },
        |()| String::new(),
    );
}

/// Frees what lies below the entries of one table, of which `table` is the first.
fn free_below<P: Platform>(mm: &Mm<P>, gather: &mut Gather<'_, P>, table: EntryAt, (range, bounds): (Range, Range)) {
    for index in 0..P::GEOMETRY.entries() {
        let at = table.nth::<P>(index);
        let covers = Range::from(at.range::<P>());
        if !covers.overlaps(range) {
            continue;
        }
        let Some(child) = read_table(mm, at).target() else { continue };
        let child_at = EntryAt::of::<P>(child, table.level - 1, at.address);
        if child_at.level > 1 {
            free_below(mm, gather, child_at, (range, bounds));
        }
        if covers.within(bounds) {
            assert_empty(mm, child_at);
            // ORDER none: I1, nobody walks here; the shootdown before the free orders it for hardware.
            mm.entry(at).store(0, Ordering::Relaxed);
            mm.add_tables(-1);
            gather.table(child, at.range::<P>());
        }
    }
}

fn assert_empty<P: Platform>(mm: &Mm<P>, table: EntryAt) {
    if P::CHECKED {
        for index in 0..P::GEOMETRY.entries() {
            // ORDER none: I1.
            let entry = PteVal::from_bits(mm.entry(table.nth::<P>(index)).load(Ordering::Relaxed));
            assert!(entry.is_none(), "D7: table {} is freed while entry {index} is {entry}", table.table);
        }
    }
}

impl From<(VirtAddr, VirtAddr)> for Range {
    fn from((start, end): (VirtAddr, VirtAddr)) -> Self {
        Self { start: start.bytes(), end: end.bytes() }
    }
}
