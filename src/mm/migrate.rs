//! Moving an anonymous page to another frame (`mm/migrate.c`, `migrate_folio_unmap`, `migrate_folio_move`; `mm/rmap.c`,
//! `try_to_migrate_one`).
//!
//! # State of the entry
//!
//! ```text
//!   present(old) -- try_to_migrate --> under migration -- remove_migration_ptes --> present(new), or (old) if it
//!   failed
//!                                          |
//!                                          +-- zapped meanwhile: none
//! ```
//!
//! # Invariants
//! - I1 (D43). While an entry is under migration its page is locked and the migrator has a reference. The entry counts
//!   in RSS, but not as a mapping.
//! - I2 (D44). The entry is put back before the folio is unlocked.
//! - I3. A page moves only if nobody but the migrator refers to it once it is unmapped; else it goes back.
//!
//! The reverse map is not walked: the caller says which entry maps the page, its VMA cannot change meanwhile, and a
//! page that has other entries is kept where it is.

use crate::phys::{Mapping, OutOfMemory, Page, PageState, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{AccessedBit, DirtyBit, EntryFlags, PteVal, SwapEntry, SwapType, VirtAddr};

use super::generation::CowReuse;
use super::handle_pte_fault::maybe_mkwrite;
use super::mm_struct::Mm;
use super::pte_table::LockedTable;
use super::pte_update::ptep_clear_flush;
use super::rmap::remove_rmap;
use super::swap_page::under_migration;
use super::task::Task;
use super::vma::Vma;
use super::walk::find_pmd;

/// What became of a page that was to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Migrated {
    /// It is in another frame.
    Moved,
    /// It is where it was.
    Kept,
}

/// Moves the page that is mapped at `address` to another frame. The caller gives a reference to it away, and holds a
/// lock that keeps the VMA.
pub fn migrate_folio<P: Platform>(mm: &Mm<P>, task: &Task, vma: &Vma<P>, address: VirtAddr, old: Pfn) -> Migrated {
    enter::<P>("migrate_folio", format_args!("address={address}, page={old}")).run(
        || {
            let memory = mm.memory();
            let page = memory.page(old);
            // Who must not wait, tries (`MIGRATE_ASYNC`).
            let moved = page.folio().lock().try_lock().then(|| {
                let moved = unmap_and_move(mm, task, vma, address, old);
                page.folio().lock().unlock();
                moved
            });
            memory.put_page(task.cpu(), old);
            moved.unwrap_or(Migrated::Kept)
        },
        |migrated| format!("{migrated:?}"),
    )
}

fn unmap_and_move<P: Platform>(mm: &Mm<P>, task: &Task, vma: &Vma<P>, address: VirtAddr, old: Pfn) -> Migrated {
    let memory = mm.memory();
    let page = memory.page(old);
    memory.drain_lru_batch(task.cpu());
    let Ok(new) = alloc_migration_target(mm, task) else { return Migrated::Kept };
    let unmapped = try_to_migrate(mm, task, address, old);
    // I3: the one reference left is the migrator's.
    let moved = unmapped && recheck::<P>(Variant::MigrateCount, || page.refcount_after_puts() == 1);
    if moved {
        memory.copy_page(new, old);
        memory.page(new).set_mapping(page.mapping(), page.index());
    }
    let arrived = unmapped && remove_migration_pte(mm, vma, address, old, if moved { new } else { old });
    if moved && arrived {
        memory.add_to_lru(task.cpu(), new);
    }
    memory.put_page(task.cpu(), new);
    if moved { Migrated::Moved } else { Migrated::Kept }
}

fn alloc_migration_target<P: Platform>(mm: &Mm<P>, task: &Task) -> Result<Pfn, OutOfMemory> {
    let new = mm.memory().alloc_page(task.cpu(), PageState::User)?;
    if mm.memory().memcg().charge(task.cpu()).is_err() {
        mm.memory().free_uncharged(task.cpu(), new);
        return Err(OutOfMemory);
    }
    Ok(new)
}

/// Puts an entry that says "under migration" in the place of the one that maps the page (`try_to_migrate`); `false` if
/// no entry maps it there any more, or other entries do, too.
fn try_to_migrate<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr, old: Pfn) -> bool {
    let page = mm.memory().page(old);
    let Some(mut table) = find_pmd(mm, address).and_then(|pmd| LockedTable::offset_map_lock(mm, pmd)) else {
        return false;
    };
    let mapped = table.get(address);
    let same =
        || mapped.is_present() && !mapped.is_special() && mapped.pfn() == old && page.mapcount_after_removals() == 1;
    if !recheck::<P>(Variant::MigrateSame, same) {
        remark::<P>(format_args!("the page is no longer mapped here, or is mapped elsewhere, too"));
        return false;
    }
    let entry = ptep_clear_flush(mm, &mut table, address);
    table.set(address, migration_entry(entry, page));
    hand_over_dirty(mm, entry);
    page.clear_anon_exclusive();
    remove_rmap(mm, old);
    // The migrator's own reference remains, and the mapping's goes under the lock that whoever finds the entry holds.
    mm.memory().put_page(task.cpu(), old);
    true
}

