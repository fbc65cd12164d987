//! Invariants of huge pages of the pool: what D14 to D18, D24, D26, D27, D32 and D33 say of them, and D57 for the pool.

use crate::mm::{CowReuse, VmFlags, Vma};
use crate::phys::{Mapping, Page, PageState, Pfn};
use crate::platform::Platform;
use crate::x86::{PmdVal, VirtAddr};

use super::folios::leads_to;
use super::layout::{Quiet, Relation};

/// Entries that map a folio of the pool, with the addresses that they translate from.
fn mapped<P: Platform>(quiet: &Quiet<'_, P>) -> impl Iterator<Item = (VirtAddr, PmdVal)> {
    let all = quiet.layout.hugetlb.iter();
    all.map(|address| (*address, quiet.layout.huge[address]))
}

/// The heads of the folios of the pool that are in use.
fn folios<'a, P: Platform>(quiet: &'a Quiet<'_, P>) -> impl Iterator<Item = (Pfn, &'a Page<P>)> {
    let pages = quiet.mm.memory().pages();
    pages.filter(|(_, page)| page.state() == PageState::Hugetlb && page.from_head() == 0)
}

/// Calls `judge` with each entry of a hugetlb VMA and the VMA.
fn each_mapped<P: Platform>(
    quiet: &Quiet<'_, P>,
    mut judge: impl FnMut(VirtAddr, PmdVal, &Vma<P>) -> Result<u64, String>,
) -> Result<u64, String> {
    if quiet.layout.hugetlb.is_empty() {
        return Ok(0);
    }
    let vmas = quiet.mm.mmap_lock().read();
    let mut evaluated = 0;
    for (address, entry) in mapped(quiet) {
        let vma = vmas.iter().find(|vma| vma.contains(address));
        let vma = vma.ok_or_else(|| format!("{address} maps folio {} outside of every VMA", entry.pfn()))?;
        evaluated += judge(address, entry, vma)?;
    }
    Ok(evaluated)
}

/// D2, D14: what a hugetlb VMA maps, it maps by huge entries, and they name folios of the pool that are in use.
pub(super) fn only_folios_of_the_pool<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    if quiet.mm.memory().hstate().nr_huge_pages() == 0 {
        return Ok(0);
    }
    let vmas = quiet.mm.mmap_lock().read();
    let mut evaluated = 0;
    for (address, entry) in &quiet.layout.pmds {
        let Some(vma) = vmas.iter().find(|vma| vma.contains(*address) && vma.is_hugetlb()) else { continue };
        let page = quiet.mm.memory().page(entry.pfn());
        let (state, order) = (page.state(), page.order());
        if !entry.is_huge() || state != PageState::Hugetlb || order != P::GEOMETRY.index_bits {
            return Err(format!("{address} of {vma:?} has the entry {entry}, for {state:?} of order {order}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn mapcount<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (folio, page) in folios(quiet) {
        let (mapcount, mapped) = (page.entire_mapcount(), quiet.mappings(folio));
        if mapcount != mapped {
            return Err(format!("folio {folio} has mapcount {mapcount}, and {mapped} entries map it"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

/// D16, D17: its entries refer to it, and its file's cache.
pub(super) fn refcount<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (folio, page) in folios(quiet) {
        let (refcount, mapcount) = (page.refcount() as i64, page.entire_mapcount());
        let cached = i64::from(matches!(page.mapping(), Mapping::File(_)));
        if refcount != mapcount + cached {
            return Err(format!("folio {folio} has refcount {refcount} and mapcount {mapcount}; cached: {cached}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

/// D18: they count in `hugetlb_usage`, and in no RSS (which is compared with everything else that is mapped).
pub(super) fn usage<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let pages = quiet.layout.hugetlb.len() * P::GEOMETRY.entries();
    let counted = quiet.mm.hugetlb_usage();
    if counted != pages as i64 {
        return Err(format!("it is {counted}, and {pages} pages are mapped"));
    }
    Ok(u64::from(quiet.mm.memory().hstate().nr_huge_pages() > 0))
}

pub(super) fn findable<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    each_mapped(quiet, |address, entry, vma| {
        let page = quiet.mm.memory().page(entry.pfn());
        let index = match page.mapping() {
            Mapping::File(_) => vma.linear_page_index(address) >> P::GEOMETRY.index_bits,
            Mapping::Anon(_) | Mapping::Shmem(_) | Mapping::None => vma.linear_page_index(address),
        };
        if !leads_to(page.mapping(), vma) || page.index() != index {
            let (mapping, index) = (page.mapping(), page.index());
            return Err(format!("folio {} is {mapping:?} at index {index:#x}, not found from {vma:?}", entry.pfn()));
        }
        Ok(1)
    })
}

/// D26, D32, D33: who can write may, and has a folio of its own or a shared mapping.
pub(super) fn writable<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let marks_exclusive = quiet.mm.generation().cow_reuse() == CowReuse::AnonExclusive;
    each_mapped(quiet, |address, entry, vma| {
        if !entry.is_writable() {
            return Ok(0);
        }
        let page = quiet.mm.memory().page(entry.pfn());
        let is_anon = matches!(page.mapping(), Mapping::Anon(_));
        let is_shared = vma.flags().contains(VmFlags::SHARED);
        let is_own = is_anon && (!marks_exclusive || page.is_anon_exclusive());
        if !vma.flags().contains(VmFlags::WRITE) || is_shared == is_anon || !is_shared && !is_own {
            return Err(format!("{address} of {vma:?} maps folio {} by the entry {entry}", entry.pfn()));
        }
        Ok(1)
    })
}

pub(super) fn exclusive_is_mapped_once<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (folio, _) in folios(quiet).filter(|(_, page)| page.is_anon_exclusive()) {
        let mapped = quiet.mappings(folio);
        if mapped != 1 {
            return Err(format!("{mapped} entries map folio {folio}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

/// D57: every folio of the pool is free or in use.
pub(super) fn pool<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let hstate = quiet.mm.memory().hstate();
    let (all, free, used) = (hstate.nr_huge_pages(), hstate.free_huge_pages(), folios(quiet).count());
    if free + used != all {
        return Err(format!("of {all} huge pages {free} are free and {used} in use"));
    }
    Ok(all as u64)
}

/// D57: what the pool keeps back is what private mappings and files have reserved and not used. A child has reserved
/// nothing that its parent has not.
pub(super) fn reservations<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let hstate = quiet.mm.memory().hstate();
    let is_child = quiet.kin.is_some_and(|kin| kin.relation == Relation::Parent);
    if is_child || hstate.nr_huge_pages() == 0 {
        return Ok(0);
    }
    let vmas = quiet.mm.mmap_lock().read();
    let private: u64 = vmas.iter().map(Vma::hugetlb_reserved).sum();
    let mut files: Vec<_> = quiet.files.files.iter().collect();
    let shown = vmas.iter().filter_map(|vma| vma.file()).map(|file| file.mapping());
    files.extend(shown);
    files.sort_by_key(|file| file.id());
    files.dedup_by_key(|file| file.id());
    let unused = |map: &crate::mm::ResvMap<P>, cached: u64| map.count(0..u64::MAX) - cached;
    let shared: u64 = files
        .iter()
        .filter_map(|file| {
            let cached = (0..file.most_pages()).filter(|index| file.peek(*index).is_some()).count() as u64;
            file.resv_map().map(|map| unused(map, cached))
        })
        .sum();
    let kept = hstate.resv_huge_pages();
    if kept == private + shared {
        return Ok(1 + private + shared);
    }
    Err(format!("the pool keeps {kept} huge pages back; {private} are reserved by mappings, {shared} by files"))
}
