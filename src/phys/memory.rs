//! Physical memory as a whole: the words of all frames in one arena, and `mem_map` beside it.
//!
//! A frame is an array of the platform's atomic words, and a page table *is* a frame: the hardware walker, the table
//! code and the data path see the same memory.
//!
//! # Memory ordering
//! - O1. `clear_page` stores with relaxed order: nobody else can reach the frame yet, and the entry that
//!   publishes it is stored with `Release`.

use std::fmt;
use std::io;

use crate::platform::{AtomicWord, Ordering, Platform, describe, enter, number, remark};

use super::address::Pfn;
use super::config::PhysConfig;
use super::cpu::CpuId;
use super::folio::FolioFlags;
use super::hstate::{Hstate, Restore};
use super::lru::Lru;
use super::memcg::MemCgroup;
use super::page::{Page, PageState};
use super::translations::Translations;
use super::zone::{Purpose, Zone};

/// No frame is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// All frames and what is known of them.
pub struct PhysMem<P: Platform> {
    first: Pfn,
    words: P::Words,
    mem_map: Box<[Page<P>]>,
    zone: Zone<P>,
    lru: Lru<P>,
    memcg: MemCgroup<P>,
    hstate: Hstate<P>,
    translations: Translations,
}

impl<P: Platform> PhysMem<P> {
    /// Memory of `config.frames` frames, all free but for those that are set aside for hugetlb mappings.
    ///
    /// # Errors
    /// The host's reason if it has not that much memory.
    pub fn new(config: &PhysConfig) -> Result<Self, io::Error> {
        let memory = Self {
            first: config.first,
            words: P::words(config.frames * P::GEOMETRY.entries())?,
            mem_map: (0..config.frames).map(|_| Page::new()).collect(),
            zone: Zone::new(config),
            lru: Lru::new(config),
            memcg: MemCgroup::new(config),
            hstate: Hstate::new(config),
            translations: Translations::default(),
        };
        memory.pages().for_each(|(pfn, page)| {
            page.describe(pfn);
            memory.describe_data(pfn);
        });
        memory.hugetlb_hstate_alloc_pages(config.nr_hugepages);
        Ok(memory)
    }

    /// Frames in all.
    pub fn frames(&self) -> usize {
        self.mem_map.len()
    }

    /// Whether the frame exists.
    pub fn contains(&self, pfn: Pfn) -> bool {
        pfn.number().checked_sub(self.first.number()).is_some_and(|offset| offset < self.frames() as u64)
    }

    /// Every frame, with what is known of it.
    pub fn pages(&self) -> impl Iterator<Item = (Pfn, &Page<P>)> {
        self.mem_map.iter().enumerate().map(|(index, page)| (self.pfn(index as u32), page))
    }

    /// What is known of a frame (`pfn_to_page`).
    ///
    /// # Panics
    /// If the frame does not exist.
    pub fn page(&self, pfn: Pfn) -> &Page<P> {
        &self.mem_map[self.index(pfn) as usize]
    }

    /// The lock and the flags of the folio that a frame belongs to; the caller has a reference to it.
    pub fn folio(&self, pfn: Pfn) -> &FolioFlags<P> {
        self.page(self.folio_of(pfn)).folio()
    }

    /// One word of a frame.
    ///
    /// # Panics
    /// If the frame does not exist or has not that many words.
    #[track_caller]
    pub fn word(&self, pfn: Pfn, word: usize) -> &P::AtomicU64 {
        let entries = P::GEOMETRY.entries();
        assert!(word < entries, "word {word} of a frame of {entries}");
        self.page(pfn).contents_used();
        &self.words[self.index(pfn) as usize * entries + word]
    }

    /// Ghost: the frames that CPUs remember.
    pub(super) fn translations(&self) -> &Translations {
        &self.translations
    }

    /// All words of a frame, to say what they are; whoever reads or writes one takes [`PhysMem::word`].
    pub(crate) fn words_of(&self, pfn: Pfn) -> &[P::AtomicU64] {
        let entries = P::GEOMETRY.entries();
        &self.words[self.index(pfn) as usize * entries..][..entries]
    }

    /// Says of a frame that its words are data.
    fn describe_data(&self, pfn: Pfn) {
        for (index, word) in self.words_of(pfn).iter().enumerate() {
            describe::<P>(word, format_args!("word {index} of {pfn}"), number);
        }
    }

    /// Who hands out frames.
    pub fn zone(&self) -> &Zone<P> {
        &self.zone
    }

    /// The LRU lists.
    pub fn lru(&self) -> &Lru<P> {
        &self.lru
    }

    /// The memory cgroup that all user pages are charged to.
    pub fn memcg(&self) -> &MemCgroup<P> {
        &self.memcg
    }

    /// The pool of huge pages of hugetlb mappings.
    pub fn hstate(&self) -> &Hstate<P> {
        &self.hstate
    }

