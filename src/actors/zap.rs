//! Emptying the entries of a range (`mm/memory.c`, `zap_page_range_single` and below).
//!
//! # Invariants
//! - I1 (D23). An entry is cleared before its page's mapping is uncounted, both under the table's lock.
//! - I2 (D20). RSS is uncounted before the table's lock is released.

use crate::mm::{
    EntryAt, HugeZap, LockedPmd, LockedTable, Mm, RssKind, Vma, find_pmd, pmdp_get_lockless, remove_rmap,
    under_migration, unmap_hugepages, zap_huge,
};
use crate::platform::{Platform, Variant, enter, lacks, remark};
use crate::x86::{PmdVal, PteVal, VirtAddr};

use super::gather::Gather;

/// Clears every entry of the VMA from `start` up to `end`, and gathers the pages (`unmap_page_range`; for huge pages of
/// the pool `__unmap_hugepage_range`, within `hugetlb_zap`).
pub(super) fn unmap_page_range<P: Platform>(
    mm: &Mm<P>,
    gather: &mut Gather<'_, P>,
    vma: &Vma<P>,
    (start, end): (VirtAddr, VirtAddr),
) {
    enter::<P>("unmap_page_range", format_args!("{start}-{end}")).run(
        || {
            if vma.is_hugetlb() {
                for (address, folio) in unmap_hugepages(mm.memory(), vma, (start, end)) {
                    gather.cleared((address, address.offset(P::GEOMETRY.huge_page_size())));
                    gather.page(folio);
                }
                return;
            }
            let span = P::GEOMETRY.huge_page_size();
            let mut at = start;
            while at < end {
                let next = at.aligned_after(span).min(end);
                if let Some(pmd) = find_pmd(mm, at) {
                    zap_pmd_range(mm, gather, vma, pmd, (at, next));
                }
                at = next;
            }
        },
        |()| String::new(),
    );
}

/// What one PMD entry translates: a huge page, or a table of small ones. Faults may go on meanwhile, so the entry may
/// change between the looks at it: what is neither is looked at again.
fn zap_pmd_range<P: Platform>(
    mm: &Mm<P>,
    gather: &mut Gather<'_, P>,
    vma: &Vma<P>,
    pmd: EntryAt,
    range: (VirtAddr, VirtAddr),
) {
    loop {
        match zap_huge(mm, gather.cpu(), vma, pmd, range) {
            // Read without the lock: who cleared it may not have flushed yet, and no count tells if that was a split.
            HugeZap::None if lacks::<P>(Variant::C01) => return clear_if_bad(mm, pmd),
            HugeZap::None => return,
            HugeZap::NoPage => return gather.cleared(pmd.range::<P>()),
            HugeZap::Folio(folio) => {
                gather.cleared(pmd.range::<P>());
                return gather.page(folio);
            }
            HugeZap::NotHuge => {}
        }
        if zap_pte_range(mm, gather, pmd, range).is_some() {
            return;
        }
        remark::<P>(format_args!("the table is gone: look at the PMD again"));
    }
}

/// What Linux did until 3.4 where it had found no huge page: another look at the entry, which cleared what is neither
/// empty nor a table (`pmd_none_or_clear_bad`; what [`Variant::C01`] brings back).
fn clear_if_bad<P: Platform>(mm: &Mm<P>, pmd: EntryAt) {
    if pmdp_get_lockless(mm, pmd).is_huge() {
        LockedPmd::lock(mm, pmd).exchange(PmdVal::from_bits(0));
    }
}

/// Empties the entries of a table; `None` if there is no table.
fn zap_pte_range<P: Platform>(
    mm: &Mm<P>,
    gather: &mut Gather<'_, P>,
    pmd: EntryAt,
    (start, end): (VirtAddr, VirtAddr),
) -> Option<()> {
    let mut table = LockedTable::offset_map_lock(mm, pmd)?;
    let pages = (start.bytes()..end.bytes()).step_by(P::GEOMETRY.page_size() as usize).map(VirtAddr::user);
    for address in pages {
        zap_pte(mm, gather, &mut table, address);
    }
    Some(())
}

/// Empties one entry.
pub(super) fn zap_pte<P: Platform>(
    mm: &Mm<P>,
    gather: &mut Gather<'_, P>,
    table: &mut LockedTable<'_, P>,
    address: VirtAddr,
) {
    let page = (address, address.offset(P::GEOMETRY.page_size()));
    if table.get(address).is_none() {
        return gather.found_empty(page);
    }
    let entry = table.clear(address);
    if entry.is_present() {
        gather.cleared(page);
    } else {
        gather.found_empty(page);
    }
    zap_entry(mm, gather, table, entry);
}

fn zap_entry<P: Platform>(mm: &Mm<P>, gather: &mut Gather<'_, P>, table: &LockedTable<'_, P>, entry: PteVal) {
    if let Some(moving) = under_migration(entry) {
        // Whoever moves the page has uncounted the mapping already, and its reference.
        let page = mm.memory().page(mm.memory().folio_of(moving));
        table.count_rss(RssKind::of(page.mapping()), -1);
        return;
    }
    assert!(entry.is_present(), "{entry:?}: no actor swaps pages yet");
    if !entry.is_special() {
        let page = mm.memory().page(mm.memory().folio_of(entry.pfn()));
        let kind = RssKind::of(page.mapping());
        if kind != RssKind::Anon && entry.is_dirty() && !lacks::<P>(Variant::DirtyZap) {
            // What hardware marked in the entry must outlive it (D37): the file system has to write it back.
            mm.memory().folio(entry.pfn()).mark_dirty();
        }
        table.count_rss(kind, -1);
        remove_rmap(mm, entry.pfn());
        gather.page(entry.pfn());
    }
}
