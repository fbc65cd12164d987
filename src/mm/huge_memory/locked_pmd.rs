//! A PMD entry under the lock of its table (`pmd_lock`), and the deposited tables that the lock guards besides.
//!
//! # State of an entry
//!
//! ```text
//!            link_table                              free_pgtables
//!   none ------------------------------------> table -------------> none
//!    | ^                                        | ^
//!    | | exchange(none)      exchange(none) <---+ | populate, with the deposit
//!    v |                                         |
//!   huge --------- exchange(invalidated) ---> invalidated (hardware faults, software sees a huge page)
//!     deposit: +1
//! ```
//!
//! # Invariants
//! - I1 (D2). An entry changes only while the table's lock is held; a [`LockedPmd`] is the proof. Hardware sets A and D
//!   of a huge entry besides, by atomic updates.
//! - I2 (D9). Whoever makes an entry huge deposits a table under the same lock, and whoever makes it none or a table
//!   withdraws one.
//! - I3 (D3, D4). A huge entry becomes a table only after it was invalidated, or empty, and every CPU has finished the
//!   instruction that could have used it.
//!
//! # Memory ordering
//! - O1. `set` stores with `Release`, as `link_table` does: it publishes the folio's contents, or the filled table.
//! - O2. `exchange` is `AcqRel`: hardware may set A or D until that moment, and what it set is returned.

use std::panic::Location;

use crate::locks::{LockClass, LockKey, SpinGuard};
use crate::phys::Pfn;
use crate::platform::{AtomicWord, Ordering, Platform, Variant, lacks, ordering, remark};
use crate::x86::{PmdVal, level_name};

use crate::mm::entry_at::EntryAt;
use crate::mm::mm_struct::{Mm, RssKind};
use crate::mm::tlb_flush::flush_tlb_of;

/// A PMD entry whose table is locked.
pub struct LockedPmd<'m, P: Platform> {
    mm: &'m Mm<P>,
    root: Pfn,
    at: EntryAt,
    _pml: SpinGuard<'m, P, ()>,
}

impl<'m, P: Platform> LockedPmd<'m, P> {
    /// Waits for the lock of the entry's table.
    #[track_caller]
    pub fn lock(mm: &'m Mm<P>, at: EntryAt) -> Self {
        Self::lock_as(mm, mm.pgd(), at, LockKey::of(LockClass::Pml))
    }

    /// The same of an entry below the root table of any address space of the machine, as the reverse map finds it.
    #[track_caller]
    pub(super) fn lock_below(mm: &'m Mm<P>, root: Pfn, at: EntryAt) -> Self {
        Self::lock_as(mm, root, at, LockKey::of(LockClass::Pml))
    }

    /// As [`LockedPmd::lock`], with another table locked: the caller knows why nobody locks them the other way round.
    #[track_caller]
    pub(super) fn lock_nested(mm: &'m Mm<P>, at: EntryAt) -> Self {
        Self::lock_as(mm, mm.pgd(), at, LockKey::nested(LockClass::Pml))
    }

    #[track_caller]
    fn lock_as(mm: &'m Mm<P>, root: Pfn, at: EntryAt, key: LockKey) -> Self {
        Self { mm, root, at, _pml: mm.memory().page(at.table).ptl().lock_as(key, Location::caller()) }
    }

    /// Reads the entry.
    pub fn get(&self) -> PmdVal {
        // ORDER none: by I1 nobody else writes while we hold the lock; hardware only adds A and D.
        PmdVal::from_bits(self.mm.entry(self.at).load(Ordering::Relaxed))
    }

    /// Sets the entry (`set_pmd_at`): over an empty one, or to add rights.
    pub fn set(&mut self, pmd: PmdVal) {
        self.assert_mapped(pmd);
        // ORDER O1: pairs with `pmdp_get_lockless` and the hardware walk.
        self.mm.entry(self.at).store(pmd.bits(), ordering::<P>(Variant::OSetPmd, Ordering::Release));
        remark::<P>(format_args!("{}[{}] = {pmd}", level_name(self.at.level), self.at.index));
    }

    /// D23: a folio is counted as mapped before an entry shows it.
    fn assert_mapped(&self, pmd: PmdVal) {
        if P::CHECKED && pmd.is_huge() && self.mm.machine().huge_zero().get() != Some(pmd.pfn()) {
            let mapcount = self.mm.memory().page(pmd.pfn()).entire_mapcount();
            assert!(mapcount > 0, "D23: the entry {pmd} shows a folio that is not counted as mapped");
        }
    }

