//! Huge pages in Linux 2.6.38 to 4.4 (`mm/memory.c`, `__handle_mm_fault`; `mm/huge_memory.c`).
//!
//! What differs from the path of 6.12:
//! - a huge page that is being split says so by a bit in its entry, and who meets it comes again later, or waits
//!   through the lock of the `anon_vma`, which the splitter holds;
//! - a split of the entry is a split of the folio, into pages of their own;
//! - the PTE table is allocated before the PTE is looked at, for every fault;
//! - after that the only question is whether a huge page appeared meanwhile. A huge page that disappeared meanwhile
//!   (`MADV_DONTNEED`) leaves an empty entry, which [`pte_offset_map`] takes for a table: the bug of these kernels,
//!   which 4.5 mended by reading the entry once;
//! - a write to a shared huge page copies it as a whole.
//!
//! # States of an entry
//!
//! ```text
//!   none ---> huge ---> huge, splitting ---> invalidated ---> table
//!              ^   \
//!              |    +---> none (zap)
//!              +-- huge (copied on write)
//! ```

use crate::locks::WriteGuard;
use crate::phys::{CpuId, OutOfMemory, Pfn};
use crate::platform::{Platform, enter, remark};
use crate::x86::{EntryFlags, PmdState, PmdVal};

use crate::mm::entry_at::EntryAt;
use crate::mm::fault_flags::FaultFlags;
use crate::mm::mm_struct::Mm;
use crate::mm::pte_table::pmdp_get_lockless;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vma::Vma;
use crate::mm::vmf::{FaultError, Vmf};
use crate::mm::walk::{link_table, new_table};

use super::accessed::{changed, do_huge_pmd_numa_page, huge_pmd_set_accessed};
use super::anonymous::{
    alloc_anon_folio_pmd, do_huge_pmd_anonymous_page, folio_add_new_anon_rmap_pmd, writable_huge_entry,
};
use super::eligible::{is_allowable, pages};
use super::fault::HugeFault;
use super::locked_pmd::LockedPmd;
use super::split::{fill, small_entry, split_zero};

/// Handles the fault by a huge page, if one is there or may be; else makes sure that there is a PTE table.
pub(super) fn huge_pmd_fault<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    let handled = if pmdp_get_lockless(vmf.mm, vmf.pmd).is_none() && is_allowable(vmf.vma(), vmf.address) {
        do_huge_pmd_anonymous_page(vmf)
    } else {
        fault_on_present(vmf)
    };
    match handled {
        HugeFault::Done(result) => HugeFault::Done(result),
        HugeFault::Fallback(vmf) => before_the_pte(vmf),
    }
}

fn fault_on_present<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    let orig = pmdp_get_lockless(vmf.mm, vmf.pmd);
    if !orig.is_huge() {
        return HugeFault::Fallback(vmf);
    }
    if orig.flags().contains(EntryFlags::SPLITTING) {
        remark::<P>(format_args!("the huge page is being split: the fault will come again"));
        // It comes again until the splitter is done. Waiting here for the entry to change stands for that: every time
        // it would read the same.
        P::spin_until(|| pmdp_get_lockless(vmf.mm, vmf.pmd) != orig);
        return HugeFault::Done(vmf.handled());
    }
    if orig.is_prot_none() {
        return HugeFault::Done(do_huge_pmd_numa_page(vmf, orig));
    }
    if vmf.flags.contains(FaultFlags::WRITE) && !orig.is_writable() {
        return do_huge_pmd_wp_page(vmf, orig);
    }
    HugeFault::Done(huge_pmd_set_accessed(vmf, orig))
}

/// What stands between the huge branches and the PTE. The entry is read three times, each time anew.
fn before_the_pte<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    if pmdp_get_lockless(vmf.mm, vmf.pmd).is_none() && __pte_alloc(&vmf).is_err() {
        return HugeFault::Done(vmf.failed(FaultError::Oom));
    }
    if pmdp_get_lockless(vmf.mm, vmf.pmd).is_huge() {
        remark::<P>(format_args!("a huge page materialized meanwhile: the fault will come again"));
        return HugeFault::Done(vmf.handled());
    }
    pte_offset_map(&vmf);
    HugeFault::Fallback(vmf)
}

