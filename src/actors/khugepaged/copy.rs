//! The contents of the small pages go into the huge one, and the small ones go (`__collapse_huge_page_copy`).

use crate::mm::{LockedTable, Mm, PteTable, RssKind, remove_rmap};
use crate::phys::{CpuId, Pfn};
use crate::platform::{Platform, enter};
use crate::x86::VirtAddr;

use super::isolate::Isolated;
use super::scan::pages;
use super::survey::is_hole;

/// Fills every page of `folio`, and empties the table. That a page can turn out to be poisoned (`SCAN_COPY_MC`) is not
/// modelled.
pub(super) fn copy<P: Platform>(
    mm: &Mm<P>,
    cpu: CpuId,
    (table, address): (Pfn, VirtAddr),
    folio: Pfn,
    isolated: Isolated<'_, P>,
) {
    enter::<P>("__collapse_huge_page_copy", format_args!("table {table}, folio={folio}")).run(
        || {
            for (page, frame) in pages::<P>(address).zip(mm.memory().frames_of_folio(folio)) {
                let entry = PteTable::unlinked(mm, table).peek(page);
                if is_hole(mm, entry) {
                    mm.memory().clear_page(frame);
                } else {
                    mm.memory().copy_page(frame, entry.pfn());
                }
            }
            clear(mm, cpu, (table, address), isolated);
        },
        |()| "SCAN_SUCCEED".to_owned(),
    );
}

/// Takes the small pages out of the table (`__collapse_huge_page_copy_succeeded`). They were flushed before they were
/// copied, so they may be freed. A hole is a page from now on (for an empty entry, Linux does not lock the table:
/// nobody else can reach it).
fn clear<P: Platform>(mm: &Mm<P>, cpu: CpuId, (table, address): (Pfn, VirtAddr), mut isolated: Isolated<'_, P>) {
    for page in pages::<P>(address) {
        let entry = PteTable::unlinked(mm, table).peek(page);
        if is_hole(mm, entry) {
            let mut locked = LockedTable::unlinked(mm, table);
            locked.count_rss(RssKind::Anon, 1);
            locked.clear(page);
            continue;
        }
        isolated.release_small(mm.memory().folio_of(entry.pfn()));
        let mut locked = LockedTable::unlinked(mm, table);
        locked.clear(page);
        remove_rmap(mm, entry.pfn());
        drop(locked);
        mm.memory().put_page(cpu, entry.pfn());
    }
    isolated.release();
}
