//! Cutting a file short (`mm/truncate.c`, `truncate_pagecache`; `mm/memory.c`, `unmap_mapping_pages`).
//!
//! ```text
//!   i_rwsem, invalidate_lock (no page is added behind our back)
//!     the new size            from here on a fault that looks finds the end
//!     unmap the range         with i_mmap read: every VMA, copies too
//!     each folio, locked:     unmap what was entered since; it leaves the file
//!     unmap the range again   copies that were made of pages that were still there (M64)
//! ```
//!
//! # Invariants
//! - I1 (D42). When it is over, no entry shows a page beyond the end, nor a copy of one.
//! - I2. A folio that leaves the file is mapped by nobody: it is locked, so nobody enters it.

use crate::mm::{AddressSpace, LockedPmd, LockedTable, Mm, Vma, find_pmd, pmdp_get_lockless};
use crate::phys::{CpuId, Mapping, Pfn};
use crate::platform::{Platform, Variant, enter, lacks, recheck, remark};
use crate::x86::VirtAddr;

use super::gather::Gather;
use super::zap::{unmap_page_range, zap_pte};

/// Gives a file a new size, in pages. What lies beyond is gone; what a larger size adds reads as zeros. `mms` are the
/// address spaces that may map it.
///
/// # Panics
/// If an address space that maps it is not among `mms`, or if the file has no room for that many pages.
pub fn truncate<P: Platform>(file: &AddressSpace<P>, mms: &[&Mm<P>], cpu: CpuId, pages: u64) {
    enter::<P>("truncate", format_args!("file={}, pages={pages}", file.id().0)).run(
        || {
            let _inode = file.i_rwsem().write();
            let _nobody_adds = file.invalidate_lock().write();
            assert!(!cuts_a_huge_folio(file, mms, pages), "a size that cuts a huge folio is not modelled: it is split");
            file.set_size_pages(pages);
            if !lacks::<P>(Variant::OrderWithAdders) {
                file.order_with_adders();
            }
            unmap_mapping_pages(file, mms, cpu, pages);
            truncate_inode_pages(file, mms, cpu, pages);
            if !lacks::<P>(Variant::M64) {
                unmap_mapping_pages(file, mms, cpu, pages);
            }
        },
        |()| "0".to_owned(),
    );
}

/// Empties every entry that shows a page from `first` on, or a copy of one (`unmap_mapping_pages` with `even_cows`).
fn unmap_mapping_pages<P: Platform>(file: &AddressSpace<P>, mms: &[&Mm<P>], cpu: CpuId, first: u64) {
    enter::<P>("unmap_mapping_pages", format_args!("file={}, from {first}", file.id().0)).run(
        || {
            let mapped = file.i_mmap().read();
            for vma in mapped.iter() {
                let Some(start) = address_of(vma, first) else { continue };
                let mut gather = Gather::new(mm_of(vma, mms), cpu);
                unmap_page_range(mm_of(vma, mms), &mut gather, vma, (start, vma.end()));
                gather.finish();
            }
        },
        |()| String::new(),
    );
}

/// Takes every page from `first` on out of the cache (`truncate_inode_pages`).
fn truncate_inode_pages<P: Platform>(file: &AddressSpace<P>, mms: &[&Mm<P>], cpu: CpuId, first: u64) {
    for index in first..file.most_pages() {
        let memory = file_memory(mms);
        let Some(pfn) = file.get_folio(memory, cpu, index) else { continue };
        file.lock_folio(memory, pfn);
        if !recheck::<P>(Variant::TruncateGone, || memory.page(pfn).mapping() != Mapping::None) {
            remark::<P>(format_args!("page {pfn} has left the file already"));
        } else {
            unmap_mapping_folio(file, mms, cpu, memory.folio_of(pfn));
            file.remove_folio(memory, cpu, pfn);
        }
        memory.folio(pfn).lock().unlock();
        memory.put_page(cpu, pfn);
    }
}

