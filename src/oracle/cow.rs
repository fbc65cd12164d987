//! Invariants of copy on write: D26, D27, D38.

use std::collections::BTreeSet;

use crate::mm::{CowReuse, Vma};
use crate::phys::{Mapping, PageState};
use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::folios::counted;
use super::ghost::{Allowed, Order, word};
use super::layout::{Quiet, Relation};
use super::shown::in_file;

pub(super) fn writable_is_exclusive<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let memory = quiet.mm.memory();
    if quiet.mm.generation().cow_reuse() == CowReuse::MapCount {
        return Ok(0);
    }
    let mut evaluated = 0;
    for (address, entry) in counted(quiet).filter(|(_, entry)| entry.is_writable()) {
        let page = memory.page(entry.pfn());
        if matches!(page.mapping(), Mapping::Anon(_)) {
            if !page.is_anon_exclusive() {
                return Err(format!("{address} maps page {} by the entry {entry}", entry.pfn()));
            }
            evaluated += 1;
        }
    }
    Ok(evaluated)
}

pub(super) fn exclusive_is_mapped_once<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    let users = quiet.mm.memory().pages().filter(|(_, page)| page.state() == PageState::User);
    for (pfn, page) in users.filter(|(_, page)| page.is_anon_exclusive()) {
        let mapped = quiet.mappings(pfn);
        // A page of a larger folio keeps the mark after its entry is gone: the folio is still there.
        let is_left_over = mapped == 0 && (page.order() > 0 || page.from_head() > 0);
        if mapped != 1 && !is_left_over {
            return Err(format!("{mapped} entries map page {pfn}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

/// What a word was seen to hold: by a load, or in the end.
struct Seen {
    value: u64,
    allowed: BTreeSet<u64>,
}

/// D38: what one process stores after the fork is not seen in the other.
pub(super) fn isolated<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let Some(kin) = quiet.kin else { return Ok(0) };
    let (here, there) = (Allowed::of(quiet), Allowed::new(Order::of::<P>(), kin.ghost, &quiet.files.shown));
    // The words of a file are everybody's.
    let own = |word: &VirtAddr| in_file(*word).is_none();
    let words: BTreeSet<VirtAddr> = here.words().chain(there.words()).filter(own).collect();
    let mut evaluated = 0;
    for address in words {
        let seen = seen(quiet, &here, address);
        for Seen { value, allowed } in &seen {
            if !allowed.contains(value) && there.stored_values(address).any(|theirs| theirs == *value) {
                return Err(format!("the word at {address} held {value:#x} here, which was stored there"));
            }
            evaluated += 1;
        }
        let is_childs_own = here.is_stored(address) || here.discarded(address);
        if kin.relation == Relation::Parent && !is_childs_own {
            let values: BTreeSet<u64> = seen.iter().map(|seen| seen.value).collect();
            if values.len() > 1 {
                return Err(format!("nobody in the child stored to {address}, which held {values:x?} in turn"));
            }
        }
    }
    Ok(evaluated)
}

fn seen<P: Platform>(quiet: &Quiet<'_, P>, here: &Allowed<'_>, address: VirtAddr) -> Vec<Seen> {
    let finally = || Seen { value: word(quiet, address), allowed: here.finally(address) };
    let mut seen: Vec<Seen> = (!was_taken_away(quiet, address)).then(finally).into_iter().collect();
    for (log, events) in quiet.ghost.iter().enumerate() {
        for (event, what) in events.events.iter().enumerate() {
            if let Some((of, value)) = what.event.found()
                && of == address
            {
                seen.push(Seen { value, allowed: here.may_find(log, event, address) });
            }
        }
    }
    seen
}

/// Whether the kernel has unmapped the page there for the sake of the parent (`unmap_ref_private`): then it holds
/// nothing, and whoever looks gets SIGBUS.
fn was_taken_away<P: Platform>(quiet: &Quiet<'_, P>, address: VirtAddr) -> bool {
    let vmas = quiet.mm.mmap_lock().read();
    let is_unmapped = |vma: &Vma<P>| vma.contains(address) && vma.is_hugetlb() && vma.hugetlb().is_unmapped();
    quiet.layout.frame_for::<P>(address).is_none() && vmas.iter().any(is_unmapped)
}
