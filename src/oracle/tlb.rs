//! Invariants of what CPUs remember: D4, D35 and D40, when nobody runs.

use crate::phys::Pfn;
use crate::platform::{Arc, Platform};
use crate::x86::{EntryFlags, PteVal, Remembered, VirtAddr};

use super::layout::Quiet;

/// What all CPUs remember of the address space.
fn remembered<P: Platform>(quiet: &Quiet<'_, P>) -> Vec<Arc<Remembered<P>>> {
    let everything = (VirtAddr::ZERO, VirtAddr::user(P::GEOMETRY.task_size()));
    quiet.layout.root.map_or_else(Vec::new, |root| quiet.mm.machine().remembered_of(root, everything))
}

/// The entry that translates what a CPU remembers, if it has the same size.
fn entry_of<P: Platform>(quiet: &Quiet<'_, P>, remembered: &Remembered<P>) -> Option<PteVal> {
    if remembered.leaf.level == 1 {
        quiet.layout.pages.get(&remembered.start).copied()
    } else {
        quiet.layout.huge.get(&remembered.start).map(|entry| entry.as_pte())
    }
}

fn words<P: Platform>(remembered: &Remembered<P>) -> String {
    let (cpu, start, leaf) = (remembered.cpu, remembered.start, remembered.leaf);
    format!("{cpu:?} takes {start} for frame {} with {:?}", leaf.pfn, leaf.flags)
}

/// Nobody owes a flush any more, so what is remembered is what the tables say, or less.
pub(super) fn agrees_with_the_tables<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let all = remembered(quiet);
    for remembered in &all {
        let entry = entry_of(quiet, remembered);
        let entry = entry.ok_or_else(|| format!("{}, and no entry of that size is there", words(remembered)))?;
        if !permits(entry, remembered.leaf.pfn, remembered.leaf.flags) {
            return Err(format!("{}, and the entry is {entry}", words(remembered)));
        }
    }
    Ok(all.len() as u64)
}

fn permits(entry: PteVal, pfn: Pfn, remembered: EntryFlags) -> bool {
    let flags = entry.flags();
    let rights = EntryFlags::WRITABLE | EntryFlags::USER;
    flags.contains(EntryFlags::PRESENT)
        && entry.pfn() == pfn
        && flags.contains(remembered & rights)
        && (remembered.contains(EntryFlags::NO_EXECUTE) || !flags.contains(EntryFlags::NO_EXECUTE))
        && remembered.key() == flags.key()
}

/// A CPU that believes that Dirty is set does not set it.
pub(super) fn dirty_is_set<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let all = remembered(quiet);
    let writes = all.iter().filter(|entry| entry.leaf.flags.contains(EntryFlags::WRITABLE | EntryFlags::DIRTY));
    let mut evaluated = 0;
    for remembered in writes {
        if let Some(entry) = entry_of(quiet, remembered).filter(|entry| !entry.flags().contains(EntryFlags::DIRTY)) {
            return Err(format!("{}, and the entry is {entry}: the next store would leave no mark", words(remembered)));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}
