//! The first touch of a huge page of the pool (`hugetlb_no_page`).
//!
//! A shared mapping shows the folio of its file's cache, which the first fault adds; a private one shows it until it
//! writes, and where the file has none it gets a folio of its own at once, even for a read.

use crate::mm::anon_vma::{Prepared, vmf_anon_prepare};
use crate::mm::fault_flags::FaultFlags;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vmf::{FaultError, VmFault, Vmf};
use crate::phys::{AnonVmaId, Pfn, PoolEmpty};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::PmdVal;

use super::fault_mutex::FaultLocks;
use super::file::{filemap_lock_hugetlb_folio, hugetlb_add_to_page_cache, put_cached, vma_hugecache_offset};
use super::folio::{NewFolio, Reserve, alloc_hugetlb_folio, restore_reserve_on_error};
use super::huge_pte::{Access, HugePteLock, make_huge_pte};
use super::rmap::{hugetlb_add_file_rmap, hugetlb_add_new_anon_rmap};
use super::wp::hugetlb_wp;

/// A locked folio for the page, with a reference that the entry will keep.
enum Found {
    /// It is in the file's cache.
    Cached(Pfn),
    /// It is nobody's yet.
    Mine(NewFolio, AnonVmaId),
}

/// Why the search for a folio ended without one.
#[must_use]
enum Search<'m, P: Platform> {
    Found(Vmf<'m, P>, Found),
    Over(VmFault<'m, P>),
}

/// Maps a folio where there was none; the locks go when it is over.
pub(super) fn hugetlb_no_page<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    mut locks: FaultLocks<'m, P>,
    orig: PmdVal,
) -> VmFault<'m, P> {
    enter::<P>("hugetlb_no_page", format_args!("address={}, flags={}", vmf.address, vmf.flags)).run(
        move || {
            if vmf.vma().hugetlb().is_unmapped() {
                remark::<P>(format_args!("the parent's copy took the page away: what was here is lost"));
                return vmf.failed(FaultError::Sigbus);
            }
            match find(vmf, orig) {
                Search::Found(vmf, found) => install(vmf, &mut locks, orig, found),
                Search::Over(result) => result,
            }
        },
        VmFault::words,
    )
}

/// The folio of the cache, or a new one.
fn find<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> Search<'m, P> {
    if let Some(folio) = filemap_lock_hugetlb_folio(&vmf) {
        return Search::Found(vmf, Found::Cached(folio));
    }
    let file = vmf.vma().file().expect("a hugetlb VMA has a file");
    if vma_hugecache_offset(vmf.vma(), vmf.address) >= file.mapping().size_pages() {
        return Search::Over(vmf.failed(FaultError::Sigbus));
    }
    if vmf.vma().flags().contains(VmFlags::MAYSHARE) {
        return match new_folio(&vmf) {
            Ok(new) => {
                hugetlb_add_to_page_cache(&vmf, new.folio);
                Search::Found(vmf, Found::Cached(new.folio))
            }
            Err(PoolEmpty) => Search::Over(pool_empty(vmf, orig)),
        };
    }
    let (vmf, anon_vma) = match vmf_anon_prepare(vmf) {
        Prepared::Ready(vmf, anon_vma) => (vmf, anon_vma),
        Prepared::Retry(result) => return Search::Over(result),
    };
    match new_folio(&vmf) {
        Ok(new) => {
            let locked = vmf.mm.memory().page(new.folio).folio().lock().try_lock();
            assert!(locked, "nobody else knows a folio that was just taken from the pool");
            Search::Found(vmf, Found::Mine(new, anon_vma))
        }
        Err(PoolEmpty) => Search::Over(pool_empty(vmf, orig)),
    }
}

/// A folio of zeros.
fn new_folio<P: Platform>(vmf: &Vmf<'_, P>) -> Result<NewFolio, PoolEmpty> {
    let new = alloc_hugetlb_folio(vmf, Reserve::MayUse)?;
    vmf.mm.memory().clear_huge(new.folio);
    vmf.mm.memory().page(new.folio).folio().set_uptodate();
    Ok(new)
}

/// Nothing is left: SIGBUS, unless the entry is no longer empty, which migration could bring about without the mutex
/// (`hugetlb_pte_stable`).
fn pool_empty<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> VmFault<'m, P> {
    let entry = HugePteLock::lock(vmf.mm.memory(), vmf.pmd);
    let is_stable = recheck::<P>(Variant::HugetlbStable, || entry.is_still(orig));
    drop(entry);
    if is_stable { vmf.failed(FaultError::Sigbus) } else { vmf.handled() }
}

/// Sets the entry, if it is still empty, and copies at once if the fault is a private write to a page of the file.
fn install<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    locks: &mut FaultLocks<'m, P>,
    orig: PmdVal,
    found: Found,
) -> VmFault<'m, P> {
    let memory = vmf.mm.memory();
    let mut ptl = HugePteLock::lock(memory, vmf.pmd);
    if !recheck::<P>(Variant::HugetlbNone, || ptl.is_still(orig)) {
        drop(ptl);
        back_out(&vmf, found);
        return vmf.handled();
    }
    let folio = match found {
        Found::Cached(folio) => {
            hugetlb_add_file_rmap(memory, folio);
            folio
        }
        Found::Mine(NewFolio { folio, .. }, anon_vma) => {
            hugetlb_add_new_anon_rmap(&vmf, folio, anon_vma);
            folio
        }
    };
    let flags = vmf.vma().flags();
    let access = if flags.contains(VmFlags::WRITE | VmFlags::SHARED) { Access::Write } else { Access::Read };
    let entry = make_huge_pte(vmf.vma(), folio, access);
    ptl.set(entry);
    vmf.vma().hugetlb().count(1);
    let result = if vmf.flags.contains(FaultFlags::WRITE) && !flags.contains(VmFlags::SHARED) {
        hugetlb_wp(vmf, locks, ptl, entry, Some(folio))
    } else {
        drop(ptl);
        vmf.handled()
    };
    memory.page(folio).folio().lock().unlock();
    result
}

/// Somebody was faster: a folio of the cache stays there, a new one goes back.
fn back_out<P: Platform>(vmf: &Vmf<'_, P>, found: Found) {
    match found {
        Found::Cached(folio) => put_cached(vmf, folio),
        Found::Mine(new, _) => {
            vmf.mm.memory().page(new.folio).folio().lock().unlock();
            restore_reserve_on_error(vmf, new, Reserve::MayUse);
        }
    }
}
