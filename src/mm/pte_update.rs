//! Updates of live entries, which hardware may be marking at the same time (`arch/x86/include/asm/pgtable.h`).
//!
//! # Invariants
//! - I1 (D40). What hardware sets in an entry is never lost: whoever takes rights away exchanges the entry, or changes
//!   it only if it is still the one that was read. A plain store may only add rights, with A and D set.
//!
//! # Memory ordering
//! - O1. Both updates are `AcqRel`: they see what hardware marked, and whoever reads the entry sees the page.

use crate::platform::{AtomicWord, Ordering, Platform, Variant, enter, lacks, ordering, recheck, remark};
use crate::x86::{EntryFlags, PteVal, VirtAddr};

use super::generation::CowReuse;
use super::mm_struct::Mm;
use super::pte_table::LockedTable;
use super::tlb_flush::{Owed, flush_tlb_page};

/// An entry that was taken out of its table, to be put back with other rights (`ptep_modify_prot_start`).
#[must_use = "the page is unmapped until the entry is put back"]
pub(crate) struct TakenOut(PteVal);

impl TakenOut {
    /// What the entry was in the end.
    pub(crate) fn entry(&self) -> PteVal {
        self.0
    }
}

impl<P: Platform> LockedTable<'_, P> {
    /// Takes the right to write away (`ptep_set_wrprotect`).
    pub(crate) fn set_wrprotect(&mut self, address: VirtAddr) {
        // ORDER none: hardware only adds marks, and then the exchange below fails.
        let mut seen = self.word(address).load(Ordering::Relaxed);
        // ORDER O1.
        while let Err(now) = self.word(address).compare_exchange(
            seen,
            PteVal::from_bits(seen).write_protected().bits(),
            ordering::<P>(Variant::OWrprotect, Ordering::AcqRel),
        ) {
            seen = now;
        }
        remark::<P>(format_args!("write-protect: PTE = {}", PteVal::from_bits(seen).write_protected()));
    }

    /// Takes the entry out: until it is put back, hardware finds nothing to mark (`ptep_modify_prot_start`).
    pub(crate) fn modify_prot_start(&mut self, address: VirtAddr) -> TakenOut {
        if lacks::<P>(Variant::ModifyProt) {
            return TakenOut(self.get(address));
        }
        TakenOut(self.clear(address))
    }

    /// Puts an entry back in the place of the one that was taken out (`ptep_modify_prot_commit`).
    pub(crate) fn modify_prot_commit(&mut self, address: VirtAddr, taken_out: TakenOut, pte: PteVal) {
        let TakenOut(old) = taken_out;
        assert!(old.pfn() == pte.pfn(), "D47: a change of rights made {old} into {pte}, another page");
        self.set(address, pte);
    }

    /// Takes every right away but keeps the page (`pte_modify(entry, PAGE_NONE)`). 4.4 leaves the right to write in the
    /// entry, where hardware does not see it, to find it again.
    pub(crate) fn mark_prot_none(&mut self, address: VirtAddr, reuse: CowReuse) {
        let taken_out = self.modify_prot_start(address);
        let rights = EntryFlags::PROT_NONE | EntryFlags::ACCESSED;
        let kept = match reuse {
            CowReuse::MapCount => taken_out.entry().flags() & EntryFlags::WRITABLE,
            CowReuse::AnonExclusive => EntryFlags::empty(),
        };
        let marked = taken_out.entry().modified(rights | kept);
        self.modify_prot_commit(address, taken_out, marked);
    }

    /// Adds rights to a present entry (`ptep_set_access_flags`). No flush: a CPU that remembers fewer rights faults
    /// once.
    pub(super) fn set_access_flags(&mut self, address: VirtAddr, pte: PteVal) {
        self.set(address, pte);
    }
}

/// Clears the entry and has every CPU forget the old one (M20), so that old and new are never visible together
/// (`ptep_clear_flush`).
pub(super) fn ptep_clear_flush<P: Platform>(mm: &Mm<P>, table: &mut LockedTable<'_, P>, address: VirtAddr) -> PteVal {
    enter::<P>("ptep_clear_flush", format_args!("address={address}")).run(
        || {
            let old = table.clear(address);
            flush_old(mm, address, old);
            old
        },
        |old| old.to_string(),
    )
}

/// What was in the entry until now, CPUs may remember, and must forget.
pub(super) fn flush_old<P: Platform>(mm: &Mm<P>, address: VirtAddr, old: PteVal) {
    let mut owed = Owed::new(mm);
    owed.gone((address, address.offset(P::GEOMETRY.page_size())));
    if pte_accessible(mm, old) && !lacks::<P>(Variant::M20) {
        flush_tlb_page(mm, address);
    }
    owed.assert_paid("ptep_clear_flush");
}

/// Whether a CPU may remember the entry: one that allows nothing was flushed when it was marked, or is about to be
/// (`pte_accessible`).
fn pte_accessible<P: Platform>(mm: &Mm<P>, entry: PteVal) -> bool {
    let is_open = entry.flags().contains(EntryFlags::PRESENT);
    let is_flushed = || recheck::<P>(Variant::ProtNonePending, || !mm.tlb_flush_pending().is_pending());
    is_open || entry.is_prot_none() && !is_flushed()
}
