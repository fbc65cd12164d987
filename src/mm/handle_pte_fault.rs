//! Deciding by the PTE (`mm/memory.c`, `handle_pte_fault`).
//!
//! The entry is read without a lock, and that snapshot picks the handler. The lock is taken only to commit, and the
//! entry is then compared with the snapshot.

use crate::phys::Pfn;
use crate::platform::{Platform, enter, remark};
use crate::x86::{EntryFlags, PmdState, PteVal};

use super::anonymous::do_anonymous_page;
use super::do_fault::do_fault;
use super::fault_flags::FaultFlags;
use super::pte_table::{LockedTable, PteTable, pmdp_get_lockless};
use super::vm_flags::VmFlags;
use super::vmf::{VmFault, Vmf};
use super::wp_page::do_wp_page;

/// Handles a fault below a PMD entry.
pub(super) fn handle_pte_fault<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    enter::<P>("handle_pte_fault", format_args!("address={}, pmd={}", vmf.real_address, vmf.pmd)).run(
        || {
            let mut vmf = vmf;
            if pmdp_get_lockless(vmf.mm, vmf.pmd).state() == PmdState::None {
                remark::<P>(format_args!("the PMD entry is none: no table yet, and none is allocated here"));
                return do_pte_missing(vmf);
            }
            let Some(table) = PteTable::offset_map_nolock(vmf.mm, vmf.pmd) else { return vmf.handled() };
            let pte = table.peek(vmf.address);
            remark::<P>(format_args!("the snapshot of the PTE is {pte}"));
            vmf.orig_pte = Some(pte);
            if pte.is_none() { do_pte_missing(vmf) } else { fault_on_present(vmf, pte) }
        },
        VmFault::words,
    )
}

/// The page is missing (`do_pte_missing`).
fn do_pte_missing<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    match vmf.vma().file() {
        None => do_anonymous_page(vmf),
        Some(_) => do_fault(vmf),
    }
}

fn fault_on_present<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PteVal) -> VmFault<'m, P> {
    assert!(orig.is_present() && !orig.is_prot_none(), "{orig:?}: no actor swaps, migrates or marks pages yet");
    let Some(mut table) = LockedTable::offset_map_lock(vmf.mm, vmf.pmd) else { return vmf.handled() };
    // pte_same (M13): the entry may have been zapped or replaced since the snapshot. No actor that there is yet zaps
    // while faults run, and `wp_page_copy` tests again (M19), so no scenario shows it.
    if table.get(vmf.address) != orig {
        remark::<P>(format_args!("the entry changed meanwhile: the access will tell"));
        drop(table);
        return vmf.handled();
    }
    let write = vmf.flags.intersects(FaultFlags::WRITE | FaultFlags::UNSHARE);
    if write && !orig.is_writable() {
        return do_wp_page(vmf, table, orig);
    }
    let mut entry = orig.with(EntryFlags::ACCESSED);
    if vmf.flags.contains(FaultFlags::WRITE) {
        entry = entry.with(EntryFlags::DIRTY | EntryFlags::SOFT_DIRTY);
    }
    if entry != orig && write {
        // ptep_set_access_flags: on x86 only a write needs it; hardware sets A itself.
        table.set(vmf.address, entry);
    } else {
        remark::<P>(format_args!("a spurious fault: another one has done the work"));
    }
    drop(table);
    vmf.handled()
}

/// An entry for a page of the VMA that may be written if the VMA may (`maybe_mkwrite(pte_mkdirty(mk_pte(...)))`).
pub(super) fn writable_entry<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn) -> PteVal {
    let entry = PteVal::new(pfn, vmf.vma().page_prot()).with(EntryFlags::ACCESSED);
    if vmf.vma().flags().contains(VmFlags::WRITE) { entry.dirty_and_writable() } else { entry }
}
