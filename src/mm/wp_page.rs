//! A write to a page that is mapped without the right to write (`mm/memory.c`, `do_wp_page`).
//!
//! ```text
//!   shared mapping ──────────────> wp_page_shared: the page itself is written
//!   private, exclusive ──────────> wp_page_reuse
//!   private, last to refer to it > wp_can_reuse_anon_folio ──> wp_page_reuse, exclusive from now on
//!   private, anything else ──────> wp_page_copy
//! ```
//!
//! # Invariants
//! - I1 (D26). An entry becomes writable only if its page is exclusive, or belongs to a shared mapping.
//! - I2 (M22). A page becomes exclusive only while its lock is held and the only reference is the entry's: then no
//!   other process, no cache and no walker can come to it.

use crate::phys::{Mapping, Page, Pfn};
use crate::platform::{Platform, Variant, enter, lacks, recheck, remark};
use crate::x86::{EntryFlags, PteVal};

use super::fault_flags::FaultFlags;
use super::generation::CowReuse;
use super::handle_pte_fault::maybe_mkwrite;
use super::pte_table::LockedTable;
use super::rmap::folio_move_anon_rmap;
use super::vm_flags::VmFlags;
use super::vmf::{VmFault, Vmf};
use super::wp_page_copy::wp_page_copy;
use super::wp_page_g2::wp_page_by_mapcount;
use super::wp_page_shared::wp_page_shared;

/// Gives the writer a page that it may write; `table` is locked and holds `orig`.
///
/// The entry may be write-protected for userfaultfd, too: nobody registers it here, so that is not asked.
pub(super) fn do_wp_page<'m, P: Platform>(vmf: Vmf<'m, P>, table: LockedTable<'m, P>, orig: PteVal) -> VmFault<'m, P> {
    enter::<P>("do_wp_page", format_args!("address={}, pte={orig}", vmf.address)).run(
        || {
            if vmf.vma().flags().contains(VmFlags::SHARED) {
                return wp_page_shared(vmf, table, orig);
            }
            match (vm_normal_page(orig), vmf.mm.generation().cow_reuse()) {
                (None, _) => {
                    drop(table);
                    wp_page_copy(vmf, orig, None)
                }
                (Some(old), CowReuse::AnonExclusive) => wp_page_private(vmf, table, orig, old),
                (Some(old), CowReuse::MapCount) => wp_page_by_mapcount(vmf, table, orig, old),
            }
        },
        VmFault::words,
    )
}

/// The page of a present entry; `None` for the zero page and raw frames, which nobody counts (`vm_normal_page`).
pub(super) fn vm_normal_page(entry: PteVal) -> Option<Pfn> {
    (!entry.is_special()).then(|| entry.pfn())
}

fn wp_page_private<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    table: LockedTable<'m, P>,
    orig: PteVal,
    old: Pfn,
) -> VmFault<'m, P> {
    let memory = vmf.mm.memory();
    let (page, folio) = (memory.page(old), memory.page(memory.folio_of(old)));
    let is_anon = matches!(folio.mapping(), Mapping::Anon(_));
    let may_reuse = || page.is_anon_exclusive() || lacks::<P>(Variant::M23) || wp_can_reuse_anon_folio(&vmf, folio);
    if is_anon && may_reuse() {
        page.set_anon_exclusive();
        if vmf.flags.contains(FaultFlags::UNSHARE) {
            remark::<P>(format_args!("the page is not shared, and nobody writes"));
            drop(table);
            return vmf.handled();
        }
        let mut table = table;
        wp_page_reuse(&vmf, &mut table, orig);
        drop(table);
        return vmf.handled();
    }
    folio.get();
    drop(table);
    wp_page_copy(vmf, orig, Some(old))
}

/// Whether nobody but this entry refers to an anonymous folio; the table's lock is held. Of a large one, it cannot
/// tell. There is no swap cache and no KSM, which would have a reference each.
fn wp_can_reuse_anon_folio<P: Platform>(vmf: &Vmf<'_, P>, page: &Page<P>) -> bool {
    enter::<P>("wp_can_reuse_anon_folio", format_args!("refcount={}", page.refcount())).run(
        || {
            if lacks::<P>(Variant::B06) && page.order() == 0 && page.mapcount_after_removals() == 1 {
                folio_move_anon_rmap(vmf, page);
                return true;
            }
            if page.order() > 0 || page.refcount() > 3 {
                return false;
            }
            // The CPU's own batch may be what refers to the page. Linux asks first whether the page is on a list yet.
            vmf.mm.memory().drain_lru_batch(vmf.task.cpu());
            if page.refcount() > 1 || !page.folio().lock().try_lock() {
                return false;
            }
            // The second test (M22), under the folio lock: who found the page in the meantime has a reference now.
            let is_last = recheck::<P>(Variant::M22, || page.refcount_after_puts() == 1);
            if is_last {
                folio_move_anon_rmap(vmf, page);
            }
            page.folio().lock().unlock();
            is_last
        },
        |reuse| reuse.to_string(),
    )
}

/// Makes the entry writable (`wp_page_reuse`). An entry gains rights, so no CPU has to forget anything.
pub(super) fn wp_page_reuse<P: Platform>(vmf: &Vmf<'_, P>, table: &mut LockedTable<'_, P>, orig: PteVal) {
    enter::<P>("wp_page_reuse", format_args!("address={}", vmf.address)).run(
        || {
            let entry = maybe_mkwrite(vmf.vma(), orig.with(EntryFlags::ACCESSED).dirtied());
            table.set_access_flags(vmf.address, entry);
        },
        |()| String::new(),
    );
}
