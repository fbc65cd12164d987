//! Ghost memory: what the users of an address space did to it, kept beside it (D37: no lost write).
//!
//! Every task keeps its own log, so the ghost adds no interleaving. When nobody runs, the logs say what memory may
//! hold, and what a load may have returned.
//!
//! Where loads return what was stored last in the order in which the engine runs the steps, the stamps decide
//! (`coherence`). Elsewhere (loom's stale reads, real threads) a word holds the last store of *some* task to it:
//! nothing else can be the last in any order of the stores. That is also all that is said of a private mapping of a
//! file before the first store to it: which of the file's contents it shows depends on when the page was copied.

use std::collections::{BTreeMap, BTreeSet};

use crate::mm::FaultOp;
use crate::phys::{Contents, Pfn};
use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::coherence::History;
use super::layout::{Quiet, Relation};
use super::shown::{Shows, at_first, behind, in_file, shown_words, word_of};

/// Something that a task did to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GhostEvent {
    /// It stored a whole word, and the store completed.
    Stored(VirtAddr, u64),
    /// It loaded a whole word.
    Loaded(VirtAddr, u64),
    /// It stored a whole word to the page that an address showed at some time since the event began. It had a reference
    /// to the page; the store took place when the event ended.
    StoredByReference(VirtAddr, u64),
    /// It loaded a whole word from such a page.
    LoadedByReference(VirtAddr, u64),
    /// The kernel forgets on its behalf that the page at an address was written.
    Cleaned(VirtAddr),
    /// It forked, and the child has what memory held then.
    Forked,
    /// It discards a range, from now on.
    Discards {
        /// The first address.
        start: VirtAddr,
        /// The first address after it.
        end: VirtAddr,
    },
}

impl GhostEvent {
    /// Where a load was, of whichever kind, and what it returned.
    pub(super) fn found(&self) -> Option<(VirtAddr, u64)> {
        match *self {
            Self::Loaded(address, value) | Self::LoadedByReference(address, value) => Some((address, value)),
            Self::Stored(..) | Self::StoredByReference(..) | Self::Cleaned(_) => None,
            Self::Forked | Self::Discards { .. } => None,
        }
    }
}

/// What a task did, and when: a load and a store at one moment, anything else from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// What it did.
    pub event: GhostEvent,
    /// A moment before.
    pub began: u64,
    /// A moment after.
    pub ended: u64,
}

/// What one task did, in order.
#[derive(Clone, Debug, Default)]
pub struct GhostLog {
    /// Whether everything in it happened before the other logs began (the set-up of a world).
    pub before_others: bool,
    /// What it did.
    pub events: Vec<Stamped>,
}

impl GhostLog {
    /// The task did this between the two moments.
    pub fn push(&mut self, event: GhostEvent, (began, ended): (u64, u64)) {
        self.events.push(Stamped { event, began, ended });
    }

    /// When each discard of an address began, and when it was over.
    fn discards(&self, address: VirtAddr) -> impl Iterator<Item = (u64, u64)> + '_ {
        let covers = move |stamped: &&Stamped| match stamped.event {
            GhostEvent::Discards { start, end } => (start..end).contains(&address),
            GhostEvent::Stored(..) | GhostEvent::Loaded(..) | GhostEvent::Cleaned(_) | GhostEvent::Forked => false,
            GhostEvent::StoredByReference(..) | GhostEvent::LoadedByReference(..) => false,
        };
        self.events.iter().filter(covers).map(|stamped| (stamped.began, stamped.ended))
    }
}

/// A store, by the place where its log has it.
#[derive(Clone, Copy)]
struct Store {
    log: usize,
    event: usize,
    at: u64,
    /// Since when it was known which page it goes to: a moment before, unless it went by a reference.
    decided: u64,
    value: u64,
    before_others: bool,
}

/// Every store in some logs, with its word.
fn stores_in<'a>(logs: &'a [GhostLog], shown: &'a [Shows]) -> impl Iterator<Item = (VirtAddr, Store)> + 'a {
    logs.iter().enumerate().flat_map(move |(log, GhostLog { events, before_others })| {
        events.iter().enumerate().filter_map(move |(event, what)| {
            let (GhostEvent::Stored(address, value) | GhostEvent::StoredByReference(address, value)) = what.event
            else {
                return None;
            };
            let store = Store { log, event, at: what.ended, decided: what.began, value, before_others: *before_others };
            Some((word_of(shown, address), store))
        })
    })
}

/// What the stamps of events in different logs say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The order in which accesses took effect.
    Stamped,
    /// Nothing.
    Unknown,
}

