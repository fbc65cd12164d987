//! A write to a huge page without the right to write in Linux 2.6.38 to 4.4 (`do_huge_pmd_wp_page`): the page is kept
//! if one entry maps it, else copied as a whole; where there is no second huge page, to small ones; and where there are
//! not even those, it is split and only the page that is written to is copied.
//!
//! # Invariants
//! - I1 (D15). A copy is made without a lock, so the entry is compared again before it is replaced.
//! - I2 (M20). The entry is empty, and every CPU interrupted, before another one shows the copy.
//!
//! A read of the empty entry meanwhile leads to the lock of the table, behind which the copy is found.

use crate::phys::{OutOfMemory, PageState, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PmdVal, PteVal};

use crate::mm::handle_pte_fault::maybe_mkwrite;
use crate::mm::mm_struct::RssKind;
use crate::mm::rmap::folio_add_new_anon_rmap_at;
use crate::mm::vma::Vma;
use crate::mm::vmf::Vmf;

use super::accessed::changed;
use super::anonymous::{alloc_anon_folio_pmd, folio_add_new_anon_rmap_pmd, writable_huge_entry};
use super::eligible::pages;
use super::fault::HugeFault;
use super::linux_4_4::anon_vma_of;
use super::locked_pmd::LockedPmd;
use super::split::fill;
use super::split_4_4::{split_huge_page, split_huge_page_pmd};
use super::wp_page::reused;

/// Gives the writer a page that it may write to. 4.4 answers `VM_FAULT_WRITE`, which only GUP reads; here it is 0.
pub(super) fn do_huge_pmd_wp_page<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> HugeFault<'m, P> {
    enter::<P>("do_huge_pmd_wp_page", format_args!("pmd={}, {orig}", vmf.pmd)).run(
        || {
            if vmf.mm.machine().huge_zero().get() == Some(orig.pfn()) {
                if let Err(OutOfMemory) = copy(&vmf, orig, Source::Zero) {
                    split_huge_page_pmd(vmf.mm, vmf.vma(), vmf.task.cpu(), vmf.pmd);
                    return HugeFault::Fallback(vmf);
                }
                return HugeFault::Done(vmf.handled());
            }
            wp_folio(vmf, orig)
        },
        HugeFault::words,
    )
}

/// What is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The huge zero page: nothing, a cleared page is the same.
    Zero,
    /// A folio to which the caller has a reference.
    Folio,
}

fn wp_folio<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> HugeFault<'m, P> {
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
    if !recheck::<P>(Variant::CopyFirst44, || pmd.get() == orig) {
        changed(pmd);
        return HugeFault::Done(vmf.handled());
    }
    let page = memory.page(orig.pfn());
    if page.entire_mapcount_after_removals() == 1 {
        remark::<P>(format_args!("no other entry maps the page"));
        pmd.set_access_flags(orig, reused(&vmf, orig));
        drop(pmd);
        return HugeFault::Done(vmf.handled());
    }
    page.get();
    let anon_vma = anon_vma_of(vmf.mm, vmf.vma(), orig.pfn());
    drop(pmd);
    let copied = copy(&vmf, orig, Source::Folio).or_else(|OutOfMemory| do_huge_pmd_wp_page_fallback(&vmf, orig));
    let result = match copied {
        Ok(()) => HugeFault::Done(vmf.handled()),
        Err(OutOfMemory) => {
            split_huge_page(vmf.mm, &anon_vma, orig.pfn());
            HugeFault::Fallback(vmf)
        }
    };
    memory.put_page(cpu, orig.pfn());
    result
}

/// Replaces the huge page by a copy, unless the entry is no longer the one that was read.
fn copy<P: Platform>(vmf: &Vmf<'_, P>, orig: PmdVal, source: Source) -> Result<(), OutOfMemory> {
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let anon_vma = vmf.vma().anon_vma().expect("a VMA that maps a huge page has one").id();
    let mine = alloc_anon_folio_pmd(vmf)?;
    if source == Source::Folio {
        memory.copy_huge(mine, orig.pfn());
    }
    let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
    // pmd_same (I1).
    if !recheck::<P>(Variant::CopySame44, || pmd.get() == orig) {
        changed(pmd);
        memory.put_page(cpu, mine);
        return Ok(());
    }
    pmd.clear_flush();
    folio_add_new_anon_rmap_pmd(vmf, mine, anon_vma);
    memory.add_to_lru(cpu, mine);
    pmd.set(writable_huge_entry(vmf.vma(), mine));
    match source {
        Source::Zero => {
            pmd.count_rss(RssKind::Anon, pages::<P>());
            drop(pmd);
        }
        Source::Folio => {
            memory.page(orig.pfn()).add_entire_mapcount(-1);
            drop(pmd);
            memory.put_page(cpu, orig.pfn());
        }
    }
    Ok(())
}

