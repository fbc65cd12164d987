//! Emptying the entries of a range (`mm/memory.c`, `zap_page_range_single` and below).
//!
//! # Invariants
//! - I1 (D23). An entry is cleared before its page's mapping is uncounted, both under the table's lock.
//! - I2 (D20). RSS is uncounted before the table's lock is released.

use crate::mm::{EntryAt, LockedTable, Mm, find_pmd, remove_rmap, under_migration};
use crate::platform::{Platform, enter};
use crate::x86::{PteVal, VirtAddr};

use super::gather::Gather;

/// Clears every entry from `start` up to `end`, and gathers the pages (`unmap_page_range`).
pub(super) fn unmap_page_range<P: Platform>(mm: &Mm<P>, gather: &mut Gather<'_, P>, start: VirtAddr, end: VirtAddr) {
    enter::<P>("unmap_page_range", format_args!("{start}-{end}")).run(
        || {
            let span = P::GEOMETRY.page_size() << P::GEOMETRY.index_bits;
            let mut at = start;
            while at < end {
                let next = at.aligned_after(span).min(end);
                if let Some(pmd) = find_pmd(mm, at) {
                    zap_pte_range(mm, gather, pmd, at, next);
                }
                at = next;
            }
        },
        |()| String::new(),
    );
}

fn zap_pte_range<P: Platform>(mm: &Mm<P>, gather: &mut Gather<'_, P>, pmd: EntryAt, start: VirtAddr, end: VirtAddr) {
    let Some(mut table) = LockedTable::offset_map_lock(mm, pmd) else { return };
    let pages = (start.bytes()..end.bytes()).step_by(P::GEOMETRY.page_size() as usize).map(VirtAddr::user);
    for address in pages {
        if !table.get(address).is_none() {
            let entry = table.clear(address);
            zap_entry(mm, gather, entry);
        }
    }
}

fn zap_entry<P: Platform>(mm: &Mm<P>, gather: &mut Gather<'_, P>, entry: PteVal) {
    if under_migration(entry).is_some() {
        // Whoever moves the page has uncounted the mapping already, and its reference.
        mm.add_rss_anon(-1);
        return;
    }
    assert!(entry.is_present(), "{entry:?}: no actor swaps pages yet");
    if !entry.is_special() {
        mm.add_rss_anon(-1);
        remove_rmap(mm, entry.pfn());
        gather.page(entry.pfn());
    }
}
