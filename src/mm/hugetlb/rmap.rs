//! Counting the mappings of huge pages of the pool (`include/linux/rmap.h`, `hugetlb_add_file_rmap` and its kin). They
//! are on no LRU list and count in no RSS.

use crate::mm::generation::CowReuse;
use crate::mm::vmf::Vmf;
use crate::phys::{AnonVmaId, Mapping, Pfn, PhysMem};
use crate::platform::{Platform, enter};

/// Makes a new folio one of the VMA's and counts the entry that will map it; nobody else has ever seen it, so it is
/// exclusive.
pub(super) fn hugetlb_add_new_anon_rmap<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn, anon_vma: AnonVmaId) {
    enter::<P>("hugetlb_add_new_anon_rmap", format_args!("folio={folio}, anon_vma={:#x}", anon_vma.0)).run(
        || {
            let page = vmf.mm.memory().page(folio);
            page.set_mapping(Mapping::Anon(anon_vma), vmf.vma().linear_page_index(vmf.address));
            page.add_entire_mapcount(1);
            set_exclusive(vmf, folio);
        },
        |()| "entire mapcount=1".to_owned(),
    );
}

/// Makes a folio that one entry maps the VMA's alone (`folio_move_anon_rmap`, `SetPageAnonExclusive`).
pub(super) fn make_exclusive<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn) {
    let page = vmf.mm.memory().page(folio);
    if !page.is_anon_exclusive() {
        let anon_vma = vmf.vma().anon_vma().expect("a VMA that maps an anonymous page has an anon_vma");
        page.set_mapping(Mapping::Anon(anon_vma.id()), page.index());
        set_exclusive(vmf, folio);
    }
}

fn set_exclusive<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn) {
    match vmf.mm.generation().cow_reuse() {
        CowReuse::AnonExclusive => vmf.mm.memory().page(folio).set_anon_exclusive(),
        CowReuse::MapCount => {}
    }
}

/// Counts one more entry for a folio of the page cache.
pub(super) fn hugetlb_add_file_rmap<P: Platform>(memory: &PhysMem<P>, folio: Pfn) {
    memory.page(folio).add_entire_mapcount(1);
}

/// Uncounts an entry, after it was cleared.
pub(super) fn hugetlb_remove_rmap<P: Platform>(memory: &PhysMem<P>, folio: Pfn) {
    memory.page(folio).add_entire_mapcount(-1);
}
