//! Moving a huge page to another place (`mm/huge_memory.c`, `set_pmd_migration_entry`, `remove_migration_pmd`; what
//! drives them is `mm/migrate.c`, `migrate_folio_unmap` and `migrate_folio_move`).
//!
//! # State of the entry
//!
//! ```text
//!   huge(old) -- set_pmd_migration_entry --> under migration -- remove_migration_pmd --> huge(new), or (old)
//!                                                  |
//!                                                  +-- zapped: none
//!                                                  +-- split: a table of small entries under migration
//! ```
//!
//! # Invariants
//! - I1 (D43). While the entry is under migration the folio is locked and the mover has a reference. The entry counts
//!   in RSS and has its deposited table, but does not count as a mapping.
//! - I2 (D44). Every entry is put back before the folio is unlocked.
//! - I3 (D29). The page ceases to be exclusive after its entry is useless to hardware.
//!
//! Only generation G6 gets here: Linux 4.4 has no huge entries under migration.
//!
//! The reverse map is not walked: the caller says which entry maps the page, and a folio that other entries map, too,
//! is kept where it is. Where there is no huge page to move to, Linux splits the folio and moves its pages; here it is
//! kept.

use crate::phys::{OutOfMemory, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{PmdState, PmdVal, SwapEntry, SwapType, VirtAddr};

use crate::mm::entry_at::EntryAt;
use crate::mm::generation::CowReuse;
use crate::mm::migrate::{Migrated, migration_entry, remove_migration_pte, restored};
use crate::mm::mm_struct::Mm;
use crate::mm::task::Task;
use crate::mm::vma::Vma;

use super::anonymous::{alloc_huge_charged, set_anon};
use super::locked_pmd::LockedPmd;
use super::migration::under_migration;

/// Moves the huge page that the entry maps, if it maps one. The caller holds a lock that keeps the VMA.
pub fn migrate_huge_folio<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    vma: &Vma<P>,
    at: EntryAt,
    address: VirtAddr,
) -> Migrated {
    let start = address.huge_start(P::GEOMETRY);
    enter::<P>("migrate_folio", format_args!("huge page at {start}")).run(
        || {
            let (memory, cpu) = (mm.memory(), task.cpu());
            let pmd = LockedPmd::lock(mm, at);
            let PmdState::Huge(old) = pmd.get().state() else { return Migrated::Kept };
            if mm.machine().huge_zero().get() == Some(old) || vma.file().is_some() {
                return Migrated::Kept;
            }
            memory.page(old).get();
            drop(pmd);
            let moved = match alloc_huge_charged(memory, cpu) {
                Ok(new) => {
                    let moved = lock_and_move(mm, vma, (at, start), (old, new));
                    if moved == Migrated::Moved {
                        memory.add_to_lru(cpu, new);
                    }
                    memory.put_page(cpu, new);
                    moved
                }
                Err(OutOfMemory) => Migrated::Kept,
            };
            memory.put_page(cpu, old);
            moved
        },
        |migrated| format!("{migrated:?}"),
    )
}

/// Moves the contents and the entries of a folio to another one, if nobody holds its lock or refers to it besides.
fn lock_and_move<P: Platform>(
    mm: &Mm<P>,
    vma: &Vma<P>,
    (at, start): (EntryAt, VirtAddr),
    (old, new): (Pfn, Pfn),
) -> Migrated {
    let memory = mm.memory();
    let page = memory.page(old);
    // Who must not wait, tries (`MIGRATE_ASYNC`).
    if !page.folio().lock().try_lock() {
        return Migrated::Kept;
    }
    let mut moved = Migrated::Kept;
    if set_pmd_migration_entry(mm, at, old) {
        // The one reference left is the mover's.
        if recheck::<P>(Variant::HugeMigrateCount, || page.refcount_after_puts() == 1) {
            memory.copy_huge(new, old);
            set_anon(memory, new, page.mapping(), page.index());
            moved = Migrated::Moved;
        }
        let now = if moved == Migrated::Moved { new } else { old };
        if !remove_migration_entries(mm, vma, (at, start), old, now) {
            remark::<P>(format_args!("nobody maps it any more"));
            moved = Migrated::Kept;
        }
    }
    page.folio().lock().unlock();
    moved
}

/// Says in the entry that the folio is under migration; `false` if it does not map the folio any more, or other entries
/// do, too.
fn set_pmd_migration_entry<P: Platform>(mm: &Mm<P>, at: EntryAt, old: Pfn) -> bool {
    enter::<P>("set_pmd_migration_entry", format_args!("pmd={at}, folio={old}")).run(
        || {
            let page = mm.memory().page(old);
            let mut pmd = LockedPmd::lock(mm, at);
            // First this, which a split takes down after it has counted the small entries.
            let mapcount = page.entire_mapcount_after_removals();
            let small: i64 = mm.memory().frames_of_folio(old).map(|frame| mm.memory().page(frame).mapcount()).sum();
            let same = || pmd.get().state() == PmdState::Huge(old) && mapcount == 1 && small == 0;
            if !recheck::<P>(Variant::HugeMigrateSame, same) {
                remark::<P>(format_args!("the page is no longer mapped here as a whole, or is mapped elsewhere, too"));
                return false;
            }
            let entry = pmd.invalidate();
            pmd.set(PmdVal::migration(migration_entry(entry.as_pte(), page)));
            page.clear_anon_exclusive();
            page.add_entire_mapcount(-1);
            // The mapping's reference; the mover has its own.
            page.drop_but_not_last();
            true
        },
        |unmapped| unmapped.to_string(),
    )
}

/// Puts back what says that `old` is under migration, to map `now`: the huge entry, or the small ones that a split left
/// of it. `false` if nothing says so any more.
fn remove_migration_entries<P: Platform>(
    mm: &Mm<P>,
    vma: &Vma<P>,
    (at, start): (EntryAt, VirtAddr),
    old: Pfn,
    now: Pfn,
) -> bool {
    if remove_migration_pmd(mm, vma, at, old, now) {
        return true;
    }
    let mut any = false;
    for number in 0..P::GEOMETRY.entries() as u64 {
        let address = start.offset(number * P::GEOMETRY.page_size());
        let part = |head: Pfn| Pfn::truncate(head.number() + number);
        any |= vma.contains(address) && remove_migration_pte(mm, vma, address, part(old), part(now));
    }
    any
}

fn remove_migration_pmd<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, at: EntryAt, old: Pfn, now: Pfn) -> bool {
    enter::<P>("remove_migration_pmd", format_args!("pmd={at}, folio={now}")).run(
        || {
            let mut pmd = LockedPmd::lock(mm, at);
            let marked = pmd.get();
            if !recheck::<P>(Variant::HugeArriveSame, || under_migration(marked) == Some(old)) {
                remark::<P>(format_args!("the entry was zapped or split meanwhile"));
                return false;
            }
            assert!(!marked.is_none(), "D12: who only has the reverse map's lock fills no empty entry");
            let swap = SwapEntry::from_pte(marked.as_pte()).expect("D44: the entry is still under migration");
            let page = mm.memory().page(now);
            page.get();
            page.add_entire_mapcount(1);
            if swap.kind() != SwapType::MigrationRead && mm.generation().cow_reuse() == CowReuse::AnonExclusive {
                page.set_anon_exclusive();
            }
            pmd.set(PmdVal::huge(now, restored(vma, marked.as_pte(), swap, now).flags()));
            true
        },
        |restored| restored.to_string(),
    )
}
