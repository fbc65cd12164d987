//! Counting and finding the mappings of a page (`mm/rmap.c`).

use crate::phys::{AnonVmaId, Mapping, Page, Pfn};
use crate::platform::{Platform, enter};

use super::generation::CowReuse;
use super::mm_struct::Mm;
use super::vmf::Vmf;

/// Makes a new page one of the VMA's and counts its first mapping, before an entry shows it (`folio_add_new_anon_rmap`;
/// D23, D24). Nobody else has ever seen the page, so it is exclusive.
pub(super) fn folio_add_new_anon_rmap<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn, anon_vma: AnonVmaId) {
    folio_add_new_anon_rmap_at(vmf.mm, pfn, anon_vma, vmf.vma().linear_page_index(vmf.address));
}

/// The same for a page that is to be found at `index`.
pub(super) fn folio_add_new_anon_rmap_at<P: Platform>(mm: &Mm<P>, pfn: Pfn, anon_vma: AnonVmaId, index: u64) {
    enter::<P>("folio_add_new_anon_rmap", format_args!("page={pfn}, anon_vma={:#x}, index={index:#x}", anon_vma.0))
        .run(
            || {
                let page = mm.memory().page(pfn);
                page.set_mapping(Mapping::Anon(anon_vma), index);
                match mm.generation().cow_reuse() {
                    CowReuse::AnonExclusive => page.set_anon_exclusive(),
                    CowReuse::MapCount => {}
                }
                page.add_mapcount(1);
            },
            |()| "mapcount=1".to_owned(),
        );
}

/// Makes a page that one entry maps a page of this VMA alone: its new pages come from the same `anon_vma`
/// (`folio_move_anon_rmap`). The folio lock is held, and so is the lock of the table.
pub(super) fn folio_move_anon_rmap<P: Platform>(vmf: &Vmf<'_, P>, page: &Page<P>) {
    let anon_vma = vmf.vma().anon_vma().expect("a VMA that maps an anonymous page has an anon_vma");
    page.set_mapping(Mapping::Anon(anon_vma.id()), page.index());
}

/// Counts the mapping that a fork adds; from then on neither process has the page for itself
/// (`folio_try_dup_anon_rmap_pte`). The locks of both tables are held, and GUP-fast is fenced off (D29). A page that
/// somebody has pinned would have to be copied instead, but nobody pins pages here.
pub fn dup_anon_rmap<P: Platform>(parent: &Mm<P>, pfn: Pfn) {
    let page = parent.memory().page(pfn);
    if page.is_anon_exclusive() {
        parent.assert_write_protecting();
        page.clear_anon_exclusive();
    }
    page.add_mapcount(1);
}

/// The same for the huge entry that a fork adds, of the hugetlb pool's too (`folio_try_dup_anon_rmap_pmd`,
/// `hugetlb_try_dup_anon_rmap`). The locks of both PMD tables are held.
pub(super) fn dup_anon_rmap_pmd<P: Platform>(parent: &Mm<P>, head: Pfn) {
    let page = parent.memory().page(head);
    if page.is_anon_exclusive() {
        parent.assert_write_protecting();
        page.clear_anon_exclusive();
    }
    page.add_entire_mapcount(1);
}

/// Counts one more mapping of a page of a file, before an entry shows it (`folio_add_file_rmap_pte`; D23). Where it is
/// found stands in the page since it is in the cache.
pub fn folio_add_file_rmap<P: Platform>(mm: &Mm<P>, pfn: Pfn) {
    mm.memory().page(pfn).add_mapcount(1);
}

/// The same for a huge entry (`folio_add_file_rmap_pmd`).
pub(super) fn folio_add_file_rmap_pmd<P: Platform>(mm: &Mm<P>, head: Pfn) {
    mm.memory().page(head).add_entire_mapcount(1);
}

/// Takes one mapping of a page away, after its entry was cleared (`folio_remove_rmap_pte`).
pub fn remove_rmap<P: Platform>(mm: &Mm<P>, pfn: Pfn) {
    mm.memory().page(pfn).add_mapcount(-1);
}
