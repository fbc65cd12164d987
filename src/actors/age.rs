//! Making a page look unused, so that the next access has marks to set (`mm/page_idle.c`, reclaim's ageing).

use crate::mm::{EntryAt, LockedPmd, LockedTable, Mm, find_pmd};
use crate::platform::Platform;
use crate::x86::{EntryFlags, VirtAddr};

/// Clears Accessed and Dirty in the entry of an address, if a page is mapped there.
pub fn age<P: Platform>(mm: &Mm<P>, address: VirtAddr) {
    let Some(pmd) = find_pmd(mm, address) else { return };
    let Some(mut table) = LockedTable::offset_map_lock(mm, pmd) else { return age_huge(mm, pmd) };
    if table.get(address).is_present() {
        let entry = table.clear(address);
        table.set(address, entry.without(EntryFlags::ACCESSED | EntryFlags::DIRTY));
    }
}

/// The same for a huge page.
fn age_huge<P: Platform>(mm: &Mm<P>, pmd: EntryAt) {
    let mut pmd = LockedPmd::lock(mm, pmd);
    if pmd.get().is_huge() {
        pmd.update(|entry| entry.without(EntryFlags::ACCESSED | EntryFlags::DIRTY));
    }
}
