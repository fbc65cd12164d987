//! Copy on write (`mm/memory.c`, `wp_page_copy`).
//!
//! # Invariants
//! - I1 (M19). The page is copied without the table's lock, so the entry is compared again under it: another write may
//!   have copied the page, or `MADV_DONTNEED` may have discarded it. A reference keeps the old page meanwhile.
//! - I2 (M20, A07). The old entry is cleared and every CPU has forgotten it before the new one is set: else one CPU
//!   would store to the copy while another one still reads the old page.
//! - I3 (M21). The old page's mapping is uncounted only after that: whoever sees the count drop may write to the page.

use crate::phys::{OutOfMemory, Pfn};
use crate::platform::{Platform, Variant, enter, lacks, recheck, remark};
use crate::x86::{EntryFlags, PteVal};

use super::anon_vma::{Prepared, vmf_anon_prepare};
use super::anonymous::{alloc_anon_folio, alloc_charged_folio};
use super::fault_flags::FaultFlags;
use super::handle_pte_fault::maybe_mkwrite;
use super::mm_struct::RssKind;
use super::pte_table::LockedTable;
use super::pte_update::{flush_old, ptep_clear_flush};
use super::rmap::{folio_add_new_anon_rmap, remove_rmap};
use super::vmf::{FaultError, VmFault, Vmf};

/// Maps a copy in the place of the entry `orig`. `old` is its page, with a reference that the caller took; `None` is
/// the zero page, a copy of which is a zeroed page.
///
/// Two things are not modelled: a page that cannot be read (`VM_FAULT_HWPOISON`), and a raw frame, which has no
/// `struct page` and is copied by an access that may fault.
pub(super) fn wp_page_copy<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PteVal, old: Option<Pfn>) -> VmFault<'m, P> {
    enter::<P>("wp_page_copy", format_args!("address={}", vmf.address)).run(
        || {
            let (mm, cpu) = (vmf.mm, vmf.task.cpu());
            let result = copy_and_replace(vmf, orig, old);
            // The mapping's reference, too, if the copy took its place: `replace` leaves both to here.
            old.into_iter().for_each(|old| mm.memory().put_page(cpu, old));
            result
        },
        VmFault::words,
    )
}

fn copy_and_replace<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PteVal, old: Option<Pfn>) -> VmFault<'m, P> {
    let (vmf, anon_vma) = match vmf_anon_prepare(vmf) {
        Prepared::Ready(vmf, anon_vma) => (vmf, anon_vma),
        Prepared::Retry(result) => return result,
    };
    let Ok(new) = copy_of(&vmf, old) else { return vmf.failed(FaultError::Oom) };
    let memory = vmf.mm.memory();
    // pte_same (I1).
    let same = |table: &LockedTable<'_, P>| recheck::<P>(Variant::M19, || table.get(vmf.address) == orig);
    let table = LockedTable::offset_map_lock(vmf.mm, vmf.pmd).filter(same);
    let Some(mut table) = table else {
        remark::<P>(format_args!("the entry changed meanwhile: the copy is given back"));
        memory.put_page(vmf.task.cpu(), new);
        return vmf.handled();
    };
    match old.map(|old| RssKind::of(memory.page(memory.folio_of(old)).mapping())) {
        Some(RssKind::Anon) => {}
        Some(kind @ (RssKind::File | RssKind::Shmem)) => {
            table.count_rss(kind, -1);
            table.count_rss(RssKind::Anon, 1);
        }
        None => table.count_rss(RssKind::Anon, 1),
    }
    let uncount = || old.into_iter().for_each(|old| remove_rmap(vmf.mm, old));
    let too_early = lacks::<P>(Variant::M21);
    if too_early {
        uncount();
    }
    let flush_first = !lacks::<P>(Variant::A07);
    if flush_first {
        ptep_clear_flush(vmf.mm, &mut table, vmf.address);
    }
    folio_add_new_anon_rmap(&vmf, new, anon_vma);
    memory.add_to_lru(vmf.task.cpu(), new);
    table.set(vmf.address, entry_for(&vmf, new, orig));
    if !flush_first {
        flush_old(vmf.mm, vmf.address, orig);
    }
    if !too_early {
        // I3: only now, after the flush.
        uncount();
    }
    drop(table);
    old.into_iter().for_each(|old| memory.put_page(vmf.task.cpu(), old));
    vmf.handled()
}

/// A new page with what the old one holds.
fn copy_of<P: Platform>(vmf: &Vmf<'_, P>, old: Option<Pfn>) -> Result<Pfn, OutOfMemory> {
    let Some(old) = old else { return alloc_anon_folio(vmf) };
    let new = alloc_charged_folio(vmf)?;
    vmf.mm.memory().copy_page(new, old);
    Ok(new)
}

/// Who only wants to read a page of its own gets no more than it had.
fn entry_for<P: Platform>(vmf: &Vmf<'_, P>, new: Pfn, orig: PteVal) -> PteVal {
    let entry = PteVal::new(new, vmf.vma().page_prot()).with(EntryFlags::ACCESSED);
    if vmf.flags.contains(FaultFlags::UNSHARE) {
        return entry.with(orig.flags() & (EntryFlags::SOFT_DIRTY | EntryFlags::UFFD_WP));
    }
    maybe_mkwrite(vmf.vma(), entry.dirtied())
}
