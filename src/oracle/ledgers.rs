//! Invariants of locks and accounting: D13, D51, D52, D54.

use crate::mm::RssKind;
use crate::phys::PageState;
use crate::platform::Platform;

use super::layout::Quiet;

pub(super) fn fault_lock<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    for (task, counts) in quiet.tasks.iter().enumerate() {
        let (taken, released) = (counts.locks_taken, counts.locks_released);
        if taken != released || taken + counts.locks_kept < counts.calls {
            return Err(format!("task {task} took it {taken} times and released it {released} times"));
        }
    }
    Ok(quiet.tasks.iter().map(|counts| counts.calls).sum())
}

pub(super) fn counted_once<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    for (task, counts) in quiet.tasks.iter().enumerate() {
        let handled = counts.min_flt + counts.maj_flt;
        let counted = counts.calls - counts.retries;
        if counts.pgfault != counted || handled + counts.errors != counted {
            return Err(format!("task {task} has {counts:?}"));
        }
    }
    Ok(quiet.tasks.iter().map(|counts| counts.calls).sum())
}

pub(super) fn no_vma_write_locked<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let vmas = quiet.mm.mmap_lock().read();
    match vmas.iter().find(|vma| quiet.mm.is_vma_write_locked(vma)) {
        Some(vma) => Err(format!("{vma:?} keeps faults out for ever")),
        None => Ok(vmas.iter().count() as u64),
    }
}

pub(super) fn nothing_left<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let memory = quiet.mm.memory();
    for (name, left) in [
        ("pgtables_bytes", quiet.mm.pgtables_bytes()),
        ("RSS of anonymous memory", quiet.mm.rss(RssKind::Anon)),
        ("RSS of files", quiet.mm.rss(RssKind::File)),
        ("RSS of shared memory", quiet.mm.rss(RssKind::Shmem)),
        ("hugetlb usage", quiet.mm.hugetlb_usage()),
        ("reserved huge pages", memory.hstate().resv_huge_pages() as i64),
        ("charged pages", memory.memcg().charged_pages() as i64),
        ("pages on the LRU lists", memory.lru().listed() as i64),
    ] {
        if left != 0 {
            return Err(format!("{name} is {left}"));
        }
    }
    for (pfn, page) in memory.pages() {
        let state = page.state();
        if !matches!(state, PageState::Free | PageState::Reserved | PageState::Pool) {
            return Err(format!("frame {pfn} is still {state:?}"));
        }
    }
    let (free, frames) = (memory.zone().free_frames(), memory.frames());
    let reserved = memory.pages().filter(|(_, page)| page.state() == PageState::Reserved).count();
    let pool = memory.hstate().free_huge_pages() * P::GEOMETRY.entries();
    // The zero page and the huge one are never free, and what is in the pool stays there.
    if free + reserved + pool == frames {
        Ok(1)
    } else {
        Err(format!("{free} of {frames} frames are free, {reserved} zero, and {pool} in the pool"))
    }
}
