//! Entries get the rights that their VMA has by now (`mm/mprotect.c`, `change_protection`, `change_pmd_range`,
//! `change_pte_range`; `mm/huge_memory.c`, `change_huge_pmd`).
//!
//! # Invariants
//! - I1 (D40). An entry is exchanged, not overwritten, so no mark of hardware's is lost.
//! - I2 (D47). It keeps its page, and gets the rights of its VMA. The right to write comes back at once where a write
//!   fault would find nothing to do; else the write faults.
//! - I3 (D35). The gather hears of each entry that no CPU must remember as it was, and of each that was found empty:
//!   who emptied it may not have flushed yet.
//! - I4 (D48). A huge entry is invalidated meanwhile, not emptied: who looks at it without a lock still finds a huge
//!   page. 4.4 empties it.
//!
//! The caller holds the mmap lock for writing, and the VMA's. Who walks the reverse map may still be there.
//!
//! Not modelled: swap entries, devices' entries and markers; deferred flushes of reclaim; mmu notifiers.

use crate::mm::{
    CowReuse, EntryAt, Generation, LockedTable, Mm, VmFlags, Vma, can_change_writable, find_pmd,
    hugetlb_change_protection, pmd_trans_huge_lock, pmdp_get_lockless, split_at, under_migration,
    wants_manual_write_upgrade,
};
use crate::phys::Mapping;
use crate::platform::{Platform, Variant, enter, lacks, remark};
use crate::x86::{
    EntryFlags, PmdState, PmdVal, PteVal, VirtAddr, make_readable_exclusive_migration_entry,
    make_readable_migration_entry,
};

use super::gather::Gather;

/// Changes the entries of a VMA from `start` up to `end`.
pub(super) fn change_protection<P: Platform>(
    mm: &Mm<P>,
    vma: &Vma<P>,
    (start, end): (VirtAddr, VirtAddr),
    gather: &mut Gather<'_, P>,
) {
    enter::<P>("change_protection", format_args!("{start}-{end}, vma={vma:?}")).run(
        || {
            if vma.is_hugetlb() {
                return hugetlb_change_protection(mm, vma, (start, end));
            }
            let mut at = start;
            while at < end {
                let next = at.aligned_after(P::GEOMETRY.huge_page_size()).min(end);
                if let Some(pmd) = find_pmd(mm, at) {
                    let mut change = Change { mm, vma, gather, range: (at, next) };
                    change.change_pmd_range(pmd);
                }
                at = next;
            }
        },
        |()| String::new(),
    );
}

/// The change of what one PMD entry translates.
struct Change<'c, 'm, P: Platform> {
    mm: &'c Mm<P>,
    vma: &'c Vma<P>,
    gather: &'c mut Gather<'m, P>,
    range: (VirtAddr, VirtAddr),
}

/// The entry, or the table, is no longer what it was taken for.
struct LookAgain;

impl<P: Platform> Change<'_, '_, P> {
    /// The entry is looked at without a lock, and again if it was something else under the lock.
    fn change_pmd_range(&mut self, pmd: EntryAt) {
        loop {
            match pmdp_get_lockless(self.mm, pmd).state() {
                PmdState::None => return,
                PmdState::Huge(_) | PmdState::NotATable if self.is_whole() => {
                    if self.change_huge_pmd(pmd).is_ok() {
                        return;
                    }
                }
                PmdState::Huge(_) | PmdState::NotATable => split_at(self.mm, self.gather.cpu(), self.vma, pmd),
                PmdState::Table(_) => {}
            }
            if self.change_pte_range(pmd).is_ok() {
                return;
            }
            remark::<P>(format_args!("the table is gone: look at the PMD again"));
        }
    }

    fn is_whole(&self) -> bool {
        self.range.1.bytes() - self.range.0.bytes() == P::GEOMETRY.huge_page_size()
    }

    fn change_huge_pmd(&mut self, at: EntryAt) -> Result<(), LookAgain> {
        enter::<P>("change_huge_pmd", format_args!("pmd={at}")).run(
            || {
                let mut pmd = pmd_trans_huge_lock(self.mm, self.vma, at).ok_or(LookAgain)?;
                let now = pmd.get();
                if !now.is_huge() {
                    pmd.set(PmdVal::migration(self.readable(now.as_pte())));
                    return Ok(());
                }
                let meanwhile = match self.mm.generation() {
                    Generation::G2 => PmdVal::from_bits(0),
                    Generation::G6 => now.invalidated(),
                };
                // I1. No CPU has to forget the old entry yet: hardware marks no entry that is not present.
                let old = if lacks::<P>(Variant::HugeProtExchange) { now } else { pmd.exchange(meanwhile) };
                let new = self.changed(old.modified(self.vma.page_prot()).as_pte());
                pmd.set(PmdVal::from_bits(new.bits()));
                self.note(old.as_pte(), new, self.range);
                Ok(())
            },
            |result| result.as_ref().map_or_else(|_| "it is not huge any more", |()| "0").to_owned(),
        )
    }

