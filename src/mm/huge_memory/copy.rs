//! A huge entry in `fork` (`copy_huge_pmd`): the child gets one like it, and neither may write to the page.
//!
//! # Invariants
//! - I1 (D9). The child's entry has a deposited table of its own, which is allocated before any lock is taken.
//! - I2 (D29). The page ceases to be exclusive before the parent's entry is write-protected, both under the parent's
//!   lock.
//! - I3 (D40). The parent's entry is write-protected by an update that keeps what hardware marks in it.
//!
//! # Lock order
//! The lock of the child's PMD table, then the parent's. Nobody else knows the child yet, but for whoever splits a huge
//! page in Linux 4.4, who finds the child's tables by the reverse map. So both locks are released before that one is
//! waited for.
//!
//! Not modelled: a page that somebody has pinned (it is split, and its pages are copied one by one); userfaultfd's
//! write protection, which the child does not inherit.

use crate::phys::OutOfMemory;
use crate::platform::{Arc, Platform, enter, remark};
use crate::x86::{EntryFlags, PmdState, PmdVal, make_readable_migration_entry};

use crate::mm::anon_vma::AnonVma;
use crate::mm::entry_at::EntryAt;
use crate::mm::generation::Generation;
use crate::mm::mm_struct::{Mm, RssKind};
use crate::mm::rmap::dup_anon_rmap_pmd;
use crate::mm::task::Task;
use crate::mm::vma::Vma;
use crate::mm::walk::new_table;

use super::eligible::pages;
use super::linux_4_4::{splitters_anon_vma, wait_split_huge_page};
use super::locked_pmd::LockedPmd;
use super::migration::under_migration;

/// What became of a huge entry that was to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CopiedHuge {
    /// The child has what it needs.
    Done,
    /// The entry is not huge, or no longer (`-EAGAIN`): what it is now is to be copied.
    NotHuge,
}

/// Copies the entry of the parent to the child, if it is huge or under migration. What can be faulted in again, a
/// file's huge page, is not copied.
///
/// # Errors
/// If there is no table to deposit for the child.
pub fn copy_huge_pmd<P: Platform>(
    (parent, child): (&Mm<P>, &Mm<P>),
    task: &Task,
    vma: &Vma<P>,
    (from, to): (EntryAt, EntryAt),
) -> Result<CopiedHuge, OutOfMemory> {
    enter::<P>("copy_huge_pmd", format_args!("pmd={from}, child's={to}")).run(
        || {
            if vma.file().is_some() {
                remark::<P>(format_args!("the child's faults will find the file's page"));
                return Ok(CopiedHuge::Done);
            }
            let table = new_table(child, task, 1)?;
            let mut childs = LockedPmd::lock(child, to);
            let mut parents = LockedPmd::lock(parent, from);
            let entry = parents.get();
            if under_migration(entry).is_some() {
                copy_migration_entry(&mut parents, &mut childs);
            } else if let PmdState::Huge(head) = entry.state() {
                if let Some(anon_vma) = splitter(parent, vma, entry) {
                    // The splitter may be about to look into the child's tables, too.
                    drop((parents, childs));
                    parent.memory().free_uncharged(task.cpu(), table);
                    wait_split_huge_page(&anon_vma);
                    return Ok(CopiedHuge::NotHuge);
                }
                // The huge zero page has no reference, no mapcount and no RSS to count.
                if parent.machine().huge_zero().get() != Some(head) {
                    parent.memory().page(head).get();
                    dup_anon_rmap_pmd(parent, head);
                    childs.count_rss(RssKind::Anon, pages::<P>());
                }
                parents.update(PmdVal::write_protected);
                childs.set(entry.write_protected().without(EntryFlags::ACCESSED));
            } else {
                drop((parents, childs));
                parent.memory().free_uncharged(task.cpu(), table);
                return Ok(CopiedHuge::NotHuge);
            }
            childs.deposit(table);
            drop((parents, childs));
            Ok(CopiedHuge::Done)
        },
        |result| match result {
            Ok(CopiedHuge::Done) => "0".to_owned(),
            Ok(CopiedHuge::NotHuge) => "-EAGAIN".to_owned(),
            Err(OutOfMemory) => "-ENOMEM".to_owned(),
        },
    )
}

/// The `anon_vma` whose lock whoever splits the page holds, if it is being split. What says so in 4.4 is another bit's
/// meaning today.
fn splitter<P: Platform>(parent: &Mm<P>, vma: &Vma<P>, entry: PmdVal) -> Option<Arc<AnonVma<P>>> {
    match parent.generation() {
        Generation::G2 => splitters_anon_vma(parent, vma, entry),
        Generation::G6 => None,
    }
}

/// A page under migration counts as the child's, too, and will come back shared. No fork here meets one: whoever moves
/// a page holds the mmap lock to the end.
fn copy_migration_entry<P: Platform>(parents: &mut LockedPmd<'_, P>, childs: &mut LockedPmd<'_, P>) {
    let readable = PmdVal::migration(make_readable_migration_entry(parents.get().as_pte()));
    remark::<P>(format_args!("the huge page is under migration"));
    parents.set(readable);
    childs.set(readable);
    childs.count_rss(RssKind::Anon, pages::<P>());
}
