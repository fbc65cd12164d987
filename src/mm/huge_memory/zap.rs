//! A huge entry is taken away (`zap_huge_pmd`; the huge half of `mm/memory.c`, `zap_pmd_range`).

use crate::phys::{CpuId, Mapping, Pfn};
use crate::platform::{Platform, enter, remark};
use crate::x86::{PmdState, PmdVal, VirtAddr};

use crate::mm::entry_at::EntryAt;
use crate::mm::generation::Generation;
use crate::mm::mm_struct::{Mm, RssKind};
use crate::mm::pte_table::pmdp_get_lockless;
use crate::mm::vma::Vma;

use super::eligible::pages;
use super::linux_4_4;
use super::locked_pmd::LockedPmd;
use super::migration::under_migration;
use super::split::{hand_over_dirty, split_huge_pmd};
use super::split_4_4::split_huge_page_pmd;

/// What was done about a PMD entry before its table is looked at.
#[must_use]
pub enum HugeZap {
    /// It is empty.
    None,
    /// It is not huge, or no longer: the table below it is to be emptied.
    NotHuge,
    /// It was, and is empty now; there is no page to free: it was the huge zero page, or whoever moves the page has
    /// taken the reference already.
    NoPage,
    /// It was, and is empty now; the reference that it held is the caller's, who drops it after a flush.
    Folio(Pfn),
}

/// Takes away what the entry maps from `start` up to `end`, if it is huge. A huge page of which only a part is to go is
/// split, and then it is not huge.
pub fn zap_huge<P: Platform>(
    mm: &Mm<P>,
    cpu: CpuId,
    vma: &Vma<P>,
    at: EntryAt,
    (start, end): (VirtAddr, VirtAddr),
) -> HugeZap {
    let now = pmdp_get_lockless(mm, at);
    if now.is_huge() || under_migration(now).is_some() {
        if end.bytes() - start.bytes() == P::GEOMETRY.huge_page_size() {
            match zap_huge_pmd(mm, cpu, vma, at) {
                HugeZap::None | HugeZap::NotHuge => {}
                zapped @ (HugeZap::NoPage | HugeZap::Folio(_)) => return zapped,
            }
        } else {
            split_at(mm, cpu, vma, at);
        }
    }
    // A fault may have changed the entry since; in 4.4 a huge page that appeared meanwhile is left alone.
    match (pmdp_get_lockless(mm, at).state(), mm.generation()) {
        (PmdState::None, _) | (PmdState::Huge(_), Generation::G2) => HugeZap::None,
        (PmdState::Huge(_) | PmdState::Table(_) | PmdState::NotATable, _) => HugeZap::NotHuge,
    }
}

/// Splits the entry if it is huge, as the generation does it (`split_huge_pmd`, `split_huge_page_pmd`).
pub fn split_at<P: Platform>(mm: &Mm<P>, cpu: CpuId, vma: &Vma<P>, at: EntryAt) {
    match mm.generation() {
        Generation::G2 => split_huge_page_pmd(mm, vma, cpu, at),
        Generation::G6 => split_huge_pmd(mm, at),
    }
}

/// Clears the entry, uncounts it, and frees the table that was deposited for it, which no CPU ever walked.
fn zap_huge_pmd<P: Platform>(mm: &Mm<P>, cpu: CpuId, vma: &Vma<P>, at: EntryAt) -> HugeZap {
    enter::<P>("zap_huge_pmd", format_args!("pmd={at}")).run(
        || {
            let Some(mut pmd) = pmd_trans_huge_lock(mm, vma, at) else { return HugeZap::NotHuge };
            let old = pmd.exchange(PmdVal::from_bits(0));
            let zapped = uncount(mm, &pmd, old);
            if !is_of_a_file(mm, old) {
                zap_deposited_table(mm, cpu, &mut pmd);
            }
            drop(pmd);
            zapped
        },
        |zap| match zap {
            HugeZap::None | HugeZap::NotHuge => "0: it is not huge any more".to_owned(),
            HugeZap::NoPage => "nothing to free".to_owned(),
            HugeZap::Folio(folio) => format!("folio {folio}"),
        },
    )
}

/// The entry maps a huge page of a file, for which no table is deposited.
fn is_of_a_file<P: Platform>(mm: &Mm<P>, pmd: PmdVal) -> bool {
    pmd.is_huge() && matches!(mm.memory().page(pmd.pfn()).mapping(), Mapping::File(_) | Mapping::Shmem(_))
}

/// Takes back what the entry counted.
fn uncount<P: Platform>(mm: &Mm<P>, pmd: &LockedPmd<'_, P>, old: PmdVal) -> HugeZap {
    if mm.machine().huge_zero().get() == Some(old.pfn()) && old.is_huge() {
        return HugeZap::NoPage;
    }
    if is_of_a_file(mm, old) {
        hand_over_dirty(mm, old);
        mm.memory().page(old.pfn()).add_entire_mapcount(-1);
        pmd.count_rss(RssKind::of(mm.memory().page(old.pfn()).mapping()), -pages::<P>());
        return HugeZap::Folio(old.pfn());
    }
    pmd.count_rss(RssKind::Anon, -pages::<P>());
    if under_migration(old).is_some() {
        remark::<P>(format_args!("the page is under migration: its mover has uncounted the mapping"));
        return HugeZap::NoPage;
    }
    mm.memory().page(old.pfn()).add_entire_mapcount(-1);
    HugeZap::Folio(old.pfn())
}

/// The entry, locked, if it is huge or under migration (`pmd_trans_huge_lock`); in Linux 4.4 a page that is being split
/// counts as none, once it was waited for.
pub(crate) fn pmd_trans_huge_lock<'m, P: Platform>(
    mm: &'m Mm<P>,
    vma: &Vma<P>,
    at: EntryAt,
) -> Option<LockedPmd<'m, P>> {
    let pmd = LockedPmd::lock(mm, at);
    if !pmd.get().is_huge() && under_migration(pmd.get()).is_none() {
        return None;
    }
    match mm.generation() {
        Generation::G6 => Some(pmd),
        Generation::G2 => linux_4_4::unless_splitting(mm, vma, pmd),
    }
}

fn zap_deposited_table<P: Platform>(mm: &Mm<P>, cpu: CpuId, pmd: &mut LockedPmd<'_, P>) {
    let table = pmd.withdraw();
    mm.add_tables(-1);
    mm.memory().free_uncharged(cpu, table);
    remark::<P>(format_args!("its deposited table {table} is freed"));
}
