//! Counting and finding the mappings of a page (`mm/rmap.c`).

use crate::phys::{AnonVmaId, Mapping, Pfn};
use crate::platform::{Platform, enter};

use super::mm_struct::Mm;
use super::vmf::Vmf;

/// Makes a new page one of the VMA's and counts its first mapping, before an entry shows it (`folio_add_new_anon_rmap`;
/// D23, D24).
pub(super) fn folio_add_new_anon_rmap<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn, anon_vma: AnonVmaId) {
    let index = vmf.vma().linear_page_index(vmf.address);
    enter::<P>("folio_add_new_anon_rmap", format_args!("page={pfn}, anon_vma={:#x}, index={index:#x}", anon_vma.0))
        .run(
            || {
                let page = vmf.mm.memory().page(pfn);
                page.set_mapping(Mapping::Anon(anon_vma), index);
                page.add_mapcount(1);
            },
            |()| "mapcount=1".to_owned(),
        );
}

/// Counts one more mapping of a page of a file, before an entry shows it (`folio_add_file_rmap_pte`; D23). Where it is
/// found stands in the page since it is in the cache.
pub(super) fn folio_add_file_rmap<P: Platform>(mm: &Mm<P>, pfn: Pfn) {
    mm.memory().page(pfn).add_mapcount(1);
}

/// Takes one mapping of a page away, after its entry was cleared (`folio_remove_rmap_pte`).
pub fn remove_rmap<P: Platform>(mm: &Mm<P>, pfn: Pfn) {
    mm.memory().page(pfn).add_mapcount(-1);
}
