//! A table of small pages becomes a huge page (`collapse_huge_page`).

use crate::mm::{
    EntryAt, Generation, LockedPmd, Mm, Task, Vma, flush_tlb_range, folio_add_new_anon_rmap_pmd_at,
    migration_entry_wait_at, writable_huge_entry,
};
use crate::phys::{CpuId, OutOfMemory, PageState, Pfn};
use crate::platform::{Arc, Platform, Variant, enter, lacks, recheck, remark};
use crate::x86::{PmdState, PmdVal, VirtAddr};

use super::collapser::Collapser;
use super::copy::copy;
use super::isolate::isolate;
use super::revalidate::{check_pmd_still_valid, find_pmd_or_thp_or_none, hugepage_vma_revalidate};
use super::scan::pages;
use super::scan_result::NotCollapsed;

/// What the scan has found. Its VMA is not kept: without the lock it may go.
pub(super) struct Found<P: Platform> {
    pub(super) pmd: EntryAt,
    /// The VMA nevertheless, for who lacks the second look for it.
    pub(super) stale: Option<Arc<Vma<P>>>,
    /// Entries that were not present.
    pub(super) unmapped: usize,
}

/// Nothing is locked: allocating a huge page may take its time.
pub(super) fn collapse_huge_page<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    address: VirtAddr,
    by: Collapser,
    found: Found<P>,
) -> Result<(), NotCollapsed> {
    enter::<P>("collapse_huge_page", format_args!("{address}")).run(
        || {
            let folio = alloc_charge_folio(mm, task.cpu())?;
            let result = look_again(mm, address, by, found).and_then(|found| {
                let mut vmas = mm.mmap_lock().write();
                let mut vma = found.stale.ok_or(NotCollapsed::VmaNull);
                // M45: whoever had the lock in between may have unmapped the range, or cut it.
                recheck::<P>(Variant::M45, || {
                    vma = hugepage_vma_revalidate(&vmas, address, by);
                    vma.is_ok()
                });
                let vma = vma?;
                let mut valid = Ok(());
                recheck::<P>(Variant::M45Pmd, || {
                    valid = check_pmd_still_valid(mm, address, found.pmd);
                    valid.is_ok()
                });
                valid?;
                if !lacks::<P>(Variant::M46) {
                    vmas.start_write(&vma);
                }
                let result = replace(mm, task.cpu(), (&vma, found.pmd, address), by, folio);
                drop((vma, vmas));
                result
            });
            if result.is_err() {
                mm.memory().put_page(task.cpu(), folio);
            }
            result
        },
        |result| result.map_or_else(|why| why.to_string(), |()| "SCAN_SUCCEED".to_owned()),
    )
}

/// With the mmap lock for reading again; it saves the wait for writers if all was in vain. 4.4 does without.
fn look_again<P: Platform>(
    mm: &Mm<P>,
    address: VirtAddr,
    by: Collapser,
    found: Found<P>,
) -> Result<Found<P>, NotCollapsed> {
    if mm.generation() == Generation::G2 {
        return Ok(found);
    }
    let vmas = mm.mmap_lock().read();
    hugepage_vma_revalidate(&vmas, address, by)?;
    let pmd = find_pmd_or_thp_or_none(mm, address)?;
    if found.unmapped > 0 {
        __collapse_huge_page_swapin(mm, pmd, address);
    }
    drop(vmas);
    Ok(Found { pmd, ..found })
}

/// Waits for the pages that are on the move. (Swapped ones would be read.)
fn __collapse_huge_page_swapin<P: Platform>(mm: &Mm<P>, pmd: EntryAt, address: VirtAddr) {
    enter::<P>("__collapse_huge_page_swapin", format_args!("{address}"))
        .run(|| pages::<P>(address).for_each(|page| migration_entry_wait_at(mm, pmd, page)), |()| String::new());
}

/// A huge page, charged to the cgroup.
fn alloc_charge_folio<P: Platform>(mm: &Mm<P>, cpu: CpuId) -> Result<Pfn, NotCollapsed> {
    let memory = mm.memory();
    let folio = memory.alloc_huge(cpu, PageState::User).map_err(|OutOfMemory| NotCollapsed::AllocHugePageFail)?;
    if memory.memcg().charge_pages(cpu, P::GEOMETRY.entries() as u64).is_err() {
        memory.free_uncharged(cpu, folio);
        return Err(NotCollapsed::CgroupChargeFail);
    }
    Ok(folio)
}

/// With every fault in the VMA shut out: takes the table out, copies what it maps, and puts the huge page in its place.
fn replace<P: Platform>(
    mm: &Mm<P>,
    cpu: CpuId,
    (vma, pmd, address): (&Vma<P>, EntryAt, VirtAddr),
    by: Collapser,
    folio: Pfn,
) -> Result<(), NotCollapsed> {
    let anon_vma = vma.anon_vma().expect("it was asked for");
    let walkers = anon_vma.lock_write();
    let table = pmdp_collapse_flush(mm, pmd, address);
    remark::<P>(format_args!("tlb_remove_table_sync_one: nobody walks with interrupts disabled"));
    let isolated = match isolate(mm, cpu, by, (table, address)) {
        Ok(isolated) => isolated,
        Err(why) => {
            empty_pmd(mm, pmd).populate(table);
            return Err(why);
        }
    };
    // I3: what is isolated is safe from them.
    drop(walkers);
    copy(mm, cpu, (table, address), folio, isolated);
    let mut pmd = empty_pmd(mm, pmd);
    folio_add_new_anon_rmap_pmd_at(mm, folio, anon_vma.id(), vma.linear_page_index(address));
    mm.memory().add_to_lru(cpu, folio);
    pmd.deposit_linked(table);
    // The contents are published with the entry (`__folio_mark_uptodate`).
    pmd.set(writable_huge_entry(vma, folio));
    Ok(())
}

/// Empties the entry and makes every CPU forget what was below it, both under the lock of the entry. Returns the table.
///
/// # Panics
/// If it points to none.
fn pmdp_collapse_flush<P: Platform>(mm: &Mm<P>, at: EntryAt, address: VirtAddr) -> Pfn {
    enter::<P>("pmdp_collapse_flush", format_args!("pmd={at}")).run(
        || {
            let mut pmd = LockedPmd::lock(mm, at);
            let old = pmd.exchange(PmdVal::from_bits(0));
            if !lacks::<P>(Variant::CollapseFlush) {
                flush_tlb_range(mm, (address, address.offset(P::GEOMETRY.huge_page_size())));
            }
            let PmdState::Table(table) = old.state() else {
                panic!("D2: a collapse takes the entry {old} for a table")
            };
            table
        },
        |table| format!("table {table}"),
    )
}

/// The entry that was emptied, locked again: nobody has filled it (I1).
fn empty_pmd<P: Platform>(mm: &Mm<P>, at: EntryAt) -> LockedPmd<'_, P> {
    let pmd = LockedPmd::lock(mm, at);
    let now = pmd.get();
    assert!(now.is_none(), "D2: somebody filled the entry during a collapse: it is {now}");
    pmd
}
