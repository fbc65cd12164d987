//! The first touch of anonymous memory (`mm/memory.c`, `do_anonymous_page`).
//!
//! A read maps the shared zero page; a write gets a page of its own. Both prepare everything without the table's lock
//! and then test the entry again: whoever loses gives its page back and lets the access be retried.

use crate::phys::{OutOfMemory, PageState, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PteVal};

use super::anon_vma::{Prepared, vmf_anon_prepare};
use super::expand_stack_4_4::check_stack_guard_page;
use super::fault_flags::FaultFlags;
use super::generation::StackGrowth;
use super::mm_struct::RssKind;
use super::pte_table::{LockedTable, pte_alloc};
use super::rmap::folio_add_new_anon_rmap;
use super::vm_flags::VmFlags;
use super::vmf::{FaultError, VmFault, Vmf};

/// Maps a page where there was none.
pub(super) fn do_anonymous_page<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    enter::<P>("do_anonymous_page", format_args!("address={}, flags={}", vmf.address, vmf.flags)).run(
        || {
            if vmf.vma().flags().contains(VmFlags::SHARED) {
                // File mappings have operations; a shared VMA without any is a driver's mistake.
                return vmf.failed(FaultError::Sigbus);
            }
            match pte_alloc(vmf.mm, vmf.task, vmf.pmd) {
                Err(OutOfMemory) => vmf.failed(FaultError::Oom),
                Ok(()) if !keeps_guard_page(&vmf) => vmf.failed(FaultError::Sigsegv),
                Ok(()) if vmf.flags.contains(FaultFlags::WRITE) => map_new_page(vmf),
                Ok(()) => map_zero_page(vmf),
            }
        },
        VmFault::words,
    )
}

/// 4.4 keeps the lowest page of a stack free; newer kernels keep a gap below it instead.
fn keeps_guard_page<P: Platform>(vmf: &Vmf<'_, P>) -> bool {
    match vmf.mm.generation().stack_growth() {
        StackGrowth::AmongReaders => check_stack_guard_page(vmf).is_ok(),
        StackGrowth::Alone => true,
    }
}

fn map_zero_page<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    let entry = PteVal::new(vmf.mm.machine().zero_page(), vmf.vma().page_prot()).with(EntryFlags::SPECIAL);
    if let Some(mut table) = LockedTable::offset_map_lock(vmf.mm, vmf.pmd)
        && !vmf_pte_changed(&vmf, &table, Variant::M14Zero)
    {
        // The zero page has no reference, no mapcount and no RSS to count.
        table.set(vmf.address, entry);
    }
    vmf.handled()
}

fn map_new_page<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    let (vmf, anon_vma) = match vmf_anon_prepare(vmf) {
        Prepared::Ready(vmf, anon_vma) => (vmf, anon_vma),
        Prepared::Retry(result) => return result,
    };
    let Ok(pfn) = alloc_anon_folio(&vmf) else { return vmf.failed(FaultError::Oom) };
    let entry = PteVal::new(pfn, vmf.vma().page_prot()).with(EntryFlags::ACCESSED);
    let entry = if vmf.vma().flags().contains(VmFlags::WRITE) { entry.dirty_and_writable() } else { entry };
    remark::<P>(format_args!("the entry will be {entry}"));
    let memory = vmf.mm.memory();
    let Some(mut table) = LockedTable::offset_map_lock(vmf.mm, vmf.pmd) else {
        memory.put_page(vmf.task.cpu(), pfn);
        return vmf.handled();
    };
    if vmf_pte_changed(&vmf, &table, Variant::M14) {
        drop(table);
        memory.put_page(vmf.task.cpu(), pfn);
        return vmf.handled();
    }
    table.count_rss(RssKind::Anon, 1);
    folio_add_new_anon_rmap(&vmf, pfn, anon_vma);
    memory.add_to_lru(vmf.task.cpu(), pfn);
    table.set(vmf.address, entry);
    drop(table);
    vmf.handled()
}

/// The re-test under the lock (M14, M29): whether another fault, or a zap, came first (`vmf_pte_changed`).
pub(super) fn vmf_pte_changed<P: Platform>(vmf: &Vmf<'_, P>, table: &LockedTable<'_, P>, which: Variant) -> bool {
    !recheck::<P>(which, || {
        let now = table.get(vmf.address);
        let same = vmf.orig_pte.map_or(now.is_none(), |orig| now == orig);
        if !same {
            remark::<P>(format_args!("another fault came first: the PTE is {now} now"));
        }
        same
    })
}

/// A zeroed page, charged to the cgroup (`alloc_anon_folio`; order 0 only).
pub(super) fn alloc_anon_folio<P: Platform>(vmf: &Vmf<'_, P>) -> Result<Pfn, OutOfMemory> {
    enter::<P>("alloc_anon_folio", format_args!("address={}", vmf.address)).run(
        || {
            let pfn = alloc_charged_folio(vmf)?;
            vmf.mm.memory().clear_page(pfn);
            Ok(pfn)
        },
        tell_page,
    )
}

/// A page that holds anything, charged to the cgroup (`folio_prealloc`).
pub(super) fn alloc_charged_folio<P: Platform>(vmf: &Vmf<'_, P>) -> Result<Pfn, OutOfMemory> {
    let memory = vmf.mm.memory();
    let pfn = memory.alloc_page(vmf.task.cpu(), PageState::User)?;
    let charged = enter::<P>("mem_cgroup_charge", format_args!("page={pfn}")).run(
        || memory.memcg().charge(vmf.task.cpu()),
        |result| result.map_or_else(|_| "-ENOMEM".to_owned(), |()| "0".to_owned()),
    );
    if charged.is_err() {
        memory.free_uncharged(vmf.task.cpu(), pfn);
        return Err(OutOfMemory);
    }
    Ok(pfn)
}

fn tell_page(result: &Result<Pfn, OutOfMemory>) -> String {
    result.map_or_else(|_| "NULL".to_owned(), |pfn| format!("page {pfn}"))
}
