//! PTE tables: how they are linked, read without a lock, and locked (`mm/pgtable-generic.c`, `mm/memory.c`).
//!
//! # State of an entry
//!
//! ```text
//!            set                       clear
//!   none ----------> present(frame) ----------> none
//!                     |         ^
//!                     +---------+  set (rights, accessed, dirty)
//! ```
//!
//! # Invariants
//! - I1 (D11). An entry changes only through a [`LockedTable`]: the table's lock is held, and the table was still
//!   linked when it was taken. Hardware sets A and D besides, by atomic updates.
//! - I2 (D22). Whoever reads a present entry sees the page's contents as they were when it was set.
//! - I3 (M9). One decision rests on one read of the PMD entry.
//!
//! # Memory ordering
//! - O1. `set` stores with `Release`; `peek` and the hardware walk load with `Acquire`. The pair gives I2.
//! - O2. `clear` is an `AcqRel` exchange: hardware may set A or D until that moment, and what it set is returned.

use std::panic::Location;

use crate::locks::{LockClass, LockKey, Place, SpinGuard, Subclass};
use crate::phys::{OutOfMemory, Pfn};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, enter, ordering, recheck, remark};
use crate::x86::{PmdState, PmdVal, PteVal, VirtAddr};

use super::entry_at::EntryAt;
use super::mm_struct::{Mm, RssKind};
use super::task::Task;
use super::walk::{link_table, new_table};

/// A PTE table that was linked when its PMD entry was read; by now it may not be.
pub struct PteTable<'m, P: Platform> {
    mm: &'m Mm<P>,
    pfn: Pfn,
}

/// Write access to a PTE table: its lock is held, and it was still linked when the lock was taken.
pub struct LockedTable<'m, P: Platform> {
    table: PteTable<'m, P>,
    _ptl: SpinGuard<'m, P, ()>,
}

/// Reads a PMD entry once, without a lock (`pmdp_get_lockless`).
pub(crate) fn pmdp_get_lockless<P: Platform>(mm: &Mm<P>, pmd: EntryAt) -> PmdVal {
    // ORDER O1 of `walk`: pairs with `link_table`.
    PmdVal::from_bits(mm.entry(pmd).load(ordering::<P>(Variant::OReadPmd, Ordering::Acquire)))
}

impl<'m, P: Platform> PteTable<'m, P> {
    /// The table that a PMD entry points to, if it does (`pte_offset_map_nolock`).
    pub(crate) fn offset_map_nolock(mm: &'m Mm<P>, pmd: EntryAt) -> Option<Self> {
        match pmdp_get_lockless(mm, pmd).state() {
            PmdState::Table(pfn) => Some(Self { mm, pfn }),
            PmdState::None | PmdState::Huge(_) | PmdState::NotATable => None,
        }
    }

    /// A table that was unlinked, and that nobody else can reach.
    pub(crate) fn unlinked(mm: &'m Mm<P>, pfn: Pfn) -> Self {
        Self { mm, pfn }
    }

    /// Reads the entry of an address without the lock; by the time it returns, the answer may be old
    /// (`ptep_get_lockless`).
    pub fn peek(&self, address: VirtAddr) -> PteVal {
        // ORDER O1: pairs with `LockedTable::set`.
        PteVal::from_bits(self.mm.entry(self.at(address)).load(ordering::<P>(Variant::OReadPte, Ordering::Acquire)))
    }

    fn at(&self, address: VirtAddr) -> EntryAt {
        EntryAt::of::<P>(self.pfn, 1, address)
    }
}

impl<'m, P: Platform> LockedTable<'m, P> {
    /// Locks the table that the PMD entry points to; `None` if it points to none (`pte_offset_map_lock`).
    #[track_caller]
    pub fn offset_map_lock(mm: &'m Mm<P>, pmd: EntryAt) -> Option<Self> {
        Self::lock_as(mm, pmd, Subclass::Outer, Location::caller())
    }

    /// As [`LockedTable::offset_map_lock`], with another table locked: the caller knows why nobody locks them the other
    /// way round.
    #[track_caller]
    pub fn offset_map_lock_nested(mm: &'m Mm<P>, pmd: EntryAt) -> Option<Self> {
        Self::lock_as(mm, pmd, Subclass::Nested, Location::caller())
    }

