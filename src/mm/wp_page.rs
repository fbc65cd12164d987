//! A write to a page that is mapped without the right to write (`mm/memory.c`, `do_wp_page`, `wp_page_copy`).
//!
//! So far the only such page in a VMA that may be written is the zero page that a read mapped.

use crate::platform::{Platform, enter, remark};
use crate::x86::PteVal;

use super::anon_vma::{Prepared, vmf_anon_prepare};
use super::anonymous::alloc_anon_folio;
use super::handle_pte_fault::writable_entry;
use super::pte_table::LockedTable;
use super::rmap::folio_add_new_anon_rmap;
use super::vm_flags::VmFlags;
use super::vmf::{FaultError, VmFault, Vmf};
use super::wp_page_shared::wp_page_shared;

/// Gives the writer a page of its own; `table` is locked and holds `orig`.
pub(super) fn do_wp_page<'m, P: Platform>(vmf: Vmf<'m, P>, table: LockedTable<'m, P>, orig: PteVal) -> VmFault<'m, P> {
    enter::<P>("do_wp_page", format_args!("address={}, pte={orig}", vmf.address)).run(
        || {
            if vmf.vma().flags().contains(VmFlags::SHARED) {
                return wp_page_shared(vmf, table, orig);
            }
            assert!(orig.is_special(), "{orig:?}: nobody write-protects pages yet, so this must be the zero page");
            drop(table);
            wp_page_copy(vmf, orig)
        },
        VmFault::words,
    )
}

/// Copies the page: a copy of the zero page is a zeroed page.
fn wp_page_copy<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PteVal) -> VmFault<'m, P> {
    enter::<P>("wp_page_copy", format_args!("address={}", vmf.address)).run(
        || {
            let (vmf, anon_vma) = match vmf_anon_prepare(vmf) {
                Prepared::Ready(vmf, anon_vma) => (vmf, anon_vma),
                Prepared::Retry(result) => return result,
            };
            let Ok(pfn) = alloc_anon_folio(&vmf) else { return vmf.failed(FaultError::Oom) };
            let memory = vmf.mm.memory();
            // pte_same (M19): another write may have copied the page already.
            let table = LockedTable::offset_map_lock(vmf.mm, vmf.pmd).filter(|table| table.get(vmf.address) == orig);
            let Some(mut table) = table else {
                remark::<P>(format_args!("another fault came first"));
                memory.put_page(vmf.task.cpu(), pfn);
                return vmf.handled();
            };
            vmf.mm.add_rss_anon(1);
            ptep_clear_flush(&vmf, &mut table);
            folio_add_new_anon_rmap(&vmf, pfn, anon_vma);
            memory.add_to_lru(vmf.task.cpu(), pfn);
            table.set(vmf.address, writable_entry(&vmf, pfn));
            drop(table);
            vmf.handled()
        },
        VmFault::words,
    )
}

/// Clears the entry and waits until no CPU can use the old one (M20), so that old and new are never visible together.
fn ptep_clear_flush<P: Platform>(vmf: &Vmf<'_, P>, table: &mut LockedTable<'_, P>) {
    enter::<P>("ptep_clear_flush", format_args!("address={}", vmf.address)).run(
        || {
            let old = table.clear(vmf.address);
            vmf.mm.machine().shoot_down();
            old
        },
        |old| old.to_string(),
    );
}