    /// A frame with one reference; its words are whatever they were (`alloc_pages` of order 0).
    ///
    /// # Errors
    /// If no frame is free.
    pub fn alloc_page(&self, cpu: CpuId, state: PageState) -> Result<Pfn, OutOfMemory> {
        enter::<P>("alloc_pages", format_args!("order=0, for={state:?}")).run(
            || {
                let frame = self.zone.alloc(cpu, purpose(state)).ok_or(OutOfMemory)?;
                let pfn = self.pfn(frame);
                self.page(pfn).begin(cpu, state);
                self.describe_data(pfn);
                Ok(pfn)
            },
            |result| match result {
                Ok(pfn) => {
                    format!("{pfn:?} (direct map {:#x})", pfn.byte(0, P::GEOMETRY).direct_map())
                }
                Err(OutOfMemory) => "NULL".to_owned(),
            },
        )
    }

    /// Sets every word of a frame that only the caller can reach to zero.
    #[track_caller]
    pub fn clear_page(&self, pfn: Pfn) {
        remark::<P>(format_args!("clear the page: {} words of zero", P::GEOMETRY.entries()));
        self.clear_words(pfn);
    }

    #[track_caller]
    pub(super) fn clear_words(&self, pfn: Pfn) {
        self.page(pfn).contents_written();
        for word in 0..P::GEOMETRY.entries() {
            // ORDER none: O1.
            self.word(pfn, word).store(0, Ordering::Relaxed);
        }
    }

    /// Sets every word of a frame that only the caller uses to what `word` says of its index (what a device does that
    /// has read a block).
    #[track_caller]
    pub fn fill_page(&self, pfn: Pfn, word: impl Fn(usize) -> u64) {
        self.page(pfn).contents_written();
        remark::<P>(format_args!("fill the page: {} words", P::GEOMETRY.entries()));
        for index in 0..P::GEOMETRY.entries() {
            // ORDER none: O1; for a page of a file the flag that says that its contents are there publishes it.
            self.word(pfn, index).store(word(index), Ordering::Relaxed);
        }
    }

    /// Copies a user's page to a frame that only the caller can reach (`copy_user_highpage`). Users may store to the
    /// source meanwhile.
    #[track_caller]
    pub fn copy_page(&self, to: Pfn, from: Pfn) {
        remark::<P>(format_args!("copy the page: {} words of {from}", P::GEOMETRY.entries()));
        self.copy_words(to, from);
    }