/// Whether the file's end would come to lie inside of a huge folio, which Linux splits then
/// (`truncate_inode_partial_folio`).
fn cuts_a_huge_folio<P: Platform>(file: &AddressSpace<P>, mms: &[&Mm<P>], pages: u64) -> bool {
    let memory = file_memory(mms);
    file.peek(pages).is_some_and(|pfn| memory.folio_of(pfn) != pfn)
}

/// Empties every entry that shows this folio, but not its copies (`unmap_mapping_folio`). It is locked.
fn unmap_mapping_folio<P: Platform>(file: &AddressSpace<P>, mms: &[&Mm<P>], cpu: CpuId, pfn: Pfn) {
    enter::<P>("unmap_mapping_folio", format_args!("page={pfn}")).run(
        || {
            let memory = file_memory(mms);
            let mapped = file.i_mmap().read();
            for vma in mapped.iter() {
                if memory.page(pfn).order() > 0 {
                    unmap_huge(vma, mm_of(vma, mms), cpu, pfn);
                }
                for page in memory.frames_of_folio(pfn).filter(|page| memory.page(*page).mapcount() > 0) {
                    unmap_small(vma, mm_of(vma, mms), cpu, page);
                }
            }
        },
        |()| String::new(),
    );
}

/// The address at which the VMA shows a page of its file.
fn address_at<P: Platform>(vma: &Vma<P>, index: u64) -> Option<VirtAddr> {
    address_of(vma, index).filter(|at| vma.file().is_some_and(|file| file.index(*at) == index))
}

/// Empties the huge entry that shows a folio. Where there is none, its lock is waited for: whoever takes one away may
/// have cleared the entry, and not yet uncounted the mapping.
fn unmap_huge<P: Platform>(vma: &Vma<P>, mm: &Mm<P>, cpu: CpuId, head: Pfn) {
    let address = address_at(vma, mm.memory().page(head).index());
    let Some((address, pmd)) = address.and_then(|address| Some((address, find_pmd(mm, address)?))) else { return };
    let mut gather = Gather::new(mm, cpu);
    let waits = !lacks::<P>(Variant::TruncateWaitsForPml);
    let shown = if waits { LockedPmd::lock(mm, pmd).get() } else { pmdp_get_lockless(mm, pmd) };
    if shown.is_huge() && shown.pfn() == head {
        let bytes = P::GEOMETRY.huge_page_size();
        unmap_page_range(mm, &mut gather, vma, (address, address.offset(bytes)));
    }
    gather.finish();
}

/// Empties the small entry that shows a page.
fn unmap_small<P: Platform>(vma: &Vma<P>, mm: &Mm<P>, cpu: CpuId, pfn: Pfn) {
    let Some(address) = address_at(vma, mm.memory().page(pfn).index()) else { return };
    let mut gather = Gather::new(mm, cpu);
    if let Some(mut table) = find_pmd(mm, address).and_then(|pmd| LockedTable::offset_map_lock(mm, pmd)) {
        let entry = table.get(address);
        if entry.is_none() || entry.is_present() && entry.pfn() == pfn {
            zap_pte(mm, &mut gather, &mut table, address);
        }
    }
    gather.finish();
}

/// The first address of the VMA that shows the page `first` of its file or a later one.
fn address_of<P: Platform>(vma: &Vma<P>, first: u64) -> Option<VirtAddr> {
    let file = vma.file().expect("what is linked to a file shows it");
    let start = if file.index(vma.start()) >= first { vma.start() } else { file.address(first) };
    (start < vma.end()).then_some(start)
}

fn mm_of<'m, P: Platform>(vma: &Vma<P>, mms: &[&'m Mm<P>]) -> &'m Mm<P> {
    let root = vma.file().expect("what is linked to a file shows it").root();
    mms.iter().find(|mm| mm.pgd() == root).expect("the caller names every address space that maps the file")
}

fn file_memory<'m, P: Platform>(mms: &[&'m Mm<P>]) -> &'m crate::phys::PhysMem<P> {
    mms.first().expect("a machine with a file has an address space").memory()
}
