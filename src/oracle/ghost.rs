//! Ghost memory: what the users of an address space did to it, kept beside it (D37: no lost write).
//!
//! Every task keeps its own log, so the ghost adds no interleaving. When nobody runs, the logs say what memory may
//! hold: a word holds the last store of *some* task to it; nothing else can be the last in any order of the stores.

use std::collections::BTreeSet;

use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::layout::Quiet;

/// Something that a task did to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GhostEvent {
    /// It stored a whole word, and the store completed.
    Stored(VirtAddr, u64),
    /// It loaded a whole word.
    Loaded(VirtAddr, u64),
    /// It discards a range, from now on.
    Discards {
        /// The first address.
        start: VirtAddr,
        /// The first address after it.
        end: VirtAddr,
    },
}

/// What one task did, in order.
#[derive(Clone, Debug, Default)]
pub struct GhostLog {
    /// Whether everything in it happened before the other logs began (the set-up of a world).
    pub before_others: bool,
    /// What it did.
    pub events: Vec<GhostEvent>,
}

impl GhostLog {
    fn last_store(&self, address: VirtAddr) -> Option<u64> {
        self.events.iter().rev().find_map(|event| match event {
            GhostEvent::Stored(at, value) if *at == address => Some(*value),
            GhostEvent::Stored(..) | GhostEvent::Loaded(..) | GhostEvent::Discards { .. } => None,
        })
    }

    fn stores(&self) -> impl Iterator<Item = (VirtAddr, u64)> + '_ {
        self.events.iter().filter_map(|event| match event {
            GhostEvent::Stored(at, value) => Some((*at, *value)),
            GhostEvent::Loaded(..) | GhostEvent::Discards { .. } => None,
        })
    }

    fn discards(&self, address: VirtAddr) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event, GhostEvent::Discards { start, end } if (*start..*end).contains(&address)))
    }
}

/// What the logs of all tasks allow.
pub(super) struct Allowed<'a>(&'a [GhostLog]);

impl<'a> Allowed<'a> {
    pub(super) fn new(logs: &'a [GhostLog]) -> Self {
        Self(logs)
    }

    /// Every word that somebody stored to.
    pub(super) fn words(&self) -> BTreeSet<VirtAddr> {
        self.0.iter().flat_map(GhostLog::stores).map(|(address, _)| address).collect()
    }

    fn discarded(&self, address: VirtAddr) -> bool {
        self.0.iter().any(|log| log.discards(address))
    }

    /// What the word may hold in the end: a last store, or nothing if it was never stored to or may have been
    /// discarded.
    fn finally(&self, address: VirtAddr) -> BTreeSet<u64> {
        let last_of = |before: bool| {
            let logs = self.0.iter().filter(move |log| log.before_others == before);
            logs.filter_map(move |log| log.last_store(address))
        };
        let mut allowed: BTreeSet<u64> = last_of(false).collect();
        if allowed.is_empty() {
            allowed = last_of(true).collect();
        }
        if allowed.is_empty() || self.discarded(address) {
            allowed.insert(0);
        }
        allowed
    }

    /// What a load by the task of `log` after `earlier` of its events may return.
    fn loadable(&self, log: &GhostLog, earlier: usize, address: VirtAddr) -> BTreeSet<u64> {
        let mine = GhostLog { events: log.events[..earlier].to_vec(), ..log.clone() };
        let others = || self.0.iter().filter(|other| !std::ptr::eq(*other, log) && !other.before_others);
        let theirs = others().flat_map(GhostLog::stores).filter(|(at, _)| *at == address).map(|(_, value)| value);
        let mut allowed: BTreeSet<u64> = theirs.collect();
        let own = mine.last_store(address);
        let initial = self.0.iter().filter(|other| other.before_others).find_map(|other| other.last_store(address));
        allowed.insert(own.or(initial).unwrap_or(0));
        if self.discarded(address) {
            allowed.insert(0);
        }
        allowed
    }
}

/// D37: each completed store is visible to later loads until it is discarded.
pub(super) fn no_lost_write<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let allowed = Allowed::new(quiet.ghost);
    let mut evaluated = 0;
    for address in allowed.words() {
        let held = word::<P>(quiet, address);
        let may = allowed.finally(address);
        evaluated += 1;
        if !may.contains(&held) {
            return Err(format!("the word at {address} holds {held:#x}, but the stores to it leave one of {may:x?}"));
        }
    }
    for log in quiet.ghost {
        for (earlier, event) in log.events.iter().enumerate() {
            let GhostEvent::Loaded(address, value) = event else { continue };
            let may = allowed.loadable(log, earlier, *address);
            evaluated += 1;
            if !may.contains(value) {
                return Err(format!("a load of {address} returned {value:#x}, not one of {may:x?}"));
            }
        }
    }
    Ok(evaluated)
}

/// What the word at an address holds; 0 if nothing is mapped there.
fn word<P: Platform>(quiet: &Quiet<'_, P>, address: VirtAddr) -> u64 {
    let Some(entry) = quiet.layout.entry_for::<P>(address) else { return 0 };
    let index = (address.page_offset(P::GEOMETRY) / 8) as usize;
    super::folios::word_at(quiet.mm.memory(), entry.pfn(), index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: VirtAddr = VirtAddr::user(8);

    fn log(before_others: bool, events: &[GhostEvent]) -> GhostLog {
        GhostLog { before_others, events: events.to_vec() }
    }

    #[test]
    fn only_a_last_store_can_remain() {
        let stored = |value| GhostEvent::Stored(WORD, value);
        let logs = [log(true, &[stored(9)]), log(false, &[stored(1), stored(2)]), log(false, &[stored(3)])];
        assert_eq!(Allowed::new(&logs).finally(WORD), BTreeSet::from([2, 3]));
        assert_eq!(Allowed::new(&logs[..1]).finally(WORD), BTreeSet::from([9]));
        assert_eq!(Allowed::new(&[]).finally(WORD), BTreeSet::from([0]));
    }

    #[test]
    fn a_discard_allows_nothing_to_remain() {
        let discards = GhostEvent::Discards { start: VirtAddr::user(0), end: VirtAddr::user(16) };
        let logs = [log(false, &[GhostEvent::Stored(WORD, 1)]), log(false, &[discards])];
        assert_eq!(Allowed::new(&logs).finally(WORD), BTreeSet::from([0, 1]));
    }

    #[test]
    fn a_task_sees_its_own_store_or_a_store_of_another() {
        let logs = [
            log(true, &[GhostEvent::Stored(WORD, 9)]),
            log(false, &[GhostEvent::Loaded(WORD, 9), GhostEvent::Stored(WORD, 1), GhostEvent::Loaded(WORD, 1)]),
            log(false, &[GhostEvent::Stored(WORD, 2)]),
        ];
        let allowed = Allowed::new(&logs);
        assert_eq!(allowed.loadable(&logs[1], 0, WORD), BTreeSet::from([2, 9]));
        assert_eq!(allowed.loadable(&logs[1], 2, WORD), BTreeSet::from([1, 2]));
    }
}
