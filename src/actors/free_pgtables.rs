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
            let root = EntryAt { table: mm.pgd(), index: 0, level: P::GEOMETRY.levels };
            free_below(mm, gather, root, 0, (range, bounds));
        },
        |()| String::new(),
    );
}

/// Frees what lies below the entries of one table, whose first entry translates `base`.
fn free_below<P: Platform>(
    mm: &Mm<P>,
    gather: &mut Gather<'_, P>,
    table: EntryAt,
    base: u64,
    (range, bounds): (Range, Range),
) {
    let span = P::GEOMETRY.page_size() << ((table.level - 1) * P::GEOMETRY.index_bits);
    for index in 0..P::GEOMETRY.entries() {
        let covers = Range { start: base + index as u64 * span, end: base + (index as u64 + 1) * span };
        if !covers.overlaps(range) {
            continue;
        }
        let at = EntryAt { index, ..table };
        let Some(child) = read_table(mm, at).target() else { continue };
        let child_at = EntryAt { table: child, index: 0, level: table.level - 1 };
        if child_at.level > 1 {
            free_below(mm, gather, child_at, covers.start, (range, bounds));
        }
        if covers.within(bounds) {
            assert_empty(mm, child_at);
            // ORDER none: I1, nobody walks here; the shootdown before the free orders it for hardware.
            mm.entry(at).store(0, Ordering::Relaxed);
            mm.add_tables(-1);
            gather.table(child);
        }
    }
}

fn assert_empty<P: Platform>(mm: &Mm<P>, table: EntryAt) {
    if P::CHECKED {
        for index in 0..P::GEOMETRY.entries() {
            // ORDER none: I1.
            let entry = PteVal::from_bits(mm.entry(EntryAt { index, ..table }).load(Ordering::Relaxed));
            assert!(entry.is_none(), "D7: table {} is freed while entry {index} is {entry}", table.table);
        }
    }
}

impl From<(VirtAddr, VirtAddr)> for Range {
    fn from((start, end): (VirtAddr, VirtAddr)) -> Self {
        Self { start: start.bytes(), end: end.bytes() }
    }
}
