//! What is known of a frame (`struct page`): its life, its references, its mapping, and, if it is a table, the table's
//! lock.
//!
//! # State
//!
//! ```text
//!          alloc                          last put / table free
//!   Free ---------> User or Table(level) ----------------------> Free, generation + 1
//!   Reserved (the zero page; never freed)
//!
//!          dequeue                last put
//!   Pool -----------> Hugetlb ----------------> Pool, generation + 1 (set aside at boot, never Free again)
//! ```
//!
//! # Invariants
//! - I1 (D14, D21). The state is written by the one thread that owns the frame: who allocates it, who drops its last
//!   reference. Everyone else reads it through an entry that happens-after the first and before the second.
//! - I2 (D5, D22). `contents` is written when the frame's words are set up, and read by everyone who follows an entry
//!   to them; without the publication that orders the two, that is a data race.
//! - I3 (D27). `anon_exclusive` is read under the lock of any table that maps the page, and written by the one who is
//!   alone with it: who maps it first, whose entry is the only one, or who holds its last reference. It needs no
//!   atomic.
//!
//! # Memory ordering
//! - O1. `put` is `AcqRel`: whoever drops the last reference sees everything that others did with the page.
//! - O2. `add_mapcount` is `AcqRel`: whoever finds one mapping left sees what was done through the others (Linux's
//!   atomics are fully ordered here: `mm/memory.c` relies on it to keep the flush before the uncounting).

use std::fmt;

use super::address::Pfn;
use super::compound::Compound;
use super::cpu::CpuId;
use super::folio::FolioFlags;
use crate::locks::{LockClass, Spin};
use crate::platform::{AtomicWord, Ordering, Platform, RaceCell, Variant, Word, describe, number, ordering};

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
    /// A user, by a folio of the hugetlb pool.
    Hugetlb,
    /// Nobody: it is a part of a folio that waits in the hugetlb pool.
    Pool,
}

impl Word for PageState {
    fn into_word(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Reserved => 1,
            Self::User => 2,
            Self::Table { level } => 2 + u64::from(level),
            Self::Hugetlb => 7,
            Self::Pool => 8,
        }
    }

    fn from_word(word: u64) -> Self {
        match word {
            0 => Self::Free,
            1 => Self::Reserved,
            2 => Self::User,
            7 => Self::Hugetlb,
            8 => Self::Pool,
            table => Self::Table { level: u32::try_from(table - 2).expect("there are at most 4 levels") },
        }
    }
}

/// An `anon_vma`, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnonVmaId(pub u64);

/// A file, by number (its inode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// What a page is a page of (`page->mapping`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Nothing yet, or no longer anything.
    None,
    /// Anonymous memory of the VMAs below an `anon_vma`.
    Anon(AnonVmaId),
    /// The page cache of a file on a disk.
    File(FileId),
    /// The page cache of shared memory, which has no disk (`folio_test_swapbacked` tells it from a file).
    Shmem(FileId),
}

const TAG_BITS: u32 = 2;
const TAG_ANON: u64 = 1;
const TAG_FILE: u64 = 2;
const TAG_SHMEM: u64 = 3;

impl Word for Mapping {
    fn into_word(self) -> u64 {
        let (id, tag) = match self {
            Self::None => (0, 0),
            Self::Anon(id) => (id.0, TAG_ANON),
            Self::File(id) => (id.0, TAG_FILE),
            Self::Shmem(id) => (id.0, TAG_SHMEM),
        };
        id << TAG_BITS | tag
    }