impl Order {
    pub(super) fn of<P: Platform>() -> Self {
        if P::SEQUENTIAL { Self::Stamped } else { Self::Unknown }
    }
}

/// What the logs of all tasks allow.
pub(super) struct Allowed<'a> {
    order: Order,
    logs: &'a [GhostLog],
    stores: BTreeMap<VirtAddr, Vec<Store>>,
    shown: &'a [Shows],
    /// The logs of the process that memory was inherited from.
    inherited: Option<Box<Allowed<'a>>>,
    /// The logs of the other process, parent or child: what it does to the words of a file counts here, too.
    kins: &'a [GhostLog],
}

impl<'a> Allowed<'a> {
    pub(super) fn new(order: Order, logs: &'a [GhostLog], shown: &'a [Shows]) -> Self {
        let mut stores: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (word, store) in stores_in(logs, shown) {
            stores.entry(word).or_default().push(store);
        }
        Self { order, logs, stores, shown, inherited: None, kins: &[] }
    }

    /// What the logs of a process and of its kin allow: memory was inherited from the parent, and the words of a file
    /// are everybody's.
    pub(super) fn of<P: Platform>(quiet: &Quiet<'a, P>) -> Self {
        let parent = quiet.kin.filter(|kin| kin.relation == Relation::Parent);
        let (order, shown) = (Order::of::<P>(), &quiet.files.shown);
        let inherited = parent.map(|kin| Box::new(Self::new(order, kin.ghost, shown)));
        let kins = quiet.kin.map_or(&[][..], |kin| kin.ghost);
        let mut allowed = Self { inherited, kins, ..Self::new(order, quiet.ghost, shown) };
        for (word, store) in stores_in(kins, shown).filter(|(word, _)| in_file(*word).is_some()) {
            let store = Store { log: quiet.ghost.len() + store.log, ..store };
            allowed.stores.entry(word).or_default().push(store);
        }
        allowed
    }

