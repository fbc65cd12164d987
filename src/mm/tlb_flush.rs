//! Making CPUs forget what they know of an address space's entries (`arch/x86/mm/tlb.c`), and who owes it.
//!
//! # Invariants
//! - I1 (D35). Whoever takes rights from an entry, or finds that somebody has, does not come to its end before no CPU
//!   remembers more than the entry says. [`Owed`] is the ghost of that debt.
//!
//! Every flush goes to every CPU, and each address is forgotten by itself: that Linux forgets everything instead of
//! more than 33 pages (`tlb_single_page_flush_ceiling`) is not modelled, since hardware may forget more than it must.

use crate::phys::Pfn;
use crate::platform::{Arc, Platform, enter};
use crate::x86::{EntryFlags, Machine, Remembered, VirtAddr};

use super::mm_struct::Mm;

/// Makes every CPU forget the entry of a page (`flush_tlb_page`).
pub(super) fn flush_tlb_page<P: Platform>(mm: &Mm<P>, address: VirtAddr) {
    flush_tlb_range(mm, (address, address.offset(P::GEOMETRY.page_size())));
}

/// Makes every CPU forget the entries of a range (`flush_tlb_range`).
pub fn flush_tlb_range<P: Platform>(mm: &Mm<P>, range: (VirtAddr, VirtAddr)) {
    flush_tlb_of(mm.machine(), mm.pgd(), range);
}

/// The same of the address space with this root, as whoever comes by the reverse map does it.
pub(super) fn flush_tlb_of<P: Platform>(machine: &Machine<P>, root: Pfn, (start, end): (VirtAddr, VirtAddr)) {
    enter::<P>("flush_tlb_range", format_args!("{start}-{end}"))
        .run(|| machine.flush(root, (start, end)), |()| String::new());
}

/// Makes every CPU forget all entries of an address space (`flush_tlb_mm`).
pub fn flush_tlb_mm<P: Platform>(mm: &Mm<P>) {
    let everything = (VirtAddr::ZERO, VirtAddr::user(P::GEOMETRY.task_size()));
    enter::<P>("flush_tlb_mm", format_args!("")).run(|| mm.machine().flush(mm.pgd(), everything), |()| String::new());
}

/// Ghost: what CPUs remember and the tables forbid by now. Whoever took the right away, or saw under the lock of the
/// table that it was gone, owes the flush.
#[derive(Debug)]
#[must_use = "what is owed must be paid before the system call returns"]
pub struct Owed<'m, P: Platform> {
    mm: &'m Mm<P>,
    entries: Vec<Arc<Remembered<P>>>,
}

impl<'m, P: Platform> Owed<'m, P> {
    /// Nothing so far.
    pub fn new(mm: &'m Mm<P>) -> Self {
        Self { mm, entries: Vec::new() }
    }

    /// The entries of a range are empty, or for another page, since now or since before.
    pub fn gone(&mut self, range: (VirtAddr, VirtAddr)) {
        self.add(range, |_| true);
    }

    /// The entries of a range allow no more than this, since now or since before.
    pub fn lowered(&mut self, range: (VirtAddr, VirtAddr), now: EntryFlags) {
        self.add(range, |remembered| allows_more(remembered, now));
    }

    /// Nobody may write to the pages of a range, since now or since before.
    pub fn writes(&mut self, range: (VirtAddr, VirtAddr)) {
        self.add(range, |remembered| remembered.contains(EntryFlags::WRITABLE));
    }

    fn add(&mut self, range: (VirtAddr, VirtAddr), is_stale: impl Fn(EntryFlags) -> bool) {
        if P::CHECKED {
            let remembered = self.mm.machine().remembered_of(self.mm.pgd(), range);
            self.entries.extend(remembered.into_iter().filter(|entry| is_stale(entry.leaf.flags)));
        }
    }

    /// D35: no CPU remembers any of it, and whoever made it forget is ordered before this.
    pub fn assert_paid(self, who: &'static str) {
        self.mm.machine().judged("D35", self.entries.len() as u64);
        for entry in self.entries {
            let (cpu, start) = (entry.cpu, entry.start);
            assert!(entry.is_forgotten(), "D35: {who} is over, and {cpu:?} still translates {start} as before");
        }
    }
}

/// Whether what is remembered permits an access that an entry with the flags `now` forbids.
fn allows_more(remembered: EntryFlags, now: EntryFlags) -> bool {
    let lost = remembered.difference(now);
    !now.contains(EntryFlags::PRESENT)
        || lost.intersects(EntryFlags::WRITABLE | EntryFlags::USER)
        || now.difference(remembered).contains(EntryFlags::NO_EXECUTE)
        || remembered.key() != now.key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_lost_is_owed() {
        let entry = EntryFlags::PRESENT | EntryFlags::USER | EntryFlags::NO_EXECUTE;
        let writable = entry | EntryFlags::WRITABLE;
        assert!(allows_more(writable, entry));
        assert!(!allows_more(entry, writable), "a right that was added costs a fault, and no flush");
        assert!(!allows_more(entry | EntryFlags::ACCESSED | EntryFlags::DIRTY, entry), "marks are no rights");
        assert!(allows_more(entry, EntryFlags::empty()));
        assert!(allows_more(entry, entry | EntryFlags::of_key(1)));
        assert!(allows_more(entry - EntryFlags::NO_EXECUTE, entry));
    }
}
