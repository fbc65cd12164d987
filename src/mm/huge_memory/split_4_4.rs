//! Splitting a huge page in Linux 2.6.38 to 4.4 (`mm/huge_memory.c`, `split_huge_page`): the folio falls into pages of
//! their own, in every address space that maps it at once.
//!
//! ```text
//!   anon_vma locked
//!     __split_huge_page_splitting   each entry that maps it: marked, every CPU interrupted
//!     __split_huge_page_refcount    the folio becomes pages
//!     __split_huge_page_map         each entry: invalidated, then the table that was deposited
//! ```
//!
//! # Invariants
//! - I1. Once an entry says that it is being split nobody but hardware uses it, and who meets it waits for the lock of
//!   the `anon_vma`, or comes again. So no mapping comes or goes while the references are handed out.
//! - I2 (D15). As many entries were marked as map the folio.
//! - I3. The entries are visited in the order in which their VMAs were linked: a child's VMA is linked behind its
//!   parent's. So a fork that is under way either finds the parent's entry marked, or has filled the child's before
//!   that is visited.

use crate::phys::{CpuId, Pfn};
use crate::platform::{Platform, enter, remark};
use crate::x86::{EntryFlags, PmdState, VirtAddr};

use crate::mm::anon_vma::{AnonVma, LinkedVma};
use crate::mm::entry_at::EntryAt;
use crate::mm::mm_struct::Mm;
use crate::mm::vma::Vma;
use crate::mm::walk::find_pmd_below;

use super::linux_4_4::anon_vma_of;
use super::locked_pmd::LockedPmd;
use super::split::{fill, small_entry, split_zero};

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
            let anon_vma = anon_vma_of(mm, vma, head);
            drop(pmd);
            split_huge_page(mm, &anon_vma, head);
            mm.memory().put_page(cpu, head);
        },
        |()| String::new(),
    );
}

/// Splits a folio to which the caller has a reference; another splitter may have done it already.
pub(super) fn split_huge_page<P: Platform>(mm: &Mm<P>, anon_vma: &AnonVma<P>, head: Pfn) {
    enter::<P>("split_huge_page", format_args!("folio={head}")).run(
        || {
            let linked = anon_vma.lock_write();
            // Whoever split it before held the same lock.
            if mm.memory().page(head).order() == 0 {
                remark::<P>(format_args!("it is split already"));
                return;
            }
            let address = VirtAddr::user(mm.memory().page(head).index() << P::GEOMETRY.page_shift());
            let entries = roots(&linked).into_iter().filter_map(|pgd| Some((pgd, find_pmd_below(mm, pgd, address)?)));
            let marked: Vec<_> = entries.filter(|entry| split_huge_page_splitting(mm, *entry, head)).collect();
            let (memory, mappings) = (mm.memory(), marked.len() as i64);
            let mapped = memory.page(head).entire_mapcount();
            assert!(mapped == mappings, "D15: {mappings} entries of folio {head} are being split, {mapped} map it");
            if marked.is_empty() {
                // Linux splits it all the same, and frees the parts.
                remark::<P>(format_args!("nobody maps it any more: it goes as a whole"));
                return;
            }
            memory.frames_of_folio(head).for_each(|frame| memory.page(frame).add_mapcount(mappings));
            memory.page(head).add_entire_mapcount(-mappings);
            memory.split_folio(head, mappings.cast_unsigned());
            marked.into_iter().for_each(|entry| split_huge_page_map(mm, entry));
        },
        |()| String::new(),
    );
}

/// The address spaces to visit, a parent before its children (I3). One has two VMAs if one was cut, and the folio lies
/// in one of them.
fn roots(linked: &[LinkedVma]) -> Vec<Pfn> {
    let mut roots = Vec::new();
    for vma in linked {
        if !roots.contains(&vma.pgd) {
            roots.push(vma.pgd);
        }
    }
    roots
}

/// Marks an entry that maps the folio; `false` if it maps something else by now.
fn split_huge_page_splitting<P: Platform>(mm: &Mm<P>, (pgd, at): (Pfn, EntryAt), head: Pfn) -> bool {
    enter::<P>("__split_huge_page_splitting", format_args!("pmd={at}")).run(
        || {
            let mut pmd = LockedPmd::lock_below(mm, pgd, at);
            if pmd.get().state() != PmdState::Huge(head) {
                return false;
            }
            // The interrupts make sure that nobody walks the tables without a lock (GUP-fast); the entry gives hardware
            // what it gave before.
            pmd.update(|pmd| pmd.with(EntryFlags::SPLITTING));
            mm.machine().shoot_down();
            true
        },
        |marked| marked.to_string(),
    )
}

fn split_huge_page_map<P: Platform>(mm: &Mm<P>, (pgd, at): (Pfn, EntryAt)) {
    enter::<P>("__split_huge_page_map", format_args!("pmd={at}")).run(
        || {
            let mut pmd = LockedPmd::lock_below(mm, pgd, at);
            let old = pmd.invalidate().without(EntryFlags::SPLITTING);
            let table = pmd.withdraw();
            fill(mm, table, |number| small_entry(old, number));
            pmd.populate(table);
        },
        |()| String::new(),
    );
}