/// A page of a file that was written through the entry has to be written back, whatever becomes of what stands in its
/// place: a discard would forget the mark.
fn hand_over_dirty<P: Platform>(mm: &Mm<P>, entry: PteVal) {
    let folio = mm.memory().folio_of(entry.pfn());
    if entry.is_dirty() && !matches!(mm.memory().page(folio).mapping(), Mapping::Anon(_) | Mapping::None) {
        mm.memory().folio(entry.pfn()).mark_dirty();
    }
}

/// What says in the place of an entry, small or huge, that its page is on the move: with what the entry allowed, and
/// how it was marked. One of a PMD table has the same bits.
pub(super) fn migration_entry<P: Platform>(entry: PteVal, page: &Page<P>) -> PteVal {
    let kind = match (entry.is_writable(), page.is_anon_exclusive()) {
        (true, _) => SwapType::MigrationWrite,
        (false, true) => SwapType::MigrationReadExclusive,
        (false, false) => SwapType::MigrationRead,
    };
    let flags = entry.flags();
    let accessed = if flags.contains(EntryFlags::ACCESSED) { AccessedBit::Young } else { AccessedBit::Old };
    let dirty = if entry.is_dirty() { DirtyBit::Dirty } else { DirtyBit::Clean };
    let swap = SwapEntry::new(kind, SwapEntry::migration_offset(entry.pfn(), accessed, dirty));
    let swap = swap.expect("a frame fits into an offset").to_pte();
    if flags.contains(EntryFlags::SOFT_DIRTY) { swap.with(SwapEntry::SOFT_DIRTY) } else { swap }
}

/// Maps the page at `now` where an entry says that `old` is under migration (`remove_migration_pte`); `false` if the
/// entry was zapped meanwhile.
pub(super) fn remove_migration_pte<P: Platform>(
    mm: &Mm<P>,
    vma: &Vma<P>,
    address: VirtAddr,
    old: Pfn,
    now: Pfn,
) -> bool {
    enter::<P>("remove_migration_pte", format_args!("address={address}, old={old}, new={now}"))
        .run(|| arrive(mm, vma, address, old, now), |arrived| arrived.to_string())
}

/// An entry for the page at `now`, with the rights that the VMA has by now and the marks that were remembered.
pub(super) fn restored<P: Platform>(vma: &Vma<P>, marked: PteVal, swap: SwapEntry, now: Pfn) -> PteVal {
    let (accessed, dirty) = swap.migration_marks();
    let mut entry = PteVal::new(now, vma.page_prot()).without(EntryFlags::ACCESSED);
    if accessed == AccessedBit::Young {
        entry = entry.with(EntryFlags::ACCESSED);
    }
    if dirty == DirtyBit::Dirty {
        entry = entry.dirtied();
    }
    entry = entry.without(EntryFlags::SOFT_DIRTY);
    if marked.flags().contains(SwapEntry::SOFT_DIRTY) {
        entry = entry.with(EntryFlags::SOFT_DIRTY);
    }
    if swap.kind() == SwapType::MigrationWrite {
        entry = maybe_mkwrite(vma, entry);
    }
    entry
}

/// Whether the page is its process's alone again, as the entry says that it was. A page of a file never is: that its
/// entry could be written says nothing.
pub(super) fn comes_back_exclusive<P: Platform>(mm: &Mm<P>, swap: SwapEntry, page: &Page<P>) -> bool {
    swap.kind() != SwapType::MigrationRead
        && matches!(page.mapping(), Mapping::Anon(_))
        && mm.generation().cow_reuse() == CowReuse::AnonExclusive
}

fn arrive<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, address: VirtAddr, old: Pfn, now: Pfn) -> bool {
    let Some(mut table) = find_pmd(mm, address).and_then(|pmd| LockedTable::offset_map_lock(mm, pmd)) else {
        return false;
    };
    let marked = table.get(address);
    if !recheck::<P>(Variant::ArriveSame, || under_migration(marked) == Some(old)) {
        remark::<P>(format_args!("the entry was zapped meanwhile"));
        return false;
    }
    assert!(!marked.is_none(), "D12: who only has the reverse map's lock fills no empty entry");
    let swap = SwapEntry::from_pte(marked).expect("D44: the entry is still under migration");
    let entry = restored(vma, marked, swap, now);
    let page = mm.memory().page(now);
    mm.memory().page(mm.memory().folio_of(now)).get();
    page.add_mapcount(1);
    if comes_back_exclusive(mm, swap, page) {
        page.set_anon_exclusive();
    }
    table.set(address, entry);
    true
}
