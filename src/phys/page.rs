//! What is known of a frame (`struct page`): its life, its references, its mapping, and, if it is a table, the table's
//! lock.
//!
//! # State
//!
//! ```text
//!          alloc                          last put / table free
//!   Free ---------> User or Table(level) ----------------------> Free, generation + 1
//!   Reserved (the zero page; never freed)
//! ```
//!
//! # Invariants
//! - I1 (D14, D21). The state is written by the one thread that owns the frame: who allocates it, who drops its last
//!   reference. Everyone else reads it through an entry that happens-after the first and before the second.
//! - I2 (D5, D22). `contents` is written when the frame's words are set up, and read by everyone who follows an entry
//!   to them; without the publication that orders the two, that is a data race.
//! - I3 (D27). `anon_exclusive` is read under the lock of any table that maps the page, and written by the one who is
//!   alone with it: who maps it first, whose entry is the only one, or who holds its last reference. It needs no atomic.
//!
//! # Memory ordering
//! - O1. `put` is `AcqRel`: whoever drops the last reference sees everything that others did with the page.
//! - O2. `add_mapcount` is `AcqRel`: whoever finds one mapping left sees what was done through the others (Linux's
//!   atomics are fully ordered here: `mm/memory.c` relies on it to keep the flush before the uncounting).

use std::fmt;

use super::cpu::CpuId;
use super::folio::FolioFlags;
use crate::locks::Spin;
use crate::platform::{AtomicWord, Ordering, Platform, RaceCell, Word};

/// Who owns a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Nobody.
    Free,
    /// The kernel, for ever: the zero page.
    Reserved,
    /// A user, through one or more mappings.
    User,
    /// A page table of the level that is counted from 1 (entries map pages) up to the geometry's levels.
    Table {
        /// The level.
        level: u32,
    },
}

impl Word for PageState {
    fn into_word(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Reserved => 1,
            Self::User => 2,
            Self::Table { level } => 2 + u64::from(level),
        }
    }

    fn from_word(word: u64) -> Self {
        match word {
            0 => Self::Free,
            1 => Self::Reserved,
            2 => Self::User,
            table => Self::Table { level: u32::try_from(table - 2).expect("there are at most 4 levels") },
        }
    }
}

/// An `anon_vma`, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnonVmaId(pub u64);

/// What a page is a page of (`page->mapping`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Nothing yet.
    None,
    /// Anonymous memory of the VMAs below an `anon_vma`.
    Anon(AnonVmaId),
}

/// The bit that tells an anonymous mapping (`PAGE_MAPPING_ANON`).
const MAPPING_ANON: u64 = 1;

impl Word for Mapping {
    fn into_word(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Anon(id) => id.0 << 1 | MAPPING_ANON,
        }
    }

    fn from_word(word: u64) -> Self {
        if word & MAPPING_ANON == 0 { Self::None } else { Self::Anon(AnonVmaId(word >> 1)) }
    }
}

/// What is known of one frame.
pub struct Page<P: Platform> {
    state: RaceCell<P, PageState>,
    generation: RaceCell<P, u64>,
    refcount: P::AtomicU64,
    mapcount: P::AtomicU64,
    mapping: RaceCell<P, Mapping>,
    index: RaceCell<P, u64>,
    contents: RaceCell<P, u64>,
    allocated_by: RaceCell<P, u64>,
    ptl: Spin<P, ()>,
    folio: FolioFlags<P>,
    anon_exclusive: RaceCell<P, bool>,
}

impl<P: Platform> Page<P> {
    pub(super) fn new() -> Self {
        Self {
            state: RaceCell::new("D14 (an entry names an allocated frame)", PageState::Free),
            generation: RaceCell::new("D14 (an entry names an allocated frame)", 0),
            refcount: P::AtomicU64::new(0),
            mapcount: P::AtomicU64::new(0),
            mapping: RaceCell::new("D24 (a mapped folio is findable)", Mapping::None),
            index: RaceCell::new("D24 (a mapped folio is findable)", 0),
            contents: RaceCell::new("D5 and D22 (contents are set up before an entry shows them)", 0),
            allocated_by: RaceCell::new("D14 (an entry names an allocated frame)", 0),
            ptl: Spin::new("page->ptl", ()),
            folio: FolioFlags::new(),
            anon_exclusive: RaceCell::new("D27 (an exclusive page has one mapping)", false),
        }
    }

    /// Who owns the frame.
    #[track_caller]
    pub fn state(&self) -> PageState {
        self.state.get()
    }

    /// How often the frame has been freed.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// The lock of the table in this frame (`ptlock_ptr`).
    pub fn ptl(&self) -> &Spin<P, ()> {
        &self.ptl
    }

    /// References to the page.
    pub fn refcount(&self) -> u64 {
        // ORDER none: an answer about now; who acts on it holds what keeps it true.
        self.refcount.load(Ordering::Relaxed)
    }

