//! The file behind every hugetlb mapping, and its page cache (`fs/hugetlbfs/inode.c`; `hugetlb_add_to_page_cache`,
//! `filemap_lock_hugetlb_folio`). Its slots are huge pages.
//!
//! Anonymous memory with `MAP_HUGETLB` is a file without a name; if it is private, nothing ever comes into its cache.
//! A file does not grow when it is mapped beyond its end: faults there get SIGBUS.

use crate::locks::Subclass;
use crate::mm::filemap::{AddressSpace, Behaviour, FaultOp, HugeFolios, MapPages, PageMkwrite, Reads};
use crate::mm::map_request::{MapFlags, MapRequest, unnamed_file};
use crate::mm::mm_struct::Mm;
use crate::mm::vma::Vma;
use crate::mm::vmf::Vmf;
use crate::phys::Pfn;
use crate::platform::{Arc, Platform, enter, remark};
use crate::x86::VirtAddr;

/// The huge page of its file that an address shows (`vma_hugecache_offset`).
pub(super) fn vma_hugecache_offset<P: Platform>(vma: &Vma<P>, address: VirtAddr) -> u64 {
    vma.linear_page_index(address.huge_start(P::GEOMETRY)) >> P::GEOMETRY.index_bits
}

/// Whether a mapping is to be of huge pages of the pool: it says so, or its file is of hugetlbfs (`is_file_hugepages`).
pub(in crate::mm) fn is_hugetlb_request<P: Platform>(request: &MapRequest<P>) -> bool {
    let is_anonymous = request.flags.contains(MapFlags::ANONYMOUS);
    let named = request.file.as_ref().filter(|_| !is_anonymous);
    match named {
        Some(file) => file.mapping.behaviour().fault == FaultOp::Hugetlb,
        None => is_anonymous && request.flags.contains(MapFlags::HUGETLB),
    }
}

/// A file without a name for the range from `start` up to `end`; it goes with its last mapping.
pub(in crate::mm) fn hugetlb_file_setup<P: Platform>(
    mm: &Mm<P>,
    (start, end): (VirtAddr, VirtAddr),
) -> Arc<AddressSpace<P>> {
    let behaviour = Behaviour {
        fault: FaultOp::Hugetlb,
        map_pages: MapPages::None,
        page_mkwrite: PageMkwrite::None,
        reads: Reads::AtOnce,
        readahead_pages: 0,
        huge: HugeFolios::Never,
    };
    let pages = (end.bytes() - start.bytes()) / P::GEOMETRY.huge_page_size();
    enter::<P>("hugetlb_file_setup", format_args!("huge pages={pages}")).run(
        || Arc::new(AddressSpace::new(unnamed_file(mm, start), pages, pages, behaviour)),
        |file| format!("file {}", file.id().0),
    )
}

/// The folio that the file has for the fault, locked and with a reference.
pub(super) fn filemap_lock_hugetlb_folio<P: Platform>(vmf: &Vmf<'_, P>) -> Option<Pfn> {
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let file = vmf.vma().file().expect("a hugetlb VMA has a file").mapping();
    let index = vma_hugecache_offset(vmf.vma(), vmf.address);
    enter::<P>("filemap_lock_hugetlb_folio", format_args!("file={}, index={index}", file.id().0)).run(
        || loop {
            let folio = file.get_folio(memory, cpu, index)?;
            // Nobody wants this one with the fault mutex to come: an anonymous folio may be held then (`hugetlb_wp`).
            file.lock_folio_as(memory, folio, Subclass::Nested);
            // Nobody takes a folio out while it is mapped, but the file may end (M26).
            if memory.page(folio).mapping() == file.mapping() {
                return Some(folio);
            }
            remark::<P>(format_args!("folio {folio} left the file meanwhile: look again"));
            put_cached(vmf, folio);
        },
        |folio| folio.map_or_else(|| "-ENOENT".to_owned(), |folio| format!("folio {folio}")),
    )
}

/// Unlocks a folio of the cache and drops the reference.
pub(super) fn put_cached<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn) {
    let memory = vmf.mm.memory();
    memory.page(folio).folio().lock().unlock();
    memory.put_page(vmf.task.cpu(), folio);
}

/// Puts a new folio into the cache, locked; the cache has a reference of its own then. The fault mutex is held, so
/// nobody else can have added one.
pub(super) fn hugetlb_add_to_page_cache<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn) {
    let file = vmf.vma().file().expect("a hugetlb VMA has a file").mapping();
    let index = vma_hugecache_offset(vmf.vma(), vmf.address);
    enter::<P>("hugetlb_add_to_page_cache", format_args!("folio={folio}, file={}, index={index}", file.id().0))
        .run(|| file.add_hugetlb_folio(vmf.mm.memory(), index, folio), |()| "0".to_owned());
}
