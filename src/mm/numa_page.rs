//! A page that may not be accessed because the kernel wants to know who uses it (`mm/memory.c`, `do_numa_page`).
//!
//! The scanner (`change_prot_numa`) takes all rights away; the next access faults, the kernel learns which node it came
//! from, and either moves the page there or just gives the rights back.
//!
//! # Invariants
//! - I1 (D47). The entry keeps its page. It gets the rights of its VMA back, and never more: the right to write only if
//!   the page is exclusive, as a write fault would find it.
//! - I2 (D40). The entry is exchanged, not overwritten.
//! - I3. What the entry will be is computed under the lock, from the entry that is there.

use crate::phys::{Mapping, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PteVal};

use super::change_writable::{can_change_writable, wants_manual_write_upgrade};
use super::generation::CowReuse;
use super::migrate::{Migrated, migrate_folio};
use super::pte_table::LockedTable;
use super::vmf::{VmFault, Vmf};
use super::wp_page::vm_normal_page;

/// Gives the entry its rights back, or moves the page to where it is used. `orig` is the snapshot.
pub(super) fn do_numa_page<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PteVal) -> VmFault<'m, P> {
    enter::<P>("do_numa_page", format_args!("address={}, pte={orig}", vmf.address)).run(
        || {
            let Some(table) = map_same(&vmf, orig, Variant::NumaSame) else { return vmf.handled() };
            let Some(misplaced) = numa_migrate_check(&vmf, orig) else {
                restore(&vmf, table, orig);
                return vmf.handled();
            };
            // Isolated: the reference keeps the page while nothing is locked.
            vmf.mm.memory().page(misplaced).get();
            drop(table);
            match migrate_folio(vmf.mm, vmf.task, vmf.vma(), vmf.address, misplaced) {
                Migrated::Moved => {}
                Migrated::Kept => {
                    // pte_same again: nothing was locked meanwhile.
                    if let Some(table) = map_same(&vmf, orig, Variant::NumaSameAgain) {
                        restore(&vmf, table, orig);
                    }
                }
            }
            vmf.handled()
        },
        VmFault::words,
    )
}

/// Locks the table if the entry is still the one of the snapshot (`pte_same`).
fn map_same<'m, P: Platform>(vmf: &Vmf<'m, P>, orig: PteVal, which: Variant) -> Option<LockedTable<'m, P>> {
    let same = |table: &LockedTable<'_, P>| recheck::<P>(which, || table.get(vmf.address) == orig);
    let table = LockedTable::offset_map_lock(vmf.mm, vmf.pmd).filter(same);
    if table.is_none() {
        remark::<P>(format_args!("the entry changed meanwhile: the access will tell"));
    }
    table
}

/// The page, if it is on the wrong node: nodes are not modelled, so the engine chooses. A page that several processes
/// use stays where it is (`numa_migrate_check`, `migrate_misplaced_folio_prepare`).
fn numa_migrate_check<P: Platform>(vmf: &Vmf<'_, P>, orig: PteVal) -> Option<Pfn> {
    enter::<P>("numa_migrate_check", format_args!("pte={orig}")).run(
        || {
            let pfn = vm_normal_page(orig)?;
            let page = vmf.mm.memory().page(pfn);
            let is_small = page.order() == 0 && page.from_head() == 0;
            let movable = is_small && is_anon(vmf, pfn) && page.mapcount() == 1;
            (movable && P::choose(2) == 1).then_some(pfn)
        },
        |misplaced| misplaced.map_or("it is where it is used".to_owned(), |pfn| format!("page {pfn} is misplaced")),
    )
}

/// Puts the rights back (`numa_rebuild_single_mapping`).
fn restore<P: Platform>(vmf: &Vmf<'_, P>, mut table: LockedTable<'_, P>, orig: PteVal) {
    enter::<P>("numa_rebuild_single_mapping", format_args!("address={}", vmf.address)).run(
        || {
            let taken_out = table.modify_prot_start(vmf.address);
            let entry = taken_out.entry().modified(vmf.vma().page_prot()).with(EntryFlags::ACCESSED);
            let entry = if may_be_writable(vmf, orig, entry) { entry.writable() } else { entry };
            table.modify_prot_commit(vmf.address, taken_out, entry);
        },
        |()| String::new(),
    );
}

/// Whether a write would find nothing to copy and nothing to note. 4.4 cannot tell: the scanner left the right to write
/// in the entry.
fn may_be_writable<P: Platform>(vmf: &Vmf<'_, P>, orig: PteVal, entry: PteVal) -> bool {
    match vmf.mm.generation().cow_reuse() {
        CowReuse::MapCount => orig.is_writable(),
        CowReuse::AnonExclusive => {
            wants_manual_write_upgrade(vmf.vma()) && can_change_writable(vmf.mm, vmf.vma(), entry)
        }
    }
}

fn is_anon<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn) -> bool {
    let memory = vmf.mm.memory();
    matches!(memory.page(memory.folio_of(pfn)).mapping(), Mapping::Anon(_))
}