    /// Takes one more reference (`folio_get`).
    pub fn get(&self) {
        // ORDER none: the caller has a reference, so the page cannot go away meanwhile.
        self.refcount.fetch_add(1, Ordering::Relaxed);
    }

    /// References to the page, and everything that those who dropped theirs did with it before: whoever finds that it is
    /// the last to have one may do as it likes.
    pub fn refcount_after_puts(&self) -> u64 {
        // ORDER O1: pairs with `put`.
        self.refcount.load(Ordering::Acquire)
    }

    /// The folio lock and the flags that go with it.
    pub fn folio(&self) -> &FolioFlags<P> {
        &self.folio
    }

    /// One entry maps the page, and nobody else will ever look at it: its owner may write without copying
    /// (`PageAnonExclusive`). By I3 whoever asks holds the lock of a table whose entry maps the page.
    #[track_caller]
    pub fn is_anon_exclusive(&self) -> bool {
        self.anon_exclusive.get()
    }

    /// Says so (`SetPageAnonExclusive`).
    #[track_caller]
    pub fn set_anon_exclusive(&self) {
        self.anon_exclusive.set(true);
    }

    /// Says so no longer (`ClearPageAnonExclusive`).
    #[track_caller]
    pub fn clear_anon_exclusive(&self) {
        self.anon_exclusive.set(false);
    }

    /// Entries that map the page (`folio_mapcount`; Linux stores one less).
    pub fn mapcount(&self) -> i64 {
        // ORDER none: an answer about now; who acts on it holds what keeps it true.
        self.mapcount.load(Ordering::Relaxed).cast_signed()
    }

    /// The same, and everything that was done through entries that no longer map the page: whoever finds that one entry
    /// is left may write to it.
    pub fn mapcount_after_removals(&self) -> i64 {
        // ORDER O2: pairs with `add_mapcount`.
        self.mapcount.load(Ordering::Acquire).cast_signed()
    }

    /// Counts entries that map the page or, if negative, that no longer do.
    pub fn add_mapcount(&self, entries: i64) {
        // ORDER O2: pairs with itself, and with `mapcount_after_removals`.
        self.mapcount.fetch_add(entries.cast_unsigned(), Ordering::AcqRel);
    }

    /// What the page is a page of.
    pub fn mapping(&self) -> Mapping {
        self.mapping.get()
    }

    /// Where in its mapping the page is, in pages.
    pub fn index(&self) -> u64 {
        self.index.get()
    }

    /// Says what the page is a page of, before an entry shows it (`__folio_set_anon`).
    pub fn set_mapping(&self, mapping: Mapping, index: u64) {
        self.mapping.set(mapping);
        self.index.set(index);
    }

    /// Ghost: the words of the frame are set up now.
    pub(super) fn contents_written(&self) {
        if P::CHECKED {
            self.contents.set(self.contents.get() + 1);
        }
    }

    /// Ghost: the words of the frame are used; a data race here means that nothing published them.
    #[track_caller]
    pub(super) fn contents_used(&self) {
        if P::CHECKED {
            self.contents.get();
        }
    }

    /// Ghost: the CPU that the frame was last allocated on.
    pub fn allocated_by(&self) -> CpuId {
        CpuId::new(self.allocated_by.get() as usize)
    }

    pub(super) fn begin(&self, cpu: CpuId, state: PageState) {
        let before = self.state.get();
        assert!(before == PageState::Free, "D21: a frame that is {before:?} was allocated again");
        self.state.set(state);
        if P::CHECKED {
            self.allocated_by.set(cpu.index() as u64);
        }
        // ORDER none: nobody else can reach a frame that was just allocated.
        self.refcount.store(1, Ordering::Relaxed);
    }

    /// Drops a reference; `true` if it was the last.
    pub(super) fn put(&self) -> bool {
        // ORDER O1: pairs with itself in every other holder.
        let before = self.refcount.fetch_sub(1, Ordering::AcqRel);
        assert!(before > 0, "D16: a reference was dropped that nobody held");
        before == 1
    }

    pub(super) fn end(&self) {
        let mapcount = self.mapcount();
        assert!(mapcount == 0, "D21: a page that {mapcount} entries map was freed");
        self.set_mapping(Mapping::None, 0);
        self.folio.reset();
        self.clear_anon_exclusive();
        self.state.set(PageState::Free);
        self.generation.set(self.generation.get() + 1);
    }
}

impl<P: Platform> fmt::Debug for Page<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the values: reading them would be steps of the model.
        formatter.debug_struct("Page").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_mappings_survive_their_words() {
        let states = [PageState::Free, PageState::Reserved, PageState::User, PageState::Table { level: 4 }];
        for state in states {
            assert_eq!(PageState::from_word(state.into_word()), state);
        }
        for mapping in [Mapping::None, Mapping::Anon(AnonVmaId(0)), Mapping::Anon(AnonVmaId(7 << 32))] {
            assert_eq!(Mapping::from_word(mapping.into_word()), mapping);
        }
    }
}