    fn change_pte_range(&mut self, pmd: EntryAt) -> Result<(), LookAgain> {
        enter::<P>("change_pte_range", format_args!("pmd={pmd}, {}-{}", self.range.0, self.range.1)).run(
            || {
                let mut table = LockedTable::offset_map_lock(self.mm, pmd).ok_or(LookAgain)?;
                let size = P::GEOMETRY.page_size();
                let (start, end) = self.range;
                for address in (start.bytes()..end.bytes()).step_by(size as usize).map(VirtAddr::user) {
                    let (entry, page) = (table.get(address), (address, address.offset(size)));
                    if entry.is_none() {
                        self.gather.found_empty(page);
                    } else if entry.is_present() {
                        let taken_out = table.modify_prot_start(address);
                        let old = taken_out.entry();
                        let new = self.changed(old.modified(self.vma.page_prot()));
                        table.modify_prot_commit(address, taken_out, new);
                        self.note(old, new, page);
                    } else {
                        table.set(address, self.readable(entry));
                    }
                }
                Ok(())
            },
            |result| result.as_ref().map_or_else(|_| "-EAGAIN", |()| "0").to_owned(),
        )
    }

    /// The entry, which has the rights of the VMA, with the right to write if a write fault would only add that.
    fn changed(&self, entry: PteVal) -> PteVal {
        let upgraded = match self.mm.generation() {
            // `dirty_accountable`: a shared page of which the file knows already. A private one faults.
            Generation::G2 => {
                let is_shared = self.vma.flags().contains(VmFlags::SHARED);
                is_shared && wants_manual_write_upgrade(self.vma) && entry.is_present() && entry.is_dirty()
            }
            Generation::G6 => wants_manual_write_upgrade(self.vma) && can_change_writable(self.mm, self.vma, entry),
        };
        if upgraded && !entry.is_prot_none() { entry.writable() } else { entry }
    }

    /// An entry under migration that will come back writable will come back readable instead, and the write will fault.
    /// `mprotect` meets none here, as fork does not: whoever moves a page holds the mmap lock, or the VMA's, to the
    /// end.
    fn readable(&self, entry: PteVal) -> PteVal {
        let moving = under_migration(entry);
        let moving = moving.unwrap_or_else(|| panic!("{entry:?}: no actor swaps pages"));
        remark::<P>(format_args!("the page is under migration"));
        let memory = self.mm.memory();
        let is_anon = matches!(memory.page(memory.folio_of(moving)).mapping(), Mapping::Anon(_));
        match self.mm.generation().cow_reuse() {
            CowReuse::AnonExclusive if is_anon => make_readable_exclusive_migration_entry(entry),
            CowReuse::AnonExclusive | CowReuse::MapCount => make_readable_migration_entry(entry),
        }
    }

    /// Notes what CPUs have to forget (I3). 4.4 flushes whatever it touched.
    fn note(&mut self, old: PteVal, new: PteVal, range: (VirtAddr, VirtAddr)) {
        self.gather.now_allow(range, new.flags());
        let needed = match self.mm.generation() {
            Generation::G2 => Some(self.range),
            Generation::G6 => needs_flush(old.flags(), new.flags()).then_some(range),
        };
        if let Some(range) = needed.filter(|_| !lacks::<P>(Variant::MprotectFlush)) {
            self.gather.must_flush(range);
        }
    }
}

/// Whether a CPU that remembers `old` has to forget it (`pte_needs_flush`, `huge_pmd_needs_flush`): it remembers no
/// entry that was not present, and a mark that is cleared must be set again. That Linux flushes a small entry whose
/// Accessed mark alone was cleared no more than it must is of no matter: nothing here clears it.
fn needs_flush(old: EntryFlags, new: EntryFlags) -> bool {
    let on_clear = EntryFlags::DIRTY | EntryFlags::PRESENT | EntryFlags::ACCESSED;
    let on_change = EntryFlags::WRITABLE
        | EntryFlags::USER
        | EntryFlags::WRITE_THROUGH
        | EntryFlags::CACHE_DISABLED
        | EntryFlags::HUGE
        | EntryFlags::GLOBAL
        | EntryFlags::KEY
        | EntryFlags::NO_EXECUTE;
    let changed = old.symmetric_difference(new);
    old.contains(EntryFlags::PRESENT)
        && (changed.intersects(on_change) || changed.intersection(old).intersects(on_clear))
}
