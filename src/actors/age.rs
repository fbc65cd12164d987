//! Making a page look unused, so that the next access has marks to set (`mm/page_idle.c`, reclaim's ageing).

use crate::mm::{LockedTable, Mm, find_pmd};
use crate::platform::Platform;
use crate::x86::{EntryFlags, VirtAddr};

/// Clears Accessed and Dirty in the entry of an address, if a page is mapped there.
pub fn age<P: Platform>(mm: &Mm<P>, address: VirtAddr) {
    let Some(mut table) = find_pmd(mm, address).and_then(|pmd| LockedTable::offset_map_lock(mm, pmd)) else { return };
    if table.get(address).is_present() {
        let entry = table.clear(address);
        table.set(address, entry.without(EntryFlags::ACCESSED | EntryFlags::DIRTY));
    }
}