    #[track_caller]
    pub(super) fn copy_words(&self, to: Pfn, from: Pfn) {
        self.page(to).contents_written();
        for index in 0..P::GEOMETRY.entries() {
            // ORDER none: O1; the source's words are user data.
            self.word(to, index).store(self.word(from, index).load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Drops a reference to the folio of a user's page and frees it with the last (`folio_put`).
    pub fn put_page(&self, cpu: CpuId, pfn: Pfn) {
        let head = self.folio_of(pfn);
        if self.page(head).put() {
            if self.page(head).state() == PageState::Hugetlb {
                return self.free_huge_folio(head, Restore::No);
            }
            self.lru.remove(self.index(head));
            self.memcg.uncharge_pages(cpu, 1 << self.page(head).order());
            self.free(cpu, head);
        }
    }

    /// Frees a page that was never charged, mapped or listed, or a table.
    pub fn free_uncharged(&self, cpu: CpuId, pfn: Pfn) {
        let last = self.page(pfn).put();
        assert!(last, "D16: a page was freed that others refer to");
        self.free(cpu, pfn);
    }

    /// Puts a page on its way to the LRU lists (`folio_add_lru`).
    pub fn add_to_lru(&self, cpu: CpuId, pfn: Pfn) {
        let page = self.page(pfn);
        page.get();
        for frame in self.lru.add(cpu, self.index(pfn)) {
            self.put_page(cpu, self.pfn(frame));
        }
        // A batch of large folios would keep a great many pages from being found.
        if page.order() > 0 {
            self.drain_lru_batch(cpu);
        }
    }

    /// Takes a folio off its LRU list, with a reference; `false` if it is on none (`folio_isolate_lru`). The caller has
    /// it locked, and somebody refers to it.
    pub fn isolate_lru(&self, head: Pfn) -> bool {
        let isolated = self.lru.isolate(self.index(head));
        if isolated {
            self.page(head).get();
        }
        isolated
    }

    /// Puts an isolated folio on its way back to the lists, and drops the reference (`folio_putback_lru`).
    pub fn putback_lru(&self, cpu: CpuId, head: Pfn) {
        self.add_to_lru(cpu, head);
        self.put_page(cpu, head);
    }

    /// Empties the CPU's own LRU batch (`lru_add_drain`).
    pub fn drain_lru_batch(&self, cpu: CpuId) {
        for frame in self.lru.drain(cpu) {
            self.put_page(cpu, self.pfn(frame));
        }
    }

    /// Empties every CPU's LRU batch (`lru_add_drain_all`).
    pub fn drain_lru_batches(&self, cpu: CpuId) {
        for frame in self.lru.drain_all() {
            self.put_page(cpu, self.pfn(frame));
        }
    }

    /// Makes `pfn` the next frame that `cpu` hands to a user; `false` if it is not free.
    pub fn make_next_user_frame(&self, cpu: CpuId, pfn: Pfn) -> bool {
        self.contains(pfn) && self.zone.make_next(cpu, Purpose::User, self.index(pfn))
    }

    fn free(&self, cpu: CpuId, pfn: Pfn) {
        let page = self.page(pfn);
        let order = page.order();
        let purpose = if order > 0 { Purpose::Huge } else { purpose(page.state()) };
        for tail in self.tails(pfn, order) {
            self.assert_not_translated(tail);
            self.page(tail).end();
        }
        self.assert_not_translated(pfn);
        page.end();
        self.zone.free(cpu, purpose, self.index(pfn));
    }

    pub(super) fn pfn(&self, index: u32) -> Pfn {
        Pfn::truncate(self.first.number() + u64::from(index))
    }

    pub(super) fn index(&self, pfn: Pfn) -> u32 {
        assert!(self.contains(pfn), "{pfn:?} is not a frame of this machine");
        (pfn.number() - self.first.number()) as u32
    }
}

fn purpose(state: PageState) -> Purpose {
    match state {
        PageState::Table { .. } | PageState::Reserved => Purpose::Table,
        PageState::User | PageState::Free => Purpose::User,
        PageState::Hugetlb | PageState::Pool => Purpose::Huge,
    }
}

impl<P: Platform> fmt::Debug for PhysMem<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PhysMem")
            .field("first", &self.first)
            .field("frames", &self.frames())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phys::ChargeFailed;
    use crate::platform::{Native, X86_64};

    fn memory(frames: usize, limit_pages: u64) -> PhysMem<Native<X86_64>> {
        let config = PhysConfig::linux(Pfn::truncate(0x1000), frames, 2);
        PhysMem::new(&PhysConfig { memcg_limit_pages: limit_pages, ..config }).expect("a little memory")
    }

    const CPU: CpuId = CpuId::new(0);

    #[test]
    fn every_frame_can_be_had_once_and_then_memory_is_out() {
        let memory = memory(200, u64::MAX);
        let taken: Vec<_> = std::iter::from_fn(|| memory.alloc_page(CPU, PageState::User).ok()).collect();
        assert_eq!(taken.len(), 200);
        assert_eq!(memory.alloc_page(CPU, PageState::User), Err(OutOfMemory));
        taken.into_iter().for_each(|pfn| memory.free_uncharged(CPU, pfn));
        assert_eq!(memory.zone().free_frames(), 200);
    }

    #[test]
    fn a_freed_frame_has_a_new_generation() {
        let memory = memory(1, u64::MAX);
        for generation in 0..3 {
            let pfn = memory.alloc_page(CPU, PageState::User).expect("one frame");
            assert_eq!(memory.page(pfn).generation(), generation);
            memory.free_uncharged(CPU, pfn);
        }
    }

    #[test]
    fn a_page_lives_as_long_as_its_last_reference_and_leaves_the_lists() {
        let memory = memory(4, u64::MAX);
        let pfn = memory.alloc_page(CPU, PageState::User).expect("a frame");
        memory.memcg().charge(CPU).expect("no limit");
        memory.add_to_lru(CPU, pfn);
        memory.put_page(CPU, pfn);
        assert_eq!(memory.page(pfn).state(), PageState::User, "the LRU batch still refers to it");
        assert_eq!(memory.memcg().charged_pages(), 1);
        memory.drain_lru_batches(CPU);
        assert_eq!(memory.page(pfn).state(), PageState::Free);
        assert_eq!((memory.memcg().charged_pages(), memory.lru().listed()), (0, 0));
    }

    #[test]
    fn the_cgroup_refuses_what_exceeds_its_limit() {
        let memory = memory(4, 2);
        assert_eq!(memory.memcg().charge(CPU), Ok(()));
        assert_eq!(memory.memcg().charge(CpuId::new(1)), Ok(()));
        assert_eq!(memory.memcg().charge(CPU), Err(ChargeFailed));
        memory.memcg().uncharge(CPU);
        assert_eq!(memory.memcg().charge(CPU), Ok(()));
    }

    #[test]
    fn the_chosen_frame_comes_next() {
        let memory = memory(64, u64::MAX);
        let wanted = Pfn::truncate(0x1021);
        assert!(memory.make_next_user_frame(CPU, wanted));
        assert!(!memory.make_next_user_frame(CPU, wanted), "it is no longer free");
        assert!(!memory.make_next_user_frame(CPU, Pfn::truncate(0x1040)), "there is no such frame");
        assert_eq!(memory.alloc_page(CPU, PageState::User), Ok(wanted));
    }

    #[test]
    fn a_cleared_page_holds_zeros() {
        let memory = memory(1, u64::MAX);
        let pfn = memory.alloc_page(CPU, PageState::User).expect("a frame");
        memory.word(pfn, 511).store(7, Ordering::Relaxed);
        memory.clear_page(pfn);
        assert!((0..512).all(|word| memory.word(pfn, word).load(Ordering::Relaxed) == 0));
    }
}