/// Takes the entry for a table, whatever it is.
///
/// # Panics
/// If it is none: the kernel would go on with whatever lies at physical address 0.
fn pte_offset_map<P: Platform>(vmf: &Vmf<'_, P>) {
    let pmd = pmdp_get_lockless(vmf.mm, vmf.pmd);
    let is_table = matches!(pmd.state(), PmdState::Table(_));
    assert!(is_table, "D2: pte_offset_map takes the entry {pmd} for a table (M9: the bug that Linux 4.5 mended)");
}

/// Links a PTE table, unless the entry is no longer empty; if it is being split, waits for that.
fn __pte_alloc<P: Platform>(vmf: &Vmf<'_, P>) -> Result<(), OutOfMemory> {
    enter::<P>("__pte_alloc", format_args!("pmd={}", vmf.pmd)).run(
        || {
            let mine = new_table(vmf.mm, vmf.task, 1)?;
            let pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
            let now = pmd.get();
            if now.is_none() {
                link_table(vmf.mm, vmf.pmd, PmdVal::table(mine).bits());
                return Ok(());
            }
            drop(pmd);
            remark::<P>(format_args!("another fault came first: the PMD is {now}; my table is freed"));
            vmf.mm.memory().free_uncharged(vmf.task.cpu(), mine);
            if now.is_huge() && now.flags().contains(EntryFlags::SPLITTING) {
                wait_split_huge_page(vmf.vma());
            }
            Ok(())
        },
        |result| result.map_or_else(|_| "-ENOMEM".to_owned(), |()| "0".to_owned()),
    )
}

/// Waits until whoever splits a huge page of the VMA has done it.
fn wait_split_huge_page<P: Platform>(vma: &Vma<P>) {
    enter::<P>("wait_split_huge_page", format_args!("vma={vma:?}"))
        .run(|| drop(lock_anon_vma(vma)), |()| String::new());
}

fn lock_anon_vma<P: Platform>(vma: &Vma<P>) -> WriteGuard<'_, P, Vec<u64>> {
    vma.anon_vma().expect("a VMA that maps an anonymous huge page has an anon_vma").lock_write()
}

/// The locked entry, unless its page is being split: then that is waited for (`__pmd_trans_huge_lock`).
pub(super) fn unless_splitting<'m, P: Platform>(vma: &Vma<P>, pmd: LockedPmd<'m, P>) -> Option<LockedPmd<'m, P>> {
    if !pmd.get().flags().contains(EntryFlags::SPLITTING) {
        return Some(pmd);
    }
    drop(pmd);
    wait_split_huge_page(vma);
    None
}

/// Splits the huge page that the entry maps, until the entry is no longer huge: a write may replace one huge page by
/// another before the lock of the `anon_vma` is taken.
pub(super) fn split_huge_page_pmd<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, cpu: CpuId, at: EntryAt) {
    enter::<P>("split_huge_page_pmd", format_args!("pmd={at}")).run(
        || loop {
            let mut pmd = LockedPmd::lock(mm, at);
            let head = match pmd.get().state() {
                PmdState::Huge(zero) if mm.machine().huge_zero().get() == Some(zero) => {
                    return split_zero(mm, &mut pmd);
                }
                PmdState::Huge(head) => head,
                PmdState::None | PmdState::Table(_) | PmdState::NotATable => return,
            };
            mm.memory().page(head).get();
            drop(pmd);
            split_huge_page(mm, vma, at, head);
            mm.memory().put_page(cpu, head);
        },
        |()| String::new(),
    );
}

