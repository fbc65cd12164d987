//! The first touch of memory that may be huge (`do_huge_pmd_anonymous_page`).
//!
//! A read maps the huge zero page; a write gets a huge page of its own. Both prepare everything without a lock and then
//! test the entry again: it may be huge by now, or a table that another fault linked because it found no huge page.
//!
//! Not modelled: `check_stable_address_space` (there is no OOM reaper yet) and userfaultfd, which Linux asks between
//! the re-test and the entry; `khugepaged_enter_vma`.

use crate::phys::{AnonVmaId, CpuId, Mapping, OutOfMemory, PageState, Pfn, PhysMem};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PmdVal};

use crate::mm::anon_vma::{Prepared, vmf_anon_prepare};
use crate::mm::fault_flags::FaultFlags;
use crate::mm::generation::CowReuse;
use crate::mm::mm_struct::Mm;
use crate::mm::mm_struct::RssKind;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vma::Vma;
use crate::mm::vmf::{FaultError, Vmf};
use crate::mm::walk::new_table;

use super::eligible::pages;
use super::fault::HugeFault;
use super::locked_pmd::LockedPmd;

/// Maps a huge page where there was nothing; the caller knows that the VMA has room for it.
pub(super) fn do_huge_pmd_anonymous_page<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    let start = vmf.address.huge_start(P::GEOMETRY);
    enter::<P>("do_huge_pmd_anonymous_page", format_args!("huge page at {start}, flags={}", vmf.flags)).run(
        || match vmf_anon_prepare(vmf) {
            Prepared::Retry(result) => HugeFault::Done(result),
            Prepared::Ready(vmf, anon_vma) if vmf.flags.contains(FaultFlags::WRITE) => map_new_folio(vmf, anon_vma),
            Prepared::Ready(vmf, _) => map_huge_zero(vmf),
        },
        HugeFault::words,
    )
}

fn map_huge_zero<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    let Ok(table) = new_table(vmf.mm, vmf.task, 1) else { return out_of_memory(vmf) };
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let Some(zero) = vmf.mm.machine().huge_zero().get_or_alloc(memory, cpu) else {
        memory.free_uncharged(cpu, table);
        return HugeFault::Fallback(vmf);
    };
    let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
    // The re-test under the lock (M3).
    if recheck::<P>(Variant::M3Zero, || pmd.get().is_none()) {
        // The huge zero page has no reference, no mapcount and no RSS to count; it is known by its frame.
        pmd.deposit(table);
        pmd.set(PmdVal::huge(zero, vmf.vma().page_prot()));
        drop(pmd);
    } else {
        lost(pmd);
        memory.free_uncharged(cpu, table);
    }
    HugeFault::Done(vmf.handled())
}

fn map_new_folio<'m, P: Platform>(vmf: Vmf<'m, P>, anon_vma: AnonVmaId) -> HugeFault<'m, P> {
    let Ok(folio) = alloc_anon_folio_pmd(&vmf) else { return HugeFault::Fallback(vmf) };
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let Ok(table) = new_table(vmf.mm, vmf.task, 1) else {
        memory.put_page(cpu, folio);
        return out_of_memory(vmf);
    };
    let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
    // The re-test under the lock (M3): without it a linked table, with what it maps, is lost.
    if recheck::<P>(Variant::M3, || pmd.get().is_none()) {
        folio_add_new_anon_rmap_pmd(&vmf, folio, anon_vma);
        memory.add_to_lru(cpu, folio);
        pmd.deposit(table);
        pmd.count_rss(RssKind::Anon, pages::<P>());
        pmd.set(writable_huge_entry(vmf.vma(), folio));
        drop(pmd);
    } else {
        lost(pmd);
        memory.put_page(cpu, folio);
        memory.free_uncharged(cpu, table);
    }
    HugeFault::Done(vmf.handled())
}

fn lost<P: Platform>(pmd: LockedPmd<'_, P>) {
    remark::<P>(format_args!("another fault came first: the PMD is {} now", pmd.get()));
}

fn out_of_memory<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    HugeFault::Done(vmf.failed(FaultError::Oom))
}

/// A zeroed huge folio, charged to the cgroup (`vma_alloc_anon_folio_pmd`).
pub(super) fn alloc_anon_folio_pmd<P: Platform>(vmf: &Vmf<'_, P>) -> Result<Pfn, OutOfMemory> {
    enter::<P>("vma_alloc_anon_folio_pmd", format_args!("address={}", vmf.address)).run(
        || {
            let folio = alloc_huge_charged(vmf.mm.memory(), vmf.task.cpu())?;
            vmf.mm.memory().clear_huge(folio);
            Ok(folio)
        },
        |result| result.map_or_else(|_| "NULL".to_owned(), |folio| format!("folio {folio}")),
    )
}

/// A huge folio, charged to the cgroup; its words are whatever they were.
pub(in crate::mm) fn alloc_huge_charged<P: Platform>(memory: &PhysMem<P>, cpu: CpuId) -> Result<Pfn, OutOfMemory> {
    let folio = memory.alloc_huge(cpu, PageState::User)?;
    if memory.memcg().charge_pages(cpu, pages::<P>().cast_unsigned()).is_err() {
        remark::<P>(format_args!("the cgroup is at its limit"));
        memory.free_uncharged(cpu, folio);
        return Err(OutOfMemory);
    }
    Ok(folio)
}

/// Makes a new folio one of the VMA's and counts the entry that will map the whole of it (`folio_add_new_anon_rmap`).
pub(super) fn folio_add_new_anon_rmap_pmd<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn, anon_vma: AnonVmaId) {
    let index = vmf.vma().linear_page_index(vmf.address.huge_start(P::GEOMETRY));
    folio_add_new_anon_rmap_pmd_at(vmf.mm, folio, anon_vma, index);
}

/// The same for a folio that is to be found at `index`.
pub(crate) fn folio_add_new_anon_rmap_pmd_at<P: Platform>(mm: &Mm<P>, folio: Pfn, anon_vma: AnonVmaId, index: u64) {
    let words = format_args!("folio={folio}, anon_vma={:#x}, index={index:#x}", anon_vma.0);
    enter::<P>("folio_add_new_anon_rmap", words).run(
        || {
            let memory = mm.memory();
            set_anon(memory, folio, Mapping::Anon(anon_vma), index);
            let page = memory.page(folio);
            match mm.generation().cow_reuse() {
                CowReuse::MapCount => {}
                CowReuse::AnonExclusive => page.set_anon_exclusive(),
            }
            page.add_entire_mapcount(1);
        },
        |()| "entire mapcount=1".to_owned(),
    );
}

/// Says of every page of a folio what it is a page of (`__folio_set_anon`; Linux asks the head instead).
pub(in crate::mm) fn set_anon<P: Platform>(memory: &PhysMem<P>, folio: Pfn, mapping: Mapping, index: u64) {
    for (number, frame) in (0..).zip(memory.frames_of_folio(folio)) {
        memory.page(frame).set_mapping(mapping, index + number);
    }
}

/// An entry for a folio that may be written if the VMA may (`maybe_pmd_mkwrite(pmd_mkdirty(mk_huge_pmd(...)))`).
pub(crate) fn writable_huge_entry<P: Platform>(vma: &Vma<P>, folio: Pfn) -> PmdVal {
    let entry = PmdVal::huge(folio, vma.page_prot() | EntryFlags::ACCESSED);
    if vma.flags().contains(VmFlags::WRITE) {
        entry.dirty_and_writable()
    } else {
        entry.with(EntryFlags::SAVED_DIRTY | EntryFlags::SOFT_DIRTY)
    }
}