    fn from_word(word: u64) -> Self {
        let id = word >> TAG_BITS;
        match word & ((1 << TAG_BITS) - 1) {
            TAG_ANON => Self::Anon(AnonVmaId(id)),
            TAG_FILE => Self::File(FileId(id)),
            TAG_SHMEM => Self::Shmem(FileId(id)),
            _ => Self::None,
        }
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
    compound: Compound<P>,
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
            ptl: Spin::new(LockClass::Ptl, ()),
            folio: FolioFlags::new(),
            compound: Compound::new(),
        }
    }

    /// Says which frame's counts these are.
    pub(super) fn describe(&self, pfn: Pfn) {
        describe::<P>(&self.refcount, format_args!("refcount of {pfn}"), number);
        describe::<P>(&self.mapcount, format_args!("mapcount of {pfn}"), number);
        self.folio.describe(pfn);
        self.compound.describe(pfn);
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

    /// References to the page, and everything that those who dropped theirs did with it before: whoever finds that it
    /// is the last to have one may do as it likes.
    pub fn refcount_after_puts(&self) -> u64 {
        // ORDER O1: pairs with `put`.
        self.refcount.load(ordering::<P>(Variant::OLastPut, Ordering::Acquire))
    }

    /// Takes a reference unless nobody has one (`folio_try_get`): whoever found the page without holding anything that
    /// keeps it, and then looks whether it is still the one that it wanted.
    #[must_use]
    pub fn try_get(&self) -> bool {
        // ORDER O1: pairs with the last `put`: who finds nobody sees that the page has left the place where it was
        // found, and does not find it there for ever.
        let mut count = self.refcount.load(ordering::<P>(Variant::OTryGet, Ordering::Acquire));
        while count != 0 {
            // ORDER O1: as `put`, whose releases it follows.
            match self.refcount.compare_exchange(count, count + 1, ordering::<P>(Variant::OTryGet, Ordering::AcqRel)) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
        false
    }

    /// The lock and the flags that a page of a file has.
    pub fn folio(&self) -> &FolioFlags<P> {
        &self.folio
    }

    /// The page is a tail: its folio's head comes so many frames before it. Zero for a head.
    pub fn from_head(&self) -> u64 {
        self.compound.frames_after_head()
    }

    /// The folio that the page is the head of has 2^order frames (`folio_order`).
    pub fn order(&self) -> u32 {
        self.compound.order()
    }

    /// Huge entries that map the folio that the page is the head of (`folio_entire_mapcount`).
    pub fn entire_mapcount(&self) -> i64 {
        self.compound.entire_mapcount()
    }

    /// The same, and everything that was done through huge entries that no longer map the folio: whoever finds that one
    /// entry is left may write to it.
    pub fn entire_mapcount_after_removals(&self) -> i64 {
        self.compound.entire_mapcount_after_removals()
    }

    /// Counts huge entries that map the folio or, if negative, that no longer do.
    pub fn add_entire_mapcount(&self, entries: i64) {
        self.compound.add_entire_mapcount(entries);
    }

    /// Nobody else maps the page (`PageAnonExclusive`). Who asks holds the lock of the table that maps it.
    #[track_caller]
    pub fn is_anon_exclusive(&self) -> bool {
        self.compound.anon_exclusive().get()
    }

    /// Says that nobody else maps the page (`SetPageAnonExclusive`).
    #[track_caller]
    pub fn set_anon_exclusive(&self) {
        self.compound.anon_exclusive().set(true);
    }

    /// Says that somebody else may map the page (`ClearPageAnonExclusive`).
    #[track_caller]
    pub fn clear_anon_exclusive(&self) {
        self.compound.anon_exclusive().set(false);
    }

    /// The list of deposited tables that begins or goes on here (I2 of `compound`).
    pub(super) fn deposit(&self) -> &RaceCell<P, u64> {
        self.compound.deposit()
    }

    /// Makes the page a part of a folio of 2^order frames; the references are the head's.
    pub(super) fn join_folio(&self, from_head: u64, order: u32) {
        self.compound.set(from_head, order);
        if from_head != 0 {
            // ORDER none: nobody else can reach a frame that was just allocated.
            self.refcount.store(0, Ordering::Relaxed);
        }
    }

    /// Makes a tail a folio of its own, with so many references.
    pub(super) fn leave_folio(&self, references: u64) {
        self.compound.set(0, 0);
        // ORDER none: nobody refers to a tail, and the caller keeps everybody from the entries that map the folio.
        self.refcount.store(references, Ordering::Relaxed);
    }

    /// Makes a head a folio of one page; others may take and drop references meanwhile.
    pub(super) fn lose_tails(&self) {
        self.compound.set_order(0);
    }

    /// Entries of PTE tables that map the page (`folio_mapcount`; Linux stores one less).
    pub fn mapcount(&self) -> i64 {
        // ORDER none: an answer about now; who acts on it holds what keeps it true.
        self.mapcount.load(Ordering::Relaxed).cast_signed()
    }

    /// The same, and everything that was done through entries that no longer map the page: whoever finds that one entry
    /// is left may write to it.
    pub fn mapcount_after_removals(&self) -> i64 {
        // ORDER O2: pairs with `add_mapcount`.
        self.mapcount.load(ordering::<P>(Variant::OLastMapping, Ordering::Acquire)).cast_signed()
    }

    /// Counts entries that map the page or, if negative, that no longer do.
    pub fn add_mapcount(&self, entries: i64) {
        // ORDER O2: pairs with itself, and with `mapcount_after_removals`.
        self.mapcount.fetch_add(entries.cast_unsigned(), ordering::<P>(Variant::OMapcount, Ordering::AcqRel));
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
    #[track_caller]
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
        // ORDER O1: `try_get` by somebody who looks for the page that this frame was before sees what it is now.
        self.refcount.store(1, ordering::<P>(Variant::OBegin, Ordering::Release));
    }

    /// Drops a reference; `true` if it was the last.
    pub(super) fn put(&self) -> bool {
        // ORDER O1: pairs with itself in every other holder.
        let before = self.refcount.fetch_sub(1, ordering::<P>(Variant::OPut, Ordering::AcqRel));
        assert!(before > 0, "D16: a reference was dropped that nobody held");
        before == 1
    }

    /// The frame leaves the hugetlb pool; the references are the head's.
    pub(super) fn leave_pool(&self, cpu: CpuId) {
        let before = self.state.get();
        assert!(before == PageState::Pool, "D57: a frame of the hugetlb pool was {before:?}");
        self.state.set(PageState::Hugetlb);
        if P::CHECKED {
            self.allocated_by.set(cpu.index() as u64);
        }
        if self.from_head() == 0 {
            // ORDER O1: as `begin`.
            self.refcount.store(1, ordering::<P>(Variant::OLeavePool, Ordering::Release));
        }
    }

    /// The frame goes back to the hugetlb pool, still a part of its folio.
    pub(super) fn enter_pool(&self) {
        self.set_mapping(Mapping::None, 0);
        self.folio.reset();
        self.compound.reset_users();
        self.state.set(PageState::Pool);
        self.generation.set(self.generation.get() + 1);
    }

    /// Drops a reference of which the caller knows that it is not the last: it has one of its own.
    pub fn drop_but_not_last(&self) {
        let was_last = self.put();
        assert!(!was_last, "D16: the last reference was dropped by somebody who thought that he had another");
    }

    pub(super) fn end(&self) {
        let mapcount = self.mapcount();
        assert!(mapcount == 0, "D21: a page that {mapcount} entries map was freed");
        self.set_mapping(Mapping::None, 0);
        self.folio.reset();
        self.compound.reset();
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
        let states = [PageState::Free, PageState::Reserved, PageState::User, PageState::Hugetlb, PageState::Pool];
        for state in states.into_iter().chain((1..=4).map(|level| PageState::Table { level })) {
            assert_eq!(PageState::from_word(state.into_word()), state);
        }
        let anon = [AnonVmaId(0), AnonVmaId(7 << 32)].map(Mapping::Anon);
        let files = [Mapping::None, Mapping::File(FileId(0)), Mapping::Shmem(FileId(0)), Mapping::File(FileId(9))];
        for mapping in anon.into_iter().chain(files) {
            assert_eq!(Mapping::from_word(mapping.into_word()), mapping);
        }
    }
}
