//! Invariants of the rights and marks of entries: D32, D40, D44, D47.

use std::collections::BTreeSet;

use crate::mm::{Generation, VmFlags, Vma};
use crate::phys::Mapping;
use crate::platform::Platform;
use crate::x86::{EntryFlags, PteVal, VirtAddr};

use super::folios::counted;
use super::ghost::GhostEvent;
use super::layout::Quiet;

/// Calls `judge` with each present entry, small or huge, and the VMA that covers it.
fn each_present<P: Platform>(
    quiet: &Quiet<'_, P>,
    mut judge: impl FnMut(VirtAddr, PteVal, &Vma<P>) -> Result<u64, String>,
) -> Result<u64, String> {
    let vmas = quiet.mm.mmap_lock().read();
    let mut evaluated = 0;
    let huge = quiet.layout.huge.iter().map(|(address, entry)| (address, entry.as_pte()));
    let small = quiet.layout.pages.iter().map(|(address, entry)| (address, *entry));
    for (address, entry) in small.chain(huge).filter(|(_, entry)| entry.is_present()) {
        let vma = vmas.iter().find(|vma| vma.contains(*address));
        let vma = vma.ok_or_else(|| format!("{address} maps page {} outside of every VMA", entry.pfn()))?;
        evaluated += judge(*address, entry, vma)?;
    }
    Ok(evaluated)
}

pub(super) fn no_more_than_the_vma<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    each_present(quiet, |address, entry, vma| {
        let writes = entry.is_writable() && !vma.flags().contains(VmFlags::WRITE);
        let is_open = entry.flags().contains(EntryFlags::PRESENT);
        let executes =
            is_open && !entry.flags().contains(EntryFlags::NO_EXECUTE) && !vma.flags().contains(VmFlags::EXEC);
        if writes || executes || is_open && !vma.is_accessible() {
            return Err(format!("{address} of {vma:?} is mapped by the entry {entry}"));
        }
        Ok(1)
    })
}

/// A page that a racing task wrote is marked so, unless the marks were cleared or the page was discarded meanwhile.
pub(super) fn marks_are_kept<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let racing = || {
        quiet.ghost.iter().filter(|log| !log.before_others).flat_map(|log| &log.events).map(|stamped| &stamped.event)
    };
    let (mut written, mut cleaned) = (BTreeSet::new(), BTreeSet::new());
    for event in racing() {
        if let GhostEvent::Stored(address, _) = event {
            written.insert(address.page_start(P::GEOMETRY));
        }
    }
    for event in racing() {
        match event {
            GhostEvent::Cleaned(page) => {
                written.remove(page);
                cleaned.insert(*page);
            }
            GhostEvent::Discards { start, end } => written.retain(|page| !(*start..*end).contains(page)),
            GhostEvent::Stored(..) | GhostEvent::Loaded(..) | GhostEvent::Forked => {}
            GhostEvent::StoredByReference(..) | GhostEvent::LoadedByReference(..) => {}
        }
    }
    let mut evaluated = 0;
    let span = P::GEOMETRY.huge_page_size();
    let huge = quiet.layout.huge.iter().map(|(address, entry)| (*address, entry.as_pte(), span));
    let small = counted(quiet).map(|(address, entry)| (address, entry, P::GEOMETRY.page_size()));
    for (address, entry, bytes) in small.chain(huge) {
        if written.range(address..address.offset(bytes)).next().is_none() || !entry.is_present() {
            continue;
        }
        // A page of a file may be another one by now.
        let memory = quiet.mm.memory();
        let folio = memory.page(memory.folio_of(entry.pfn()));
        if !matches!(folio.mapping(), Mapping::Anon(_)) {
            continue;
        }
        // The marks of a huge page are cleared for all of it, and 4.4 may have taken it apart since.
        let may_share_marks = folio.order() > 0 || quiet.mm.generation() == Generation::G2;
        let whole = address.huge_start(P::GEOMETRY);
        if may_share_marks && cleaned.range(whole..whole.offset(span)).next().is_some() {
            continue;
        }
        if !entry.is_dirty() || !entry.flags().contains(EntryFlags::SOFT_DIRTY) {
            return Err(format!("{address} was written, and is mapped by the entry {entry}"));
        }
        if entry.is_writable() && entry.flags().contains(EntryFlags::SAVED_DIRTY) {
            return Err(format!("{address} can be written, and is marked as written while it could not: {entry}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn none_under_migration<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    match quiet.layout.pages.iter().find(|(_, entry)| !entry.is_present()) {
        Some((address, entry)) => Err(format!("{address} has the entry {entry}")),
        None => Ok(quiet.layout.pages.len() as u64),
    }
}

pub(super) fn rights_of_the_vma<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let rights = EntryFlags::PRESENT | EntryFlags::USER | EntryFlags::NO_EXECUTE | EntryFlags::KEY;
    each_present(quiet, |address, entry, vma| {
        let marked = entry.is_prot_none() && !entry.flags().intersects(rights) && !entry.is_special();
        if !marked && entry.flags() & rights != vma.page_prot() & rights {
            return Err(format!("{address} of {vma:?} is mapped by the entry {entry}"));
        }
        Ok(1)
    })
}