/// Replaces the huge page by copies of its pages, in the table that was deposited for it.
fn do_huge_pmd_wp_page_fallback<P: Platform>(vmf: &Vmf<'_, P>, orig: PmdVal) -> Result<(), OutOfMemory> {
    enter::<P>("do_huge_pmd_wp_page_fallback", format_args!("pmd={}, {orig}", vmf.pmd)).run(
        || {
            let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
            let mine = alloc_small(vmf)?;
            for (to, from) in mine.iter().zip(orig.pfn().number()..) {
                memory.copy_page(*to, Pfn::truncate(from));
            }
            let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
            // pmd_same (I1).
            if !recheck::<P>(Variant::FallbackSame44, || pmd.get() == orig) {
                changed(pmd);
                mine.into_iter().for_each(|page| memory.put_page(cpu, page));
                return Ok(());
            }
            pmd.clear_flush();
            let table = pmd.withdraw();
            map_small(vmf, &mine);
            fill(vmf.mm, table, |number| small_writable(vmf.vma(), mine[number as usize]));
            pmd.populate(table);
            memory.page(orig.pfn()).add_entire_mapcount(-1);
            drop(pmd);
            memory.put_page(cpu, orig.pfn());
            Ok(())
        },
        |result| result.map_or_else(|_| "VM_FAULT_OOM".to_owned(), |()| "0".to_owned()),
    )
}

/// As many small pages as a huge one has, each charged; all or none.
fn alloc_small<P: Platform>(vmf: &Vmf<'_, P>) -> Result<Vec<Pfn>, OutOfMemory> {
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let mut mine = Vec::new();
    for _ in 0..pages::<P>() {
        let page = memory.alloc_page(cpu, PageState::User);
        let charged = page.and_then(|page| match memory.memcg().charge(cpu) {
            Ok(()) => Ok(page),
            Err(_) => {
                memory.free_uncharged(cpu, page);
                Err(OutOfMemory)
            }
        });
        match charged {
            Ok(page) => mine.push(page),
            Err(OutOfMemory) => {
                mine.into_iter().for_each(|page| memory.put_page(cpu, page));
                return Err(OutOfMemory);
            }
        }
    }
    Ok(mine)
}

/// Counts the copies as mapped, before entries show them (D23).
fn map_small<P: Platform>(vmf: &Vmf<'_, P>, mine: &[Pfn]) {
    let anon_vma = vmf.vma().anon_vma().expect("a VMA that maps a huge page has one").id();
    let first = vmf.vma().linear_page_index(vmf.address.huge_start(P::GEOMETRY));
    for (index, page) in (first..).zip(mine) {
        folio_add_new_anon_rmap_at(vmf.mm, *page, anon_vma, index);
        vmf.mm.memory().add_to_lru(vmf.task.cpu(), *page);
    }
}

/// The entry of a copy: written, and writable if the VMA is (`maybe_mkwrite(pte_mkdirty(mk_pte(...)))`).
fn small_writable<P: Platform>(vma: &Vma<P>, page: Pfn) -> PteVal {
    maybe_mkwrite(vma, PteVal::new(page, vma.page_prot()).with(EntryFlags::ACCESSED).dirtied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::Protection;
    use crate::platform::{Native, X86_64};
    use crate::x86::VirtAddr;

    #[test]
    fn a_copy_is_written_whether_the_vma_may_be_written_or_not() {
        let page = Pfn::truncate(3);
        for rights in [Protection::READ, Protection::READ | Protection::WRITE] {
            let vma = Vma::<Native<X86_64>>::new(VirtAddr::ZERO, VirtAddr::user(0x20_0000), rights.vm_flags());
            let (small, huge) = (small_writable(&vma, page), writable_huge_entry(&vma, page));
            assert_eq!(small.flags(), huge.flags() - EntryFlags::HUGE, "{rights:?}");
            assert!(small.is_dirty() && small.is_writable() == rights.contains(Protection::WRITE), "{small}");
        }
    }
}