    fn lock_as(mm: &'m Mm<P>, pmd: EntryAt, subclass: Subclass, place: Place) -> Option<Self> {
        enter::<P>("pte_offset_map_lock", format_args!("pmd={}", pmd)).run(
            || loop {
                let seen = pmdp_get_lockless(mm, pmd);
                let PmdState::Table(pfn) = seen.state() else { return None };
                let ptl = mm.memory().page(pfn).ptl().lock_as(LockKey { class: LockClass::Ptl, subclass }, place);
                // pmd_same (M10): a table that was unlinked meanwhile must not be written to. Collapse and munmap shut
                // out every fault before they unlink one, so no scenario shows it: retraction (by a file's mappings
                // alone) and PT_RECLAIM (of 6.14) would.
                if recheck::<P>(Variant::M10, || pmdp_get_lockless(mm, pmd) == seen) {
                    return Some(Self { table: PteTable { mm, pfn }, _ptl: ptl });
                }
                remark::<P>(format_args!("the PMD entry changed meanwhile: again"));
            },
            |table| table.as_ref().map_or("NULL".to_owned(), |table| format!("table {}", table.table.pfn)),
        )
    }

    /// Locks a table that the caller has unlinked, and that nobody else can reach (D11).
    pub(crate) fn unlinked(mm: &'m Mm<P>, pfn: Pfn) -> Self {
        Self { table: PteTable { mm, pfn }, _ptl: mm.memory().page(pfn).ptl().lock() }
    }

    /// Reads the entry of an address (`ptep_get`).
    pub fn get(&self, address: VirtAddr) -> PteVal {
        // ORDER none: by I1 nobody else writes while we hold the lock; hardware only adds A and D.
        PteVal::from_bits(self.table.mm.entry(self.table.at(address)).load(Ordering::Relaxed))
    }

    /// Sets the entry of an address (`set_pte_at`): over an empty one, or to add rights.
    pub fn set(&mut self, address: VirtAddr, pte: PteVal) {
        let at = self.table.at(address);
        self.assert_mapped(pte);
        // ORDER O1: publishes the page's contents; pairs with `peek` and the hardware walk.
        self.table.mm.entry(at).store(pte.bits(), ordering::<P>(Variant::OSetPte, Ordering::Release));
        remark::<P>(format_args!("PTE[{}] = {:#x}", at.index, pte.bits()));
    }

    /// Counts pages of a kind that the table's entries map or, if negative, no longer map (`add_mm_counter`), before
    /// anybody else can see the entries change (D20).
    pub fn count_rss(&self, kind: RssKind, pages: i64) {
        self.table.mm.add_rss(kind, pages);
    }

    /// The word of an address's entry, for updates that have a reason of their own.
    pub(super) fn word(&self, address: VirtAddr) -> &P::AtomicU64 {
        self.table.mm.entry(self.table.at(address))
    }

    /// D23: a page is counted as mapped before an entry shows it.
    fn assert_mapped(&self, pte: PteVal) {
        if P::CHECKED && pte.is_present() && !pte.is_special() {
            let mapcount = self.table.mm.memory().page(pte.pfn()).mapcount();
            assert!(mapcount > 0, "D23: the entry {pte} shows a page that is not counted as mapped");
        }
    }

    /// Empties the entry of an address and returns what it held last (`ptep_get_and_clear`).
    pub fn clear(&mut self, address: VirtAddr) -> PteVal {
        // ORDER O2: after this, hardware finds nothing to mark.
        let order = ordering::<P>(Variant::OClearPte, Ordering::AcqRel);
        PteVal::from_bits(self.table.mm.entry(self.table.at(address)).swap(0, order))
    }
}

/// Makes sure that the PMD entry points to a PTE table (`pte_alloc`).
pub(crate) fn pte_alloc<P: Platform>(mm: &Mm<P>, task: &Task, pmd: EntryAt) -> Result<(), OutOfMemory> {
    enter::<P>("pte_alloc", format_args!("pmd={}", pmd)).run(
        || {
            if pmdp_get_lockless(mm, pmd).state() != PmdState::None {
                return Ok(());
            }
            let table = new_table(mm, task, 1)?;
            pmd_install(mm, task, pmd, table);
            Ok(())
        },
        |result| result.map_or_else(|_| "-ENOMEM".to_owned(), |()| "0".to_owned()),
    )
}

/// Links a PTE table, unless another fault was first: then it is freed (`pmd_install`; M2).
pub(super) fn pmd_install<P: Platform>(mm: &Mm<P>, task: &Task, pmd: EntryAt, table: Pfn) {
    enter::<P>("pmd_install", format_args!("pmd={}, table={table}", pmd)).run(
        || {
            let _pml = mm.memory().page(pmd.table).ptl().lock_as(LockKey::of(LockClass::Pml), Location::caller());
            // ORDER none: PMD entries change only under the lock that we hold.
            let now = PmdVal::from_bits(mm.entry(pmd).load(Ordering::Relaxed));
            if recheck::<P>(Variant::M2, || now.state() == PmdState::None) {
                link_table(mm, pmd, PmdVal::table(table).bits());
            } else {
                remark::<P>(format_args!("another fault linked a table first; mine is freed"));
                mm.memory().free_uncharged(task.cpu(), table);
            }
        },
        |()| String::new(),
    );
}
