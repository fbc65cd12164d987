//! Mapping pages around a fault that are in the cache already (`mm/filemap.c`, `filemap_map_pages`).
//!
//! # Invariants
//! - I1. It never waits: a page that cannot be locked at once, or whose contents are missing, is left out.
//! - I2 (D41). A page is looked up without a lock, so it is tested again with a reference, and again with its lock.
//! - I3 (D31). No entry is made writable beyond what the VMA's rights give every page.

use crate::mm::finish_fault::{Write, set_pte_range};
use crate::mm::huge_memory::{SetPmd, do_set_pmd, is_pmd_mappable};
use crate::mm::pte_table::{LockedTable, pmdp_get_lockless};
use crate::mm::vmf::Vmf;
use crate::phys::{Contents, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};

use super::address_space::AddressSpace;

/// What mapping around a fault came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::mm) enum Around {
    /// The faulting address is mapped now (`VM_FAULT_NOPAGE`).
    Mapped,
    /// It is not.
    NotMapped,
}

impl Around {
    /// The result as Linux's functions return it.
    pub(in crate::mm) fn words(&self) -> String {
        match self {
            Self::Mapped => "VM_FAULT_NOPAGE: the page of the fault is mapped",
            Self::NotMapped => "0: the page of the fault is not mapped",
        }
        .to_owned()
    }
}

/// Maps what can be had at once of the pages `first` to `last` of the file, all of them below one PTE table.
pub(in crate::mm) fn filemap_map_pages<P: Platform>(
    vmf: &Vmf<'_, P>,
    file: &AddressSpace<P>,
    (first, last): (u64, u64),
    mut install_table: impl FnMut(),
) -> Around {
    enter::<P>("filemap_map_pages", format_args!("file={}, {first} to {last}", file.id().0)).run(
        || {
            let memory = vmf.mm.memory();
            let mut next = next_uptodate_folio(vmf, file, first..=last);
            let Some((_, pfn)) = next else { return Around::NotMapped };
            if filemap_map_pmd(vmf, pfn) == Around::Mapped {
                return Around::Mapped;
            }
            install_table();
            let Some(mut table) = LockedTable::offset_map_lock(vmf.mm, vmf.pmd) else {
                unlock_and_put(vmf, pfn);
                return Around::NotMapped;
            };
            let (mut around, mut mapped) = (Around::NotMapped, 0);
            let faulting = vmf.vma().linear_page_index(vmf.address);
            while let Some((index, pfn)) = next {
                let address = vmf.address_of(index);
                if recheck::<P>(Variant::M29Around, || table.get(address).is_none()) {
                    set_pte_range(vmf, &mut table, address, pfn, Write::No);
                    mapped += 1;
                    if index == faulting {
                        around = Around::Mapped;
                    }
                    memory.folio(pfn).lock().unlock();
                } else {
                    remark::<P>(format_args!("{address} is mapped already"));
                    unlock_and_put(vmf, pfn);
                }
                next = next_uptodate_folio(vmf, file, index + 1..=last);
            }
            table.count_rss(file.rss_kind(), mapped);
            drop(table);
            around
        },
        Around::words,
    )
}

/// Maps the huge folio of a locked page, if it is one, or finds that one is mapped already: then there is nothing left
/// to do. The caller's lock and reference are used up then.
fn filemap_map_pmd<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn) -> Around {
    // Only what has huge folios can have been mapped by a huge entry.
    if !is_pmd_mappable(vmf.mm, pfn) {
        return Around::NotMapped;
    }
    if pmdp_get_lockless(vmf.mm, vmf.pmd).is_huge() {
        remark::<P>(format_args!("a huge page is mapped already"));
        unlock_and_put(vmf, pfn);
        return Around::Mapped;
    }
    if pmdp_get_lockless(vmf.mm, vmf.pmd).is_none() && do_set_pmd(vmf, pfn, Write::No) == SetPmd::Done {
        vmf.mm.memory().folio(pfn).lock().unlock();
        return Around::Mapped;
    }
    Around::NotMapped
}

/// The next page that can be had at once, locked and with a reference (`next_uptodate_folio`).
fn next_uptodate_folio<P: Platform>(
    vmf: &Vmf<'_, P>,
    file: &AddressSpace<P>,
    range: std::ops::RangeInclusive<u64>,
) -> Option<(u64, Pfn)> {
    range.into_iter().find_map(|index| try_folio(vmf, file, index).map(|pfn| (index, pfn)))
}

fn try_folio<P: Platform>(vmf: &Vmf<'_, P>, file: &AddressSpace<P>, index: u64) -> Option<Pfn> {
    let memory = vmf.mm.memory();
    let slot = file.slot(index)?;
    let (pfn, page, folio) = (slot.page, memory.page(slot.page), memory.page(slot.head).folio());
    if folio.lock().is_locked() || !memory.page(slot.head).try_get() {
        return None;
    }
    let same = || recheck::<P>(Variant::SlotAround, || file.slot(index) == Some(slot));
    let usable = || same() && folio.contents() == Contents::Uptodate && !folio.wants_readahead();
    if !usable() || !folio.lock().try_lock() {
        memory.put_page(vmf.task.cpu(), slot.head);
        return None;
    }
    // Again under the lock (M26, M27): the page may have left the file, or the file may end before it by now.
    let is_mine = || page.mapping() == file.mapping() && folio.contents() == Contents::Uptodate;
    let is_below_the_end = || index < file.size_pages();
    if !recheck::<P>(Variant::M26Around, is_mine) || !recheck::<P>(Variant::M27Around, is_below_the_end) {
        unlock_and_put(vmf, pfn);
        return None;
    }
    Some(pfn)
}

fn unlock_and_put<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn) {
    vmf.mm.memory().folio(pfn).lock().unlock();
    vmf.mm.memory().put_page(vmf.task.cpu(), pfn);
}
