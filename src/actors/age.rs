//! Making a page look unused and unwritten, so that the next accesses have marks to set (`mm/page_idle.c`, reclaim's
//! ageing; `mm/rmap.c`, `page_mkclean_one`, but for the right to write).
//!
//! On x86 Accessed goes without a flush (`ptep_clear_flush_young`): a CPU that remembers the entry uses the page, and
//! does not say so; it looks unused, which costs performance at most. Dirty must not go like that: a CPU that remembers
//! it would write and not say so (D40).

use crate::mm::{EntryAt, LockedPmd, LockedTable, Mm, find_pmd, flush_tlb_range};
use crate::platform::{Platform, Variant, lacks};
use crate::x86::{EntryFlags, VirtAddr};

/// Clears Accessed and Dirty in the entry of an address, if a page is mapped there.
pub fn age<P: Platform>(mm: &Mm<P>, address: VirtAddr) {
    let Some(pmd) = find_pmd(mm, address) else { return };
    let Some(mut table) = LockedTable::offset_map_lock(mm, pmd) else { return age_huge(mm, pmd) };
    if table.get(address).is_present() {
        let entry = table.clear(address);
        table.set(address, entry.without(EntryFlags::ACCESSED | EntryFlags::DIRTY));
        flush(mm, (address, address.offset(P::GEOMETRY.page_size())), entry.flags());
    }
}

/// The same for a huge page.
fn age_huge<P: Platform>(mm: &Mm<P>, at: EntryAt) {
    let mut pmd = LockedPmd::lock(mm, at);
    if pmd.get().is_huge() {
        let old = pmd.update(|entry| entry.without(EntryFlags::ACCESSED | EntryFlags::DIRTY));
        flush(mm, at.range::<P>(), old.flags());
    }
}

/// The marks of an entry that had these are gone.
fn flush<P: Platform>(mm: &Mm<P>, range: (VirtAddr, VirtAddr), old: EntryFlags) {
    if old.contains(EntryFlags::DIRTY) && !lacks::<P>(Variant::AgeFlush) {
        flush_tlb_range(mm, range);
    }
}
