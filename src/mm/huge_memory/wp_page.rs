//! A write to a huge page that is mapped without the right to write (`wp_huge_pmd`, `do_huge_pmd_wp_page`).
//!
//! A huge page is never copied as a whole: who may not write to it gets a table, and then a copy of the one small page
//! that it writes to.

use crate::phys::Mapping;
use crate::platform::{Platform, Variant, enter, recheck};
use crate::x86::{EntryFlags, PmdVal};

use crate::mm::fault_flags::FaultFlags;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vmf::Vmf;

use super::accessed::changed;
use super::anonymous::set_anon;
use super::fault::HugeFault;
use super::locked_pmd::LockedPmd;
use super::split::split_huge_pmd;

/// Chooses by what the VMA maps. A huge page of a file is never written to through a private mapping, and shared memory
/// wants no notice of writes: it is split, and the small page is dealt with. Userfaultfd's write protection, and the
/// `huge_fault` of devices, would come here.
pub(super) fn wp_huge_pmd<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> HugeFault<'m, P> {
    enter::<P>("wp_huge_pmd", format_args!("pmd={}, {orig}", vmf.pmd)).run(
        || {
            if vmf.vma().file().is_none() {
                return do_huge_pmd_wp_page(vmf, orig);
            }
            split_huge_pmd(vmf.mm, vmf.pmd);
            HugeFault::Fallback(vmf)
        },
        HugeFault::words,
    )
}

/// Makes the entry writable if nobody else uses the page, else gives small pages the chance.
fn do_huge_pmd_wp_page<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> HugeFault<'m, P> {
    enter::<P>("do_huge_pmd_wp_page", format_args!("pmd={}, {orig}", vmf.pmd)).run(
        || {
            let may_reuse =
                if vmf.mm.machine().huge_zero().get() == Some(orig.pfn()) { Reuse::No } else { try_reuse(&vmf, orig) };
            match may_reuse {
                Reuse::Done | Reuse::Changed => HugeFault::Done(vmf.handled()),
                Reuse::No => {
                    split_huge_pmd(vmf.mm, vmf.pmd);
                    HugeFault::Fallback(vmf)
                }
            }
        },
        HugeFault::words,
    )
}

/// Whether the page could be kept.
#[must_use]
enum Reuse {
    /// It is writable now, or for an unshare request exclusive.
    Done,
    /// The entry is no longer the one that was read.
    Changed,
    /// Others may use the page.
    No,
}

fn try_reuse<P: Platform>(vmf: &Vmf<'_, P>, orig: PmdVal) -> Reuse {
    let pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
    if !recheck::<P>(Variant::HugeWpSame, || pmd.get() == orig) {
        changed(pmd);
        return Reuse::Changed;
    }
    let page = vmf.mm.memory().page(orig.pfn());
    if page.is_anon_exclusive() {
        return reuse(vmf, pmd, orig);
    }
    let Some(pmd) = lock_folio(vmf, pmd, orig) else { return Reuse::Changed };
    // Who held the folio lock may have made it exclusive meanwhile. There is no swap cache to drop references from.
    let is_last = || recheck::<P>(Variant::HugeWpCount, || page.refcount_after_puts() == 1);
    let is_ours = page.is_anon_exclusive() || is_last();
    if is_ours {
        let anon_vma = vmf.vma().anon_vma().expect("a VMA that maps an anonymous page has one");
        set_anon(vmf.mm.memory(), orig.pfn(), Mapping::Anon(anon_vma.id()), page.index());
        page.set_anon_exclusive();
    }
    page.folio().lock().unlock();
    if is_ours { reuse(vmf, pmd, orig) } else { Reuse::No }
}

/// Takes the folio lock, if need be outside of the lock of the table, which the folio lock comes before; then the entry
/// is tested again (`pmd_same`).
fn lock_folio<'m, P: Platform>(vmf: &Vmf<'m, P>, pmd: LockedPmd<'m, P>, orig: PmdVal) -> Option<LockedPmd<'m, P>> {
    let memory = vmf.mm.memory();
    let page = memory.page(orig.pfn());
    if page.folio().lock().try_lock() {
        return Some(pmd);
    }
    page.get();
    drop(pmd);
    page.folio().lock().lock();
    let pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
    if !recheck::<P>(Variant::HugeWpSameAgain, || pmd.get() == orig) {
        changed(pmd);
        page.folio().lock().unlock();
        memory.put_page(vmf.task.cpu(), orig.pfn());
        return None;
    }
    memory.put_page(vmf.task.cpu(), orig.pfn());
    Some(pmd)
}

fn reuse<P: Platform>(vmf: &Vmf<'_, P>, mut pmd: LockedPmd<'_, P>, orig: PmdVal) -> Reuse {
    if vmf.flags.contains(FaultFlags::UNSHARE) {
        return Reuse::Done;
    }
    pmd.set_access_flags(orig, reused(vmf, orig));
    Reuse::Done
}

/// The entry of a page that is the writer's alone (`maybe_pmd_mkwrite(pmd_mkdirty(pmd_mkyoung(...)))`).
pub(super) fn reused<P: Platform>(vmf: &Vmf<'_, P>, orig: PmdVal) -> PmdVal {
    let entry = orig.with(EntryFlags::ACCESSED).dirtied();
    if vmf.vma().flags().contains(VmFlags::WRITE) { entry.writable() } else { entry }
}
