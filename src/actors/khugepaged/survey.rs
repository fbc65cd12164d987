//! Looking at the entries of a table, one after the other: whether a huge page would be worth it, and possible.
//!
//! The scan asks without any lock but the table's, and once more when nobody can use the table any longer.

use crate::mm::{CowReuse, Mm};
use crate::phys::{Mapping, Pfn};
use crate::platform::{Platform, Variant, recheck, remark};
use crate::x86::{EntryFlags, PteVal};

use super::collapser::Collapser;
use super::scan_result::NotCollapsed;

/// What an entry adds to a huge page.
pub(super) enum Part {
    /// Zeros.
    Hole,
    /// The contents of a page.
    Page(Pfn),
}

/// What the entries come to so far.
pub(super) struct Survey<'m, P: Platform> {
    mm: &'m Mm<P>,
    by: Collapser,
    none_or_zero: usize,
    shared: usize,
    writable: usize,
    referenced: usize,
}

impl<'m, P: Platform> Survey<'m, P> {
    pub(super) fn new(mm: &'m Mm<P>, by: Collapser) -> Self {
        Self { mm, by, none_or_zero: 0, shared: 0, writable: 0, referenced: 0 }
    }

    /// Takes one more entry into account.
    pub(super) fn look(&mut self, entry: PteVal) -> Result<Part, NotCollapsed> {
        if is_hole(self.mm, entry) {
            self.none_or_zero += 1;
            let is_too_much = self.none_or_zero > self.by.max_ptes_none::<P>();
            return if is_too_much { Err(NotCollapsed::ExceedNonePte) } else { Ok(Part::Hole) };
        }
        if !entry.is_present() {
            return Err(NotCollapsed::PteNonPresent);
        }
        if entry.is_special() {
            return Err(NotCollapsed::PageNull);
        }
        let head = self.mm.memory().folio_of(entry.pfn());
        if !matches!(self.mm.memory().page(head).mapping(), Mapping::Anon(_)) {
            return Err(NotCollapsed::PageAnon);
        }
        if is_likely_mapped_shared(self.mm, head) {
            self.shared += 1;
            if self.shared > self.by.max_ptes_shared::<P>() {
                return Err(NotCollapsed::ExceedSharedPte);
            }
        }
        self.writable += usize::from(entry.is_writable());
        self.referenced += usize::from(entry.flags().contains(EntryFlags::ACCESSED));
        Ok(Part::Page(entry.pfn()))
    }

    /// What all of them come to. Of entries that are not present somebody has counted `unmapped`.
    pub(super) fn conclude(&self, unmapped: usize) -> Result<(), NotCollapsed> {
        let Self { none_or_zero, shared, writable, referenced, .. } = self;
        remark::<P>(format_args!(
            "none or zero: {none_or_zero}, shared: {shared}, writable: {writable}, referenced: {referenced}"
        ));
        if self.writable == 0 {
            return Err(NotCollapsed::PageRo);
        }
        let is_cold = self.referenced == 0 || unmapped > 0 && self.referenced < P::GEOMETRY.entries() / 2;
        match self.by {
            Collapser::Khugepaged if is_cold => Err(NotCollapsed::LackReferencedPage),
            Collapser::Khugepaged | Collapser::Madvise => Ok(()),
        }
    }
}

/// An entry that is empty or shows the zero page.
pub(super) fn is_hole<P: Platform>(mm: &Mm<P>, entry: PteVal) -> bool {
    entry.is_none() || entry.is_present() && entry.pfn() == mm.machine().zero_page()
}

/// Nobody refers to the folio but who maps it (`is_refcount_suitable`; M47). In 4.4 nobody but the one entry.
pub(super) fn is_refcount_suitable<P: Platform>(mm: &Mm<P>, head: Pfn) -> bool {
    recheck::<P>(Variant::M47, || {
        let mapped = match mm.generation().cow_reuse() {
            CowReuse::MapCount => 1,
            CowReuse::AnonExclusive => mapcount(mm, head),
        };
        mm.memory().page(head).refcount_after_puts().cast_signed() == mapped
    })
}

/// Entries that map any page of the folio (`folio_mapcount`).
fn mapcount<P: Platform>(mm: &Mm<P>, head: Pfn) -> i64 {
    let memory = mm.memory();
    let entire = if memory.page(head).order() > 0 { memory.page(head).entire_mapcount() } else { 0 };
    entire + memory.frames_of_folio(head).map(|frame| memory.page(frame).mapcount()).sum::<i64>()
}

/// Whether somebody else seems to map the folio: of a large one, only the first page is asked
/// (`folio_likely_mapped_shared`).
fn is_likely_mapped_shared<P: Platform>(mm: &Mm<P>, head: Pfn) -> bool {
    let page = mm.memory().page(head);
    if page.order() == 0 {
        return page.mapcount() > 1;
    }
    let all = mapcount(mm, head);
    all > 1 && (page.entire_mapcount() > 0 || all > 1 << page.order() || page.mapcount() > 1)
}
