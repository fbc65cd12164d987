//! A write to a huge page of the pool that is mapped without the right to write (`hugetlb_wp`).
//!
//! ```text
//!   shared mapping ───────────────────────────> the entry becomes writable
//!   anonymous, one entry maps it ─────────────> reuse
//!   anything else ── a folio from the pool ───> copy, pte_same, replace
//!                       │ none
//!                       ├─ of who has reserved: unmap_ref_private takes the page from the children; again
//!                       └─ of anybody else: SIGBUS
//! ```
//!
//! # Invariants
//! - I1 (D26, D27). A folio is kept if one entry maps it. Its references are not asked, unlike those of small pages:
//!   nothing but a walker has one.
//! - I2. The folio is copied without the lock of the table, so the entry is compared again under it. References and the
//!   folio lock, which the caller has, keep the old folio.
//! - I3. The old entry is cleared and every CPU has forgotten it before the new one is set.

use crate::mm::anon_vma::{Prepared, vmf_anon_prepare};
use crate::mm::fault_flags::FaultFlags;
use crate::mm::tlb_flush::{Owed, flush_tlb_range};
use crate::mm::vm_flags::VmFlags;
use crate::mm::vmf::{FaultError, VmFault, Vmf};
use crate::phys::{AnonVmaId, Mapping, Pfn, PoolEmpty};
use crate::platform::{Platform, Variant, enter, lacks, recheck, remark};
use crate::x86::{EntryFlags, PmdVal};

use super::fault_mutex::FaultLocks;
use super::folio::{NewFolio, Reserve, alloc_hugetlb_folio, restore_reserve_on_error};
use super::huge_pte::{Access, HugePteLock, make_huge_pte};
use super::rmap::{hugetlb_add_new_anon_rmap, hugetlb_remove_rmap, make_exclusive};
use super::unmap::unmap_ref_private;

/// Gives the writer a page that it may write. The entry is locked and holds `orig`; `cached` is the folio that the file
/// has for the page, or the one that this fault has just mapped. The caller has the folio lock of `orig`, and a
/// reference.
pub(super) fn hugetlb_wp<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    locks: &mut FaultLocks<'m, P>,
    ptl: HugePteLock<'m, P>,
    orig: PmdVal,
    cached: Option<Pfn>,
) -> VmFault<'m, P> {
    enter::<P>("hugetlb_wp", format_args!("address={}, pte={orig}", vmf.address)).run(
        || {
            let flags = vmf.vma().flags();
            if !vmf.flags.contains(FaultFlags::UNSHARE) && !flags.contains(VmFlags::WRITE) {
                // A forced write (FOLL_FORCE) is not supported here.
                return vmf.failed(FaultError::Sigsegv);
            }
            if flags.contains(VmFlags::MAYSHARE) {
                set_huge_ptep_writable(ptl, orig);
                return vmf.handled();
            }
            private(vmf, locks, ptl, orig, cached)
        },
        VmFault::words,
    )
}

fn private<'m, P: Platform>(
    mut vmf: Vmf<'m, P>,
    locks: &mut FaultLocks<'m, P>,
    mut ptl: HugePteLock<'m, P>,
    orig: PmdVal,
    cached: Option<Pfn>,
) -> VmFault<'m, P> {
    let (memory, cpu, old) = (vmf.mm.memory(), vmf.task.cpu(), orig.pfn());
    loop {
        if may_reuse(&vmf, old) {
            make_exclusive(&vmf, old);
            if !vmf.flags.contains(FaultFlags::UNSHARE) {
                set_huge_ptep_writable(ptl, orig);
            }
            return vmf.handled();
        }
        let owns = vmf.vma().hugetlb().owned().is_some();
        // The reservation of this page was used when the page that the children share was mapped.
        let reserve = if owns && cached != Some(old) { Reserve::Avoid } else { Reserve::MayUse };
        memory.page(old).get();
        drop(ptl);
        // Linux asks for it after the folio. Here first: then there is nothing to be given back on RETRY.
        let anon_vma = match vmf_anon_prepare(vmf) {
            Prepared::Ready(prepared, anon_vma) => {
                vmf = prepared;
                anon_vma
            }
            Prepared::Retry(result) => {
                memory.put_page(cpu, old);
                return result;
            }
        };
        match alloc_hugetlb_folio(&vmf, reserve) {
            Ok(new) => return copy_and_replace(vmf, orig, (new, reserve), anon_vma),
            Err(PoolEmpty) => memory.put_page(cpu, old),
        }
        if reserve == Reserve::MayUse {
            return vmf.failed(FaultError::Sigbus);
        }
        locks.release();
        unmap_ref_private(&vmf, old);
        *locks = FaultLocks::take(memory.hstate(), vmf.vma(), vmf.address);
        ptl = HugePteLock::lock(memory, vmf.pmd);
        if !recheck::<P>(Variant::HugetlbUnmapSame, || ptl.is_still(orig)) {
            return vmf.handled();
        }
    }
}

fn may_reuse<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn) -> bool {
    let page = vmf.mm.memory().page(folio);
    let mapcount = page.entire_mapcount_after_removals();
    let is_anon = matches!(page.mapping(), Mapping::Anon(_));
    remark::<P>(format_args!("entire mapcount={mapcount}, {}", if is_anon { "anonymous" } else { "of the file" }));
    is_anon && mapcount == 1
}

/// The entry gains rights, so no CPU has to forget anything.
fn set_huge_ptep_writable<P: Platform>(mut ptl: HugePteLock<'_, P>, orig: PmdVal) {
    ptl.set(orig.with(EntryFlags::ACCESSED).dirty_and_writable());
}

/// Maps a copy in the place of `orig`, whose folio has a reference of this function's own.
fn copy_and_replace<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    orig: PmdVal,
    (new, reserve): (NewFolio, Reserve),
    anon_vma: AnonVmaId,
) -> VmFault<'m, P> {
    let (memory, cpu, old) = (vmf.mm.memory(), vmf.task.cpu(), orig.pfn());
    memory.copy_huge(new.folio, old);
    memory.page(new.folio).folio().set_uptodate();
    let mut ptl = HugePteLock::lock(memory, vmf.pmd);
    // pte_same (I2).
    if !recheck::<P>(Variant::HugetlbCopySame, || ptl.is_still(orig)) {
        drop(ptl);
        restore_reserve_on_error(&vmf, new, reserve);
        memory.put_page(cpu, old);
        return vmf.handled();
    }
    huge_ptep_clear_flush(&vmf, &mut ptl);
    hugetlb_remove_rmap(memory, old);
    hugetlb_add_new_anon_rmap(&vmf, new.folio, anon_vma);
    let access = if vmf.flags.contains(FaultFlags::UNSHARE) { Access::Read } else { Access::Write };
    ptl.set(make_huge_pte(vmf.vma(), new.folio, access));
    drop(ptl);
    // The entry's, and this function's.
    memory.put_page(cpu, old);
    memory.put_page(cpu, old);
    vmf.handled()
}

fn huge_ptep_clear_flush<P: Platform>(vmf: &Vmf<'_, P>, ptl: &mut HugePteLock<'_, P>) {
    enter::<P>("huge_ptep_clear_flush", format_args!("address={}", vmf.address)).run(
        || {
            ptl.clear();
            let mut owed = Owed::new(vmf.mm);
            owed.gone(vmf.pmd.range::<P>());
            if !lacks::<P>(Variant::HugetlbFlush) {
                flush_tlb_range(vmf.mm, vmf.pmd.range::<P>());
            }
            owed.assert_paid("huge_ptep_clear_flush");
        },
        |()| String::new(),
    );
}