/// Splits a folio that one entry maps; another splitter may have done it already (`split_huge_page`).
fn split_huge_page<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, at: EntryAt, head: Pfn) {
    let _anon_vma = lock_anon_vma(vma);
    let mut pmd = LockedPmd::lock(mm, at);
    // Whoever split it before held the same lock. Other address spaces that map the folio are not looked for.
    if pmd.get().state() != PmdState::Huge(head) {
        return;
    }
    // __split_huge_page_splitting: from here on nobody but hardware uses the entry; the interrupts make sure of it.
    pmd.update(|pmd| pmd.with(EntryFlags::SPLITTING));
    mm.machine().shoot_down();
    drop(pmd);
    let memory = mm.memory();
    memory.frames_of_folio(head).for_each(|frame| memory.page(frame).add_mapcount(1));
    memory.page(head).add_entire_mapcount(-1);
    memory.split_folio(head);
    // __split_huge_page_map.
    let mut pmd = LockedPmd::lock(mm, at);
    let old = pmd.invalidate().without(EntryFlags::SPLITTING);
    let table = pmd.withdraw();
    fill(mm, table, |number| small_entry(old, number));
    pmd.populate(table);
}

/// A write to a huge page without the right to write: kept if one entry maps it, else copied as a whole.
///
/// Where there is no second huge page Linux copies to 512 small ones at once (`do_huge_pmd_wp_page_fallback`); here the
/// page is split, and the small page that is written to is copied.
fn do_huge_pmd_wp_page<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PmdVal) -> HugeFault<'m, P> {
    enter::<P>("do_huge_pmd_wp_page", format_args!("pmd={}, {orig}", vmf.pmd)).run(
        || {
            let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
            let is_zero = vmf.mm.machine().huge_zero().get() == Some(orig.pfn());
            if !is_zero {
                let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
                if pmd.get() != orig {
                    changed(pmd);
                    return HugeFault::Done(vmf.handled());
                }
                let page = memory.page(orig.pfn());
                if page.entire_mapcount() == 1 {
                    let mut flags = EntryFlags::ACCESSED | EntryFlags::DIRTY | EntryFlags::SOFT_DIRTY;
                    flags.set(EntryFlags::WRITABLE, vmf.vma().flags().contains(VmFlags::WRITE));
                    pmd.set_access_flags(orig, flags);
                    drop(pmd);
                    return HugeFault::Done(vmf.handled());
                }
                page.get();
            }
            let copied = copy(&vmf, orig, is_zero);
            if !is_zero {
                memory.put_page(cpu, orig.pfn());
            }
            match copied {
                Ok(()) => HugeFault::Done(vmf.handled()),
                Err(OutOfMemory) => {
                    split_huge_page_pmd(vmf.mm, vmf.vma(), cpu, vmf.pmd);
                    HugeFault::Fallback(vmf)
                }
            }
        },
        HugeFault::words,
    )
}

/// Replaces the huge page by a copy, unless the entry is no longer the one that was read.
fn copy<P: Platform>(vmf: &Vmf<'_, P>, orig: PmdVal, is_zero: bool) -> Result<(), OutOfMemory> {
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let anon_vma = vmf.vma().anon_vma().expect("a VMA that maps a huge page has one").id();
    let mine = alloc_anon_folio_pmd(vmf)?;
    if !is_zero {
        memory.copy_huge(mine, orig.pfn());
    }
    let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
    if pmd.get() != orig {
        changed(pmd);
        memory.put_page(cpu, mine);
        return Ok(());
    }
    pmd.exchange(PmdVal::from_bits(0));
    vmf.mm.machine().shoot_down();
    folio_add_new_anon_rmap_pmd(vmf, mine, anon_vma);
    memory.add_to_lru(cpu, mine);
    pmd.set(writable_huge_entry(vmf, mine));
    if is_zero {
        vmf.mm.add_rss_anon(pages::<P>());
        return Ok(());
    }
    memory.page(orig.pfn()).add_entire_mapcount(-1);
    drop(pmd);
    memory.put_page(cpu, orig.pfn());
    Ok(())
}
