//! A huge entry becomes a table (`__split_huge_pmd`). The folio stays whole: its pages are mapped one by one from then
//! on.
//!
//! ```text
//!   huge ---> invalidated ---> every CPU interrupted ---> table filled ---> linked
//! ```
//!
//! # Invariants
//! - I1 (D3, D4, M66). The entry is useless to hardware, and no CPU uses the old one, before it points to the table:
//!   one address never has a small and a large translation at once.
//! - I2. The table that takes over is the one that was deposited, so a split cannot fail.
//! - I3 (D11). Until it is linked nobody else can reach the table, so its entries are set without its lock.

use crate::phys::{Mapping, Pfn};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, enter, lacks, remark};
use crate::x86::{EntryFlags, PmdVal, PteVal, SwapEntry};

use crate::mm::entry_at::EntryAt;
use crate::mm::mm_struct::{Mm, RssKind};

use super::eligible::pages;
use super::locked_pmd::LockedPmd;
use super::migration::under_migration;

/// Splits the entry if it is a huge one now, or one under migration; who calls does not say what it was before.
pub(super) fn split_huge_pmd<P: Platform>(mm: &Mm<P>, at: EntryAt) {
    enter::<P>("__split_huge_pmd", format_args!("pmd={at}")).run(
        || {
            let mut pmd = LockedPmd::lock(mm, at);
            if pmd.get().is_huge() {
                split_locked(mm, &mut pmd);
            } else if let Some(moving) = under_migration(pmd.get()) {
                split_migration_entry(mm, &mut pmd, moving);
            } else {
                remark::<P>(format_args!("it is no huge page any more: {}", pmd.get()));
            }
        },
        |()| String::new(),
    );
}

/// `__split_huge_pmd_locked`.
fn split_locked<P: Platform>(mm: &Mm<P>, pmd: &mut LockedPmd<'_, P>) {
    let old = pmd.get();
    if mm.machine().huge_zero().get() == Some(old.pfn()) {
        return split_zero(mm, pmd);
    }
    if matches!(mm.memory().page(old.pfn()).mapping(), Mapping::File(_) | Mapping::Shmem(_)) {
        return split_file(mm, pmd);
    }
    // I1. From here on hardware sets no more marks, so these are the last.
    let old = if lacks::<P>(Variant::M66) { pmd.get() } else { pmd.invalidate() };
    count_pages(mm, old.pfn());
    let table = pmd.withdraw();
    fill(mm, table, |number| small_entry(old, number));
    mm.memory().page(old.pfn()).add_entire_mapcount(-1);
    pmd.populate(table);
}

/// A huge page of a file is taken away: faults find its pages in the page cache.
fn split_file<P: Platform>(mm: &Mm<P>, pmd: &mut LockedPmd<'_, P>) {
    let old = pmd.clear_flush();
    let page = mm.memory().page(old.pfn());
    hand_over_dirty(mm, old);
    page.add_entire_mapcount(-1);
    // The page cache has references, too: who maps a folio keeps it from leaving.
    page.drop_but_not_last();
    pmd.count_rss(RssKind::of(page.mapping()), -pages::<P>());
    remark::<P>(format_args!("a page of a file: it is not mapped any more, and faults will find it"));
}

/// What hardware marked in the entry of a file must outlive it (D37).
pub(super) fn hand_over_dirty<P: Platform>(mm: &Mm<P>, old: PmdVal) {
    if old.flags().intersects(EntryFlags::DIRTY | EntryFlags::SAVED_DIRTY) {
        mm.memory().page(old.pfn()).folio().mark_dirty();
    }
}

/// The folio is being moved: each of its pages gets an entry that says so, for the mover to put back. They count
/// nothing, as the huge one did; hardware knows neither, so no CPU has to forget anything.
fn split_migration_entry<P: Platform>(mm: &Mm<P>, pmd: &mut LockedPmd<'_, P>, moving: Pfn) {
    let old = pmd.get();
    let swap = SwapEntry::from_pte(old.as_pte()).expect("an entry under migration");
    let (accessed, dirty) = swap.migration_marks();
    let table = pmd.withdraw();
    fill(mm, table, |number| {
        let offset = SwapEntry::migration_offset(Pfn::truncate(moving.number() + number), accessed, dirty);
        let small = SwapEntry::new(swap.kind(), offset).expect("a frame fits into an offset");
        small.to_pte().with(old.flags() & SwapEntry::SOFT_DIRTY)
    });
    pmd.populate(table);
}

/// Moves what the huge entry counted to the entries that take over (`folio_add_anon_rmap_ptes`, `folio_ref_add`).
pub(super) fn count_pages<P: Platform>(mm: &Mm<P>, head: Pfn) {
    let memory = mm.memory();
    let is_exclusive = memory.page(head).is_anon_exclusive();
    for frame in memory.frames_of_folio(head) {
        memory.page(frame).add_mapcount(1);
        if is_exclusive {
            memory.page(frame).set_anon_exclusive();
        }
        if frame != head {
            memory.page(head).get();
        }
    }
}

/// The huge zero page has nothing to hand over, so it is taken away at once (`__split_huge_zero_page_pmd`).
pub(super) fn split_zero<P: Platform>(mm: &Mm<P>, pmd: &mut LockedPmd<'_, P>) {
    let old = pmd.clear_flush();
    let table = pmd.withdraw();
    let kept = old.flags() & !(EntryFlags::HUGE | EntryFlags::DIRTY | EntryFlags::SOFT_DIRTY);
    fill(mm, table, |_| PteVal::new(mm.machine().zero_page(), kept | EntryFlags::SPECIAL));
    pmd.populate(table);
}

/// The entry of one page, with the rights and marks that the huge entry gave to all.
pub(super) fn small_entry(old: PmdVal, number: u64) -> PteVal {
    PteVal::new(Pfn::truncate(old.pfn().number() + number), old.flags() & !EntryFlags::HUGE)
}

/// Fills a table that nobody else can reach (I3).
pub(super) fn fill<P: Platform>(mm: &Mm<P>, table: Pfn, entry: impl Fn(u64) -> PteVal) {
    for index in 0..P::GEOMETRY.entries() {
        let pte = entry(index as u64);
        // ORDER none: linking the table publishes it.
        mm.memory().word(table, index).store(pte.bits(), Ordering::Relaxed);
    }
    remark::<P>(format_args!("the deposited table {table} is filled"));
}
