//! Whether a write may have the page for itself, as Linux 4.4 decides it (`mm/memory.c`, `do_wp_page`).
//!
//! It counts mappings: one entry, and the page is the writer's. The folio lock keeps the swap cache from adding one
//! meanwhile, and who has to wait for it drops the table's lock, so the entry is compared again.
//!
//! # Invariants
//! - I1 (M21). Who gives a mapping up uncounts it only after every CPU has forgotten the entry: from that moment the
//!   other process may write to the page.
//! - I2. A reference without a mapping does not count. Who took one to read the page (GUP) sees what is written later;
//!   that is why newer kernels ask for more.

use crate::phys::{Mapping, Page, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::PteVal;

use super::pte_table::LockedTable;
use super::rmap::folio_move_anon_rmap;
use super::vmf::{VmFault, Vmf};
use super::wp_page::wp_page_reuse;
use super::wp_page_copy::wp_page_copy;

/// Reuses the page if one entry maps it, else copies it. 4.4 answers with `VM_FAULT_WRITE`, which only GUP reads; here
/// it is 0.
pub(super) fn wp_page_by_mapcount<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    table: LockedTable<'m, P>,
    orig: PteVal,
    old: Pfn,
) -> VmFault<'m, P> {
    let memory = vmf.mm.memory();
    let (page, folio) = (memory.page(old), memory.page(memory.folio_of(old)));
    let mut table = table;
    if matches!(folio.mapping(), Mapping::Anon(_)) {
        if !folio.folio().lock().try_lock() {
            match lock_page_and_map_again(&vmf, table, orig, old) {
                Some(again) => table = again,
                None => return vmf.handled(),
            }
        }
        let reuse = reuse_swap_page(page);
        if reuse {
            folio_move_anon_rmap(&vmf, folio);
        }
        folio.folio().lock().unlock();
        if reuse {
            wp_page_reuse(&vmf, &mut table, orig);
            drop(table);
            return vmf.handled();
        }
    }
    folio.get();
    drop(table);
    wp_page_copy(vmf, orig, Some(old))
}

/// Waits for the folio lock without the table's, then compares the entry (`pte_same`); `None`, with the folio unlocked,
/// if it changed.
fn lock_page_and_map_again<'m, P: Platform>(
    vmf: &Vmf<'m, P>,
    table: LockedTable<'m, P>,
    orig: PteVal,
    old: Pfn,
) -> Option<LockedTable<'m, P>> {
    let page = vmf.mm.memory().page(vmf.mm.memory().folio_of(old));
    page.get();
    drop(table);
    page.folio().lock().lock();
    let same = |table: &LockedTable<'_, P>| recheck::<P>(Variant::LockPageSame, || table.get(vmf.address) == orig);
    let again = LockedTable::offset_map_lock(vmf.mm, vmf.pmd).filter(same);
    if again.is_none() {
        remark::<P>(format_args!("the entry changed meanwhile: the access will tell"));
        page.folio().lock().unlock();
    }
    vmf.mm.memory().put_page(vmf.task.cpu(), old);
    again
}

/// Whether one entry maps the page; there is no swap cache to count (`reuse_swap_page`).
fn reuse_swap_page<P: Platform>(page: &Page<P>) -> bool {
    enter::<P>("reuse_swap_page", format_args!("mapcount={}", page.mapcount()))
        .run(|| page.mapcount_after_removals() <= 1, |reuse| reuse.to_string())
}