    /// When each discard of a word began, and when it was over.
    fn discards(&self, word: VirtAddr) -> impl Iterator<Item = (u64, u64)> + '_ {
        let kins = if in_file(word).is_some() { self.kins } else { &[] };
        self.logs.iter().chain(kins).flat_map(move |log| log.discards(word))
    }

    /// What a word may have held at the moment of the fork.
    fn when_forked(&self, address: VirtAddr) -> BTreeSet<u64> {
        let find = |log: &GhostLog| log.events.iter().position(|stamped| stamped.event == GhostEvent::Forked);
        let forked = self.logs.iter().enumerate().find_map(|(log, events)| Some((log, find(events)?)));
        let (log, event) = forked.expect("a process with a child has forked");
        if self.order == Order::Stamped {
            let Stamped { began, ended, .. } = self.logs[log].events[event];
            return self.history(address).between(began, ended);
        }
        match self.last(address, log, event) {
            Some(stored) if self.logs[log].before_others => BTreeSet::from([stored]),
            None if self.logs[log].before_others => self.at_first(address),
            Some(_) | None => self.loadable(log, event, address),
        }
    }

    /// Every word that somebody stored to.
    pub(super) fn words(&self) -> impl Iterator<Item = VirtAddr> + '_ {
        self.stores.keys().copied()
    }

    /// Whether somebody stored to the word.
    pub(super) fn is_stored(&self, address: VirtAddr) -> bool {
        self.stores.contains_key(&word_of(self.shown, address))
    }

    /// What was stored to the word, ever.
    pub(super) fn stored_values(&self, address: VirtAddr) -> impl Iterator<Item = u64> + '_ {
        self.stores(address).iter().map(|store| store.value)
    }

    fn stores(&self, address: VirtAddr) -> &[Store] {
        self.stores.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The last store to a word in one log, among its first `events`.
    fn last(&self, address: VirtAddr, log: usize, events: usize) -> Option<u64> {
        let mut mine = self.stores(address).iter().filter(|store| store.log == log && store.event < events);
        mine.next_back().map(|store| store.value)
    }

    pub(super) fn discarded(&self, address: VirtAddr) -> bool {
        self.discards(address).next().is_some()
    }

    /// What happened to a word, with stamps.
    fn history(&self, word: VirtAddr) -> History {
        let discards: Vec<_> = self.discards(word).collect();
        let is_open = |store: &&Store| {
            let between = |(began, ended): &(u64, u64)| *began < store.at && *ended > store.decided;
            store.decided < store.at && discards.iter().any(between)
        };
        let when = |store: &Store| (store.at, store.value);
        let mut stores: Vec<_> = self.stores(word).iter().filter(|store| !is_open(store)).map(when).collect();
        stores.sort_unstable();
        let open = self.stores(word).iter().filter(is_open).map(when).collect();
        let first = self.inherited.as_ref().map_or_else(|| self.at_first(word), |parent| parent.when_forked(word));
        let mut empty = self.at_first(word);
        empty.insert(0);
        History { stores, open, discards, first, empty }
    }

    /// The values that a word may have had when the tasks began: what the set-up stored last, what was inherited, or
    /// what stood there at first.
    fn initially(&self, word: VirtAddr) -> BTreeSet<u64> {
        let setups = (0..self.logs.len()).filter(|log| self.logs[*log].before_others);
        let stored = setups.filter_map(|log| self.last(word, log, usize::MAX)).next_back();
        match (stored, &self.inherited) {
            (Some(stored), _) => BTreeSet::from([stored]),
            (None, Some(parent)) => parent.when_forked(word),
            (None, None) => self.at_first(word),
        }
    }

    /// What a word held before anybody stored to it. A private mapping shows its file until then, and the file may
    /// change meanwhile.
    fn at_first(&self, word: VirtAddr) -> BTreeSet<u64> {
        let mut values = BTreeSet::from([at_first(self.shown, word)]);
        if let Some(file) = behind(self.shown, word) {
            values.extend(self.stores(file).iter().map(|store| store.value));
            values.extend(self.discarded(file).then_some(0));
        }
        values
    }

    /// What a word may hold that nobody stored to.
    pub(super) fn unstored(&self, address: VirtAddr) -> BTreeSet<u64> {
        let word = word_of(self.shown, address);
        let mut values = self.at_first(word);
        values.extend(self.discarded(word).then_some(0));
        values
    }

    /// What the word may hold in the end: a last store, or nothing if it was never stored to or may have been
    /// discarded.
    pub(super) fn finally(&self, address: VirtAddr) -> BTreeSet<u64> {
        if self.order == Order::Stamped {
            return self.history(address).loadable(u64::MAX);
        }
        let tasks = (0..self.logs.len()).filter(|log| !self.logs[*log].before_others);
        let mut allowed: BTreeSet<u64> = tasks.filter_map(|log| self.last(address, log, usize::MAX)).collect();
        if allowed.is_empty() {
            allowed = self.initially(address);
        }
        if self.discarded(address) {
            allowed.extend(self.initially(address));
            allowed.insert(0);
        }
        allowed
    }

    /// What a load may return that is event number `event` of its log.
    pub(super) fn loadable(&self, log: usize, event: usize, address: VirtAddr) -> BTreeSet<u64> {
        let address = word_of(self.shown, address);
        if self.order == Order::Stamped {
            return self.history(address).loadable(self.logs[log].events[event].began);
        }
        let theirs = self.stores(address).iter().filter(|store| store.log != log);
        let concurrent = theirs.filter(|store| !store.before_others);
        let mut allowed: BTreeSet<u64> = concurrent.map(|store| store.value).collect();
        match self.last(address, log, event) {
            Some(mine) => allowed.extend([mine]),
            None => allowed.extend(self.initially(address)),
        }
        if self.discarded(address) {
            allowed.extend(self.initially(address));
            allowed.insert(0);
        }
        allowed
    }

    /// What event number `event` of a log may have found, whichever kind of load it is.
    pub(super) fn may_find(&self, log: usize, event: usize, address: VirtAddr) -> BTreeSet<u64> {
        if let GhostEvent::LoadedByReference(..) = self.logs[log].events[event].event {
            return self.loadable_by_reference(log, event, address);
        }
        self.loadable(log, event, address)
    }

    /// What a load may return that is event number `event` of its log, from a page to which the task has had a
    /// reference since the event began: whatever the word has held meanwhile, here or in the page by itself.
    fn loadable_by_reference(&self, log: usize, event: usize, address: VirtAddr) -> BTreeSet<u64> {
        let word = word_of(self.shown, address);
        let Stamped { began, ended, .. } = self.logs[log].events[event];
        if self.order == Order::Stamped {
            return self.history(word).between(began, ended);
        }
        let mut allowed = self.loadable(log, event, address);
        allowed.extend(self.initially(word));
        allowed.extend(self.stored_values(word));
        allowed
    }
}

