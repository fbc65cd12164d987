//! Huge pages in Linux 2.6.38 to 4.4 (`mm/memory.c`, `__handle_mm_fault`; `mm/huge_memory.c`).
//!
//! What differs from the path of 6.12:
//! - a huge page that is being split says so by a bit in its entry, and who meets it comes again later, or waits
//!   through the lock of the `anon_vma`, which the splitter holds;
//! - a split of the entry is a split of the folio, into pages of their own;
//! - the PTE table is allocated before the PTE is looked at, for every fault;
//! - after that the only question was whether a huge page appeared meanwhile. A huge page that disappeared meanwhile
//!   (`MADV_DONTNEED`) leaves an empty entry, which [`pte_offset_map`] took for a table: the bug of these kernels,
//!   which 4.5 mended by asking whether the entry is a table (`pmd_trans_unstable`), and 4.4.5 with it. Without M9 it
//!   is there;
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

use crate::phys::{Mapping, OutOfMemory, Pfn};
use crate::platform::{Arc, Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PmdState, PmdVal};

use crate::mm::anon_vma::AnonVma;
use crate::mm::fault_flags::FaultFlags;
use crate::mm::mm_struct::Mm;
use crate::mm::pte_table::pmdp_get_lockless;
use crate::mm::vma::Vma;
use crate::mm::vmf::{FaultError, Vmf};
use crate::mm::walk::{link_table, new_table};

use super::accessed::{do_huge_pmd_numa_page, huge_pmd_set_accessed};
use super::eligible::is_allowable;
use super::fault::{HugeFault, create_huge_pmd};
use super::locked_pmd::LockedPmd;
use super::wp_page_4_4::do_huge_pmd_wp_page;

/// Handles the fault by a huge page, if one is there or may be; else makes sure that there is a PTE table.
pub(super) fn huge_pmd_fault<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    let handled = if pmdp_get_lockless(vmf.mm, vmf.pmd).is_none() && is_allowable(vmf.vma(), vmf.address) {
        create_huge_pmd(vmf)
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

/// What stands between the huge branches and the PTE. Whether the entry points to a table is decided by one look at it
/// (`pmd_trans_unstable`; M9).
fn before_the_pte<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    if pmdp_get_lockless(vmf.mm, vmf.pmd).is_none() && __pte_alloc(&vmf).is_err() {
        return HugeFault::Done(vmf.failed(FaultError::Oom));
    }
    let pmd = pmdp_get_lockless(vmf.mm, vmf.pmd);
    if pmd.is_huge() {
        remark::<P>(format_args!("a huge page materialized meanwhile: the fault will come again"));
        return HugeFault::Done(vmf.handled());
    }
    if !recheck::<P>(Variant::M9, || matches!(pmd.state(), PmdState::Table(_))) {
        remark::<P>(format_args!("one materialized, and is gone again: the fault will come again"));
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
            remark::<P>(format_args!("another fault came first: the PMD is {now}; my table is freed"));
            let splitter = splitters_anon_vma(vmf.mm, vmf.vma(), now);
            drop(pmd);
            vmf.mm.memory().free_uncharged(vmf.task.cpu(), mine);
            splitter.iter().for_each(|anon_vma| wait_split_huge_page(anon_vma));
            Ok(())
        },
        |result| result.map_or_else(|_| "-ENOMEM".to_owned(), |()| "0".to_owned()),
    )
}

/// Waits until whoever splits the folio has done it: the splitter holds the lock of its `anon_vma`, and takes the locks
/// of the tables that map it, in every address space. So the caller holds no lock of a table, not even a child's.
pub(super) fn wait_split_huge_page<P: Platform>(anon_vma: &AnonVma<P>) {
    enter::<P>("wait_split_huge_page", format_args!("anon_vma={:#x}", anon_vma.id().0))
        .run(|| drop(anon_vma.lock_write()), |()| String::new());
}

/// The `anon_vma` that a folio comes from; the entry that maps it is locked. In Linux all those of a family have one
/// lock, so that any would do.
pub(super) fn anon_vma_of<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, head: Pfn) -> Arc<AnonVma<P>> {
    let mapping = mm.memory().page(head).mapping();
    let mut known = vma.anon_vmas().filter(|anon_vma| Mapping::Anon(anon_vma.id()) == mapping);
    Arc::clone(known.next().expect("D24: a huge page that a VMA maps is from one of its anon_vmas"))
}

/// The locked entry, unless its page is being split: then that is waited for (`__pmd_trans_huge_lock`).
pub(super) fn unless_splitting<'m, P: Platform>(
    mm: &Mm<P>,
    vma: &Vma<P>,
    pmd: LockedPmd<'m, P>,
) -> Option<LockedPmd<'m, P>> {
    let Some(anon_vma) = splitters_anon_vma(mm, vma, pmd.get()) else { return Some(pmd) };
    drop(pmd);
    wait_split_huge_page(&anon_vma);
    None
}

/// The `anon_vma` whose lock the splitter holds, if the page of the entry, which is locked, is being split.
pub(super) fn splitters_anon_vma<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, pmd: PmdVal) -> Option<Arc<AnonVma<P>>> {
    let is_splitting = pmd.is_huge() && pmd.flags().contains(EntryFlags::SPLITTING);
    is_splitting.then(|| anon_vma_of(mm, vma, pmd.pfn()))
}
