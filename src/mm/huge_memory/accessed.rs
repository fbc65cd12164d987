//! A huge entry that needs no new page: marked as used, or given its rights back (`huge_pmd_set_accessed`,
//! `do_huge_pmd_numa_page`).

use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PmdVal};

use crate::mm::fault_flags::FaultFlags;
use crate::mm::generation::CowReuse;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vmf::{VmFault, Vmf};

use super::locked_pmd::LockedPmd;

/// Marks the entry as used, if it is still the one that was read (M6): after a zap it maps nothing, after a split it is
/// a table.
pub(super) fn huge_pmd_set_accessed<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> VmFault<'m, P> {
    enter::<P>("huge_pmd_set_accessed", format_args!("pmd={}, {orig}", vmf.pmd)).run(
        || {
            let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
            if !recheck::<P>(Variant::M6, || pmd.get() == orig) {
                changed(pmd);
                return vmf.handled();
            }
            if vmf.flags.contains(FaultFlags::WRITE) {
                pmd.set_access_flags(orig, orig.with(EntryFlags::ACCESSED).dirtied());
            }
            drop(pmd);
            vmf.handled()
        },
        VmFault::words,
    )
}

/// Gives an entry that the NUMA scanner made inaccessible its rights back, under the lock and if it is still the one
/// that was read (M8). There is one node, so no folio is ever misplaced and none is migrated.
pub(super) fn do_huge_pmd_numa_page<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> VmFault<'m, P> {
    enter::<P>("do_huge_pmd_numa_page", format_args!("pmd={}, {orig}", vmf.pmd)).run(
        || {
            let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
            if !recheck::<P>(Variant::M8, || pmd.get() == orig) {
                changed(pmd);
                return vmf.handled();
            }
            pmd.set(restored(&vmf, orig));
            drop(pmd);
            vmf.handled()
        },
        VmFault::words,
    )
}

/// The entry with the rights of its VMA, and no more than it may have (D47): writable only if nobody else maps the page
/// (`pmd_modify`, `can_change_pmd_writable`).
fn restored<P: Platform>(vmf: &Vmf<'_, P>, orig: PmdVal) -> PmdVal {
    let entry = orig.modified(vmf.vma().page_prot()).with(EntryFlags::ACCESSED);
    if may_be_writable(vmf, orig) { entry.writable() } else { entry }
}

/// Whether a write would find nothing to copy and nothing to note (`can_change_pmd_writable`: who forgot that the page
/// was written wants to hear of the next write); 4.4 cannot tell, and the scanner left the right to write in the entry.
fn may_be_writable<P: Platform>(vmf: &Vmf<'_, P>, orig: PmdVal) -> bool {
    match vmf.mm.generation().cow_reuse() {
        CowReuse::MapCount => orig.is_writable(),
        CowReuse::AnonExclusive => {
            let is_zero = vmf.mm.machine().huge_zero().get() == Some(orig.pfn());
            let is_exclusive = || vmf.mm.memory().page(orig.pfn()).is_anon_exclusive();
            let is_noted = orig.flags().contains(EntryFlags::SOFT_DIRTY);
            vmf.vma().flags().contains(VmFlags::WRITE) && is_noted && !is_zero && is_exclusive()
        }
    }
}

/// Says that somebody was faster, and lets go.
pub(super) fn changed<P: Platform>(pmd: LockedPmd<'_, P>) {
    remark::<P>(format_args!("the PMD changed meanwhile: it is {} now, and the access will tell", pmd.get()));
}
