//! The entry of a huge page of a hugetlb mapping (`huge_pte_alloc`, `hugetlb_walk`, `huge_pte_lock`): the PMD entry
//! itself.
//!
//! # Invariants
//! - I1. An entry changes only while the lock of its table is held; a [`HugePteLock`] is the proof. Hardware sets A and
//!   D besides, by atomic updates.
//!
//! # Memory ordering
//! - O1. `set` stores with `Release`: it publishes the folio's contents. `peek` loads with `Acquire`, as hardware.
//! - O2. `exchange` is `AcqRel`: what hardware marked until then is returned.

use std::panic::Location;

use crate::locks::{LockClass, LockKey, SpinGuard};
use crate::mm::entry_at::EntryAt;
use crate::mm::mm_struct::Mm;
use crate::mm::task::Task;
use crate::mm::vma::Vma;
use crate::mm::walk::pmd_of;
use crate::phys::{OutOfMemory, Pfn, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, enter, ordering, remark};
use crate::x86::{EntryFlags, PmdVal, TableVal, VirtAddr, level_name};

/// The entry of an address, with the tables above it.
pub(super) fn huge_pte_alloc<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr) -> Result<EntryAt, OutOfMemory> {
    enter::<P>("huge_pte_alloc", format_args!("address={address}"))
        .run(|| pmd_of(mm, task, address), |result| result.map_or_else(|_| "NULL".to_owned(), |at| at.to_string()))
}

/// The entry of an address below a root table, if all tables above it exist (`hugetlb_walk`).
pub(super) fn hugetlb_walk<P: Platform>(memory: &PhysMem<P>, root: Pfn, address: VirtAddr) -> Option<EntryAt> {
    let mut at = EntryAt::of::<P>(root, P::GEOMETRY.levels, address);
    while at.level > 2 {
        // ORDER O1: pairs with `link_table`.
        let entry = TableVal::from_bits(
            memory.word(at.table, at.index).load(ordering::<P>(Variant::OWalkHugePte, Ordering::Acquire)),
        );
        at = EntryAt::of::<P>(entry.target()?, at.level - 1, address);
    }
    Some(at)
}

/// Reads an entry without the lock (`huge_ptep_get`).
pub(super) fn peek<P: Platform>(memory: &PhysMem<P>, at: EntryAt) -> PmdVal {
    // ORDER O1: pairs with `set`.
    let order = ordering::<P>(Variant::OReadHugePte, Ordering::Acquire);
    PmdVal::from_bits(memory.word(at.table, at.index).load(order))
}

/// An entry whose table is locked (`huge_pte_lock`).
pub(super) struct HugePteLock<'m, P: Platform> {
    memory: &'m PhysMem<P>,
    at: EntryAt,
    _ptl: SpinGuard<'m, P, ()>,
}

impl<'m, P: Platform> HugePteLock<'m, P> {
    /// Waits for the lock.
    #[track_caller]
    pub(super) fn lock(memory: &'m PhysMem<P>, at: EntryAt) -> Self {
        Self::lock_as(memory, at, LockKey::of(LockClass::Pml))
    }

    /// As [`HugePteLock::lock`], with another table locked: the caller knows why nobody locks them the other way round.
    #[track_caller]
    pub(super) fn lock_nested(memory: &'m PhysMem<P>, at: EntryAt) -> Self {
        Self::lock_as(memory, at, LockKey::nested(LockClass::Pml))
    }

    #[track_caller]
    fn lock_as(memory: &'m PhysMem<P>, at: EntryAt, key: LockKey) -> Self {
        Self { memory, at, _ptl: memory.page(at.table).ptl().lock_as(key, Location::caller()) }
    }

    /// The entry.
    pub(super) fn get(&self) -> PmdVal {
        // ORDER none: by I1 nobody else writes; hardware only adds A and D.
        PmdVal::from_bits(self.memory.word(self.at.table, self.at.index).load(Ordering::Relaxed))
    }

    /// Whether the entry is still the one that was read (`pte_same`).
    pub(super) fn is_still(&self, orig: PmdVal) -> bool {
        let now = self.get();
        if now != orig {
            remark::<P>(format_args!("the entry changed meanwhile: it is {now} now, and the access will tell"));
        }
        now == orig
    }

    /// Sets the entry (`set_huge_pte_at`): over an empty one, or to add rights and marks.
    pub(super) fn set(&mut self, entry: PmdVal) {
        if P::CHECKED {
            let mapcount = self.memory.page(entry.pfn()).entire_mapcount();
            assert!(mapcount > 0, "D23: the entry {entry} shows a folio that is not counted as mapped");
        }
        // ORDER O1: pairs with `peek` and the hardware walk.
        self.memory
            .word(self.at.table, self.at.index)
            .store(entry.bits(), ordering::<P>(Variant::OSetHugePte, Ordering::Release));
        self.tell(entry);
    }

    /// Empties the entry and returns what it held last (`huge_ptep_get_and_clear`).
    pub(super) fn clear(&mut self) -> PmdVal {
        // ORDER O2: after this, hardware finds nothing to mark.
        let old = self
            .memory
            .word(self.at.table, self.at.index)
            .swap(0, ordering::<P>(Variant::OClearHugePte, Ordering::AcqRel));
        self.tell(PmdVal::from_bits(0));
        PmdVal::from_bits(old)
    }

    /// Takes the right to write away, and keeps what hardware marks meanwhile (`huge_ptep_set_wrprotect`).
    pub(super) fn set_wrprotect(&mut self) -> PmdVal {
        let mut old = self.get();
        loop {
            let new = old.write_protected();
            let word = self.memory.word(self.at.table, self.at.index);
            // ORDER O2: a locked update, as hardware's own.
            let order = ordering::<P>(Variant::OHugeWrprotect, Ordering::AcqRel);
            match word.compare_exchange(old.bits(), new.bits(), order) {
                Ok(_) => {
                    self.tell(new);
                    return new;
                }
                Err(now) => old = PmdVal::from_bits(now),
            }
        }
    }

    fn tell(&self, entry: PmdVal) {
        remark::<P>(format_args!("{}[{}] = {entry}", level_name(self.at.level), self.at.index));
    }
}

/// Whether a new entry may be written through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It may.
    Write,
    /// A write is to fault first.
    Read,
}

/// An entry for a folio (`make_huge_pte`).
pub(super) fn make_huge_pte<P: Platform>(vma: &Vma<P>, folio: Pfn, access: Access) -> PmdVal {
    let entry = PmdVal::huge(folio, vma.page_prot() | EntryFlags::ACCESSED);
    match access {
        Access::Write => entry.dirty_and_writable(),
        Access::Read => entry.write_protected(),
    }
}