    /// Replaces the entry and returns what it held last (`pmdp_establish`, `pmdp_huge_get_and_clear`).
    pub fn exchange(&mut self, pmd: PmdVal) -> PmdVal {
        // ORDER O2: after this, hardware finds nothing to mark.
        let old = PmdVal::from_bits(
            self.mm.entry(self.at).swap(pmd.bits(), ordering::<P>(Variant::OExchangePmd, Ordering::AcqRel)),
        );
        remark::<P>(format_args!("{}[{}] = {pmd}, was {old}", level_name(self.at.level), self.at.index));
        old
    }

    /// Makes the entry useless to hardware, has every CPU forget the old one, and returns it (`pmdp_invalidate`).
    pub fn invalidate(&mut self) -> PmdVal {
        let old = self.exchange(self.get().invalidated());
        self.flush();
        old
    }

    /// Empties the entry, has every CPU forget it, and returns what it held last (`pmdp_huge_clear_flush`).
    pub(super) fn clear_flush(&mut self) -> PmdVal {
        let old = self.exchange(PmdVal::from_bits(0));
        self.flush();
        old
    }

    /// Has every CPU forget the entry (`flush_pmd_tlb_range`).
    fn flush(&self) {
        if !lacks::<P>(Variant::PmdFlush) {
            flush_tlb_of(self.mm.machine(), self.root, self.at.range::<P>());
        }
    }

    /// Counts the small pages of a kind that the entry maps or, if negative, no longer maps (`add_mm_counter`), before
    /// anybody else can see it change (D20).
    pub fn count_rss(&self, kind: RssKind, pages: i64) {
        self.mm.add_rss(kind, pages);
    }

    /// Adds rights or marks to a huge entry that holds `old` (`pmdp_set_access_flags`): on x86 only a write needs it,
    /// hardware sets A itself.
    pub(super) fn set_access_flags(&mut self, old: PmdVal, new: PmdVal) {
        if new != old {
            self.set(new);
        }
    }

    /// Changes marks of an entry that hardware may mark meanwhile, and returns what it held last
    /// (`pmdp_splitting_flush`, `pmdp_test_and_clear_young`, without the flush).
    pub fn update(&mut self, change: impl Fn(PmdVal) -> PmdVal) -> PmdVal {
        let mut old = self.get();
        // ORDER O2: a locked update, as hardware's own.
        let order = ordering::<P>(Variant::OUpdatePmd, Ordering::AcqRel);
        while let Err(now) = self.mm.entry(self.at).compare_exchange(old.bits(), change(old).bits(), order) {
            old = PmdVal::from_bits(now);
        }
        remark::<P>(format_args!("{}[{}] = {}", level_name(self.at.level), self.at.index, change(old)));
        old
    }

    /// Points the entry to a table that is filled (`pmd_populate`). The table was counted when it was deposited.
    ///
    /// # Panics
    /// If a CPU still remembers the entry as a huge one (D3, D4): it would have a small translation besides.
    pub(crate) fn populate(&mut self, table: Pfn) {
        if P::CHECKED {
            let remembered = self.mm.machine().remembered_of(self.root, self.at.range::<P>());
            if let Some(entry) = remembered.iter().find(|entry| entry.leaf.level > 1) {
                let (cpu, start) = (entry.cpu, entry.start);
                panic!("D4: {start} becomes a table, and {cpu:?} still translates it as one huge page");
            }
            self.mm.machine().judged("D4", 1);
        }
        self.set(PmdVal::table(table));
    }

    /// Keeps a table, which nobody else can reach, for the day when the entry must become one
    /// (`pgtable_trans_huge_deposit`, `mm_inc_nr_ptes`).
    pub fn deposit(&mut self, table: Pfn) {
        self.mm.memory().deposit(self.at.table, table);
        self.mm.add_tables(1);
        remark::<P>(format_args!("table {table} is deposited, pgtables_bytes += {}", P::GEOMETRY.page_size()));
    }

    /// The same with a table that the entry pointed to, and that was counted when it was linked.
    pub(crate) fn deposit_linked(&mut self, table: Pfn) {
        self.mm.memory().deposit(self.at.table, table);
        remark::<P>(format_args!("table {table} is deposited"));
    }

    /// Takes back a table that was deposited; it is empty (`pgtable_trans_huge_withdraw`).
    ///
    /// # Panics
    /// If there is none: every anonymous huge entry has one (D9).
    pub fn withdraw(&mut self) -> Pfn {
        let table = self.mm.memory().withdraw(self.at.table);
        table.expect("D9: an anonymous huge entry has a deposited table")
    }
}
