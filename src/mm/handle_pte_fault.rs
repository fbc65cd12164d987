//! Deciding by the PTE (`mm/memory.c`, `handle_pte_fault`).
//!
//! The entry is read without a lock, and that snapshot picks the handler. The lock is taken only to commit, and the
//! entry is then compared with the snapshot.
//!
//! | the snapshot | who handles it |
//! |---|---|
//! | there is no table, or the entry is none | `do_pte_missing` |
//! | it is not present | `do_swap_page` |
//! | the page may not be accessed, but the VMA may | `do_numa_page` |
//! | a write, and the entry is not writable | `do_wp_page` |
//! | anything else | here: another fault, or hardware, has done the work |

use crate::phys::Pfn;
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PmdState, PteVal};

use super::anonymous::do_anonymous_page;
use super::do_fault::do_fault;
use super::fault_flags::FaultFlags;
use super::generation::Generation;
use super::numa_page::do_numa_page;
use super::pte_table::{LockedTable, PteTable, pmdp_get_lockless};
use super::swap_page::do_swap_page;
use super::vm_flags::VmFlags;
use super::vma::Vma;
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
            // It became huge, or none again, or is under migration: the access will tell.
            let Some(table) = PteTable::offset_map_nolock(vmf.mm, vmf.pmd) else { return vmf.handled() };
            let pte = table.peek(vmf.address);
            remark::<P>(format_args!("the snapshot of the PTE is {pte}"));
            vmf.orig_pte = Some(pte);
            if pte.is_none() {
                do_pte_missing(vmf)
            } else if !pte.is_present() {
                do_swap_page(vmf, pte)
            } else if pte.is_prot_none() && may_be_a_hint(&vmf) {
                do_numa_page(vmf, pte)
            } else {
                fault_on_present(vmf, pte)
            }
        },
        VmFault::words,
    )
}

/// The page is missing (`do_pte_missing`).
fn do_pte_missing<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    enter::<P>("do_pte_missing", format_args!("address={}", vmf.address)).run(
        || match vmf.vma().file() {
            None => do_anonymous_page(vmf),
            Some(_) => do_fault(vmf),
        },
        VmFault::words,
    )
}

/// Whether an entry that may not be accessed only asks who uses its page. 4.4 takes every such entry for a hint: a VMA
/// that allows nothing was refused before.
fn may_be_a_hint<P: Platform>(vmf: &Vmf<'_, P>) -> bool {
    match vmf.mm.generation() {
        Generation::G2 => true,
        Generation::G6 => vmf.vma().is_accessible(),
    }
}

fn fault_on_present<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PteVal) -> VmFault<'m, P> {
    let Some(mut table) = LockedTable::offset_map_lock(vmf.mm, vmf.pmd) else { return vmf.handled() };
    // pte_same (M13): the entry may have been zapped or replaced since the snapshot, and its page freed.
    if !recheck::<P>(Variant::M13, || table.get(vmf.address) == orig) {
        remark::<P>(format_args!("the entry changed meanwhile: the access will tell"));
        drop(table);
        return vmf.handled();
    }
    if vmf.flags.intersects(FaultFlags::WRITE | FaultFlags::UNSHARE) {
        if !orig.is_writable() {
            return do_wp_page(vmf, table, orig);
        }
        if vmf.flags.contains(FaultFlags::WRITE) {
            set_accessed(&vmf, &mut table, orig);
        }
    } else {
        // ptep_set_access_flags writes only for a write: on x86, hardware sets A itself.
        remark::<P>(format_args!("a spurious fault: another one has done the work"));
    }
    drop(table);
    vmf.handled()
}

/// Notes a write in an entry that allows it. If that was noted already, the CPU may have remembered an older entry:
/// Linux flushes it then, once (`flush_tlb_fix_spurious_fault`), which does nothing on x86.
fn set_accessed<P: Platform>(vmf: &Vmf<'_, P>, table: &mut LockedTable<'_, P>, orig: PteVal) {
    let entry = orig.with(EntryFlags::ACCESSED).dirtied();
    if entry == orig {
        remark::<P>(format_args!("a spurious fault: another one has done the work"));
    } else {
        table.set_access_flags(vmf.address, entry);
    }
}

/// An entry for a page that was written, or is about to be, and may be written if the VMA may
/// (`maybe_mkwrite(pte_mkdirty(mk_pte(...)))`). A debugger's page is dirty though its entry is not writable.
pub(super) fn written_entry<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn) -> PteVal {
    maybe_mkwrite(vmf.vma(), PteVal::new(pfn, vmf.vma().page_prot()).with(EntryFlags::ACCESSED).dirtied())
}

/// The entry, writable if the VMA is (`maybe_mkwrite`).
pub(super) fn maybe_mkwrite<P: Platform>(vma: &Vma<P>, entry: PteVal) -> PteVal {
    if vma.flags().contains(VmFlags::WRITE) { entry.writable() } else { entry }
}