/// D37: each completed store is visible to later loads until it is discarded.
pub(super) fn no_lost_write<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let allowed = Allowed::of(quiet);
    let mut evaluated = 0;
    let of_files = shown_words(&quiet.files.shown).filter(|address| !allowed.is_stored(*address));
    for address in allowed.words().chain(of_files) {
        let held = word::<P>(quiet, address);
        let may = allowed.finally(address);
        evaluated += 1;
        if !may.contains(&held) {
            let place = place(address);
            return Err(format!("the word at {place} holds {held:#x}, but the stores to it leave one of {may:x?}"));
        }
    }
    for (log, GhostLog { events, .. }) in quiet.ghost.iter().enumerate() {
        for (event, what) in events.iter().enumerate() {
            let Some((address, value)) = what.event.found() else { continue };
            let may = allowed.may_find(log, event, address);
            evaluated += 1;
            if !may.contains(&value) {
                return Err(format!("a load of {address} returned {value:#x}, not one of {may:x?}"));
            }
        }
    }
    Ok(evaluated)
}

/// A word as people know it: its address, or where it is in its file.
fn place(word: VirtAddr) -> String {
    match in_file(word) {
        Some((file, byte)) => format!("byte {byte:#x} of file {}", file.0),
        None => word.to_string(),
    }
}

/// What a word holds; 0 if nothing is mapped there. A word of a file is in the page cache, or on the disk.
pub(super) fn word<P: Platform>(quiet: &Quiet<'_, P>, address: VirtAddr) -> u64 {
    if let Some((file, byte)) = in_file(address) {
        let file = &quiet.files.files[file.0 as usize];
        let (index, word) = (byte / P::GEOMETRY.page_size(), (byte % P::GEOMETRY.page_size() / 8) as usize);
        let cached = match file.behaviour().fault {
            // The slots are huge pages.
            FaultOp::Hugetlb => {
                let within = index & (P::GEOMETRY.entries() as u64 - 1);
                file.peek(index >> P::GEOMETRY.index_bits).map(|head| Pfn::truncate(head.number() + within))
            }
            // A page whose read failed, or is not over, holds anything.
            FaultOp::Filemap => {
                let has_contents = |pfn: &Pfn| quiet.mm.memory().folio(*pfn).contents() == Contents::Uptodate;
                file.peek(index).filter(has_contents)
            }
            FaultOp::Shmem | FaultOp::None => file.peek(index),
        };
        return match cached {
            Some(pfn) => super::folios::word_at(quiet.mm.memory(), pfn, word),
            None if file.behaviour().fault == FaultOp::Hugetlb => 0,
            None => file.word_on_disk(index, word),
        };
    }
    let Some(pfn) = quiet.layout.frame_for::<P>(address) else { return 0 };
    let index = (address.page_offset(P::GEOMETRY) / 8) as usize;
    super::folios::word_at(quiet.mm.memory(), pfn, index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: VirtAddr = VirtAddr::user(8);

    fn log(before_others: bool, events: &[GhostEvent]) -> GhostLog {
        let mut log = GhostLog { before_others, ..GhostLog::default() };
        events.iter().for_each(|event| log.push(*event, (0, 0)));
        log
    }

    #[test]
    fn only_a_last_store_can_remain() {
        let stored = |value| GhostEvent::Stored(WORD, value);
        let logs = [log(true, &[stored(9)]), log(false, &[stored(1), stored(2)]), log(false, &[stored(3)])];
        assert_eq!(Allowed::new(Order::Unknown, &logs, &[]).finally(WORD), BTreeSet::from([2, 3]));
        assert_eq!(Allowed::new(Order::Unknown, &logs[..1], &[]).finally(WORD), BTreeSet::from([9]));
        assert_eq!(Allowed::new(Order::Unknown, &[], &[]).finally(WORD), BTreeSet::from([0]));
    }

    #[test]
    fn a_discard_allows_nothing_to_remain() {
        let discards = GhostEvent::Discards { start: VirtAddr::user(0), end: VirtAddr::user(16) };
        let logs = [log(false, &[GhostEvent::Stored(WORD, 1)]), log(false, &[discards])];
        assert_eq!(Allowed::new(Order::Unknown, &logs, &[]).finally(WORD), BTreeSet::from([0, 1]));
    }

    #[test]
    fn a_task_sees_its_own_store_or_a_store_of_another() {
        let logs = [
            log(true, &[GhostEvent::Stored(WORD, 9)]),
            log(false, &[GhostEvent::Loaded(WORD, 9), GhostEvent::Stored(WORD, 1), GhostEvent::Loaded(WORD, 1)]),
            log(false, &[GhostEvent::Stored(WORD, 2)]),
        ];
        let allowed = Allowed::new(Order::Unknown, &logs, &[]);
        assert_eq!(allowed.loadable(1, 0, WORD), BTreeSet::from([2, 9]));
        assert_eq!(allowed.loadable(1, 2, WORD), BTreeSet::from([1, 2]));
    }
}
