//! The page cache of one file (`struct address_space`, with what the fault path needs of its inode).
//!
//! # State of a slot
//!
//! ```text
//!           add (the folio is locked and not uptodate)        remove (under the folio lock)
//!   empty -------------------------------------------> folio ------------------------------> empty
//! ```
//!
//! # Invariants
//! - I1 (D16). A folio in a slot has a reference for it. So one that nobody refers to is in no slot, and whoever could
//!   not take a reference finds another slot when it looks again.
//! - I2 (D41). `mapping` and `index` of a folio are written before it is in a slot, and `mapping` is taken away under
//!   the folio lock: who holds the lock and finds this mapping has a page of this file, until the unlock.
//! - I3 (D42). Pages at or above the size appear only while `invalidate_lock` is held shared, and a truncation holds
//!   it exclusively: after it has looked, nobody adds behind its back but those who then test the size again.
//!
//! # Memory ordering
//! - O1. A slot is filled and emptied by `AcqRel` updates and read with `Acquire`: who finds a folio sees I2.
//! - O2. The size is stored with `Release` and loaded with `Acquire`. No lock orders it for faults; who must not miss a
//!   smaller one tests it again under the folio lock, which the truncation takes after it has stored the size.
//!
//! Where Linux has a tree whose nodes are freed by RCU and changed under `i_pages`, this is an array that lives as long
//! as the file. Folios are of one page, but for those of `huge_folio`, and of hugetlbfs, whose slots are huge pages.

use std::fmt;

use crate::locks::{LockClass, RwSem, Spin, SpinGuard, Subclass};
use crate::mm::{Mm, ResvMap, RssKind};
use crate::phys::{Contents, CpuId, FileId, Mapping, OutOfMemory, PageState, Pfn, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, enter, named, ordering, recheck, remark};

use super::file_system::{Behaviour, FaultOp, FileSystem};
use super::huge_folio::Slot;
use super::i_mmap::IMmap;

/// A file, as far as memory management knows it.
pub struct AddressSpace<P: Platform> {
    id: FileId,
    size_pages: P::AtomicU64,
    slots: Box<[P::AtomicU64]>,
    i_mmap: IMmap<P>,
    invalidate_lock: RwSem<P, ()>,
    i_rwsem: RwSem<P, ()>,
    file_system: FileSystem<P>,
    /// What is reserved of the pool, for a file of hugetlbfs (`inode_resv_map`).
    resv_map: Option<ResvMap<P>>,
    /// The lock of the slots (`i_pages`).
    i_pages: Spin<P, ()>,
}

/// What adding a folio came to.
#[must_use]
pub(super) enum Added {
    /// It is in the cache, locked, and the caller has a reference.
    Mine(Pfn),
    /// Another one was there first.
    Theirs,
}

impl<P: Platform> AddressSpace<P> {
    /// A file of `pages` pages that can grow to `most_pages`, with nothing in the cache.
    ///
    /// # Panics
    /// If it would be larger than it can grow.
    pub fn new(id: FileId, pages: u64, most_pages: u64, behaviour: Behaviour) -> Self {
        assert!(pages <= most_pages, "a file of {pages} pages has no room in {most_pages}");
        Self {
            id,
            size_pages: named::<P>(format_args!("i_size in pages"), pages),
            slots: (0..most_pages).map(|index| named::<P>(format_args!("page cache slot {index}"), 0)).collect(),
            i_mmap: IMmap::new(),
            invalidate_lock: RwSem::new(LockClass::InvalidateLock, ()),
            i_rwsem: RwSem::new(LockClass::Inode, ()),
            file_system: FileSystem::new(behaviour, pages),
            resv_map: (behaviour.fault == FaultOp::Hugetlb).then(ResvMap::new),
            i_pages: Spin::new(LockClass::IPages, ()),
        }
    }

    /// Its number.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// What its pages are pages of.
    pub fn mapping(&self) -> Mapping {
        match self.behaviour().fault {
            FaultOp::Shmem => Mapping::Shmem(self.id),
            FaultOp::Filemap | FaultOp::Hugetlb | FaultOp::None => Mapping::File(self.id),
        }
    }

    /// What its mapped pages count as.
    pub fn rss_kind(&self) -> RssKind {
        RssKind::of(self.mapping())
    }

    /// What is reserved of the pool, if it is a file of hugetlbfs.
    pub fn resv_map(&self) -> Option<&ResvMap<P>> {
        self.resv_map.as_ref()
    }

    /// How its file system behaves.
    pub fn behaviour(&self) -> &Behaviour {
        self.file_system.behaviour()
    }

    pub(super) fn file_system(&self) -> &FileSystem<P> {
        &self.file_system
    }

    /// Its size in pages (`i_size_read`; a last page that is used in part is not modelled).
    #[track_caller]
    pub fn size_pages(&self) -> u64 {
        // ORDER O2: pairs with `set_size_pages`.
        self.size_pages.load(ordering::<P>(Variant::OSize, Ordering::Acquire))
    }

    /// Changes the size (`i_size_write`), and what the disk has of it. The caller holds [`Self::i_rwsem`].
    ///
    /// # Panics
    /// If it cannot grow that far.
    pub fn set_size_pages(&self, pages: u64) {
        assert!(pages <= self.slots.len() as u64, "the file has room for {} pages", self.slots.len());
        // ORDER O2: pairs with `size_pages`.
        self.size_pages.store(pages, ordering::<P>(Variant::OSetSize, Ordering::Release));
        self.file_system.cut(pages);
    }

    /// The lock of the file's size (`inode->i_rwsem`).
    pub fn i_rwsem(&self) -> &RwSem<P, ()> {
        &self.i_rwsem
    }

    /// The lock that keeps pages from being added while a range is invalidated (`mapping->invalidate_lock`).
    pub fn invalidate_lock(&self) -> &RwSem<P, ()> {
        &self.invalidate_lock
    }

    /// Who maps the file.
    pub fn i_mmap(&self) -> &IMmap<P> {
        &self.i_mmap
    }

    /// Pages that it could have.
    pub fn most_pages(&self) -> u64 {
        self.slots.len() as u64
    }

    /// What the file system gives for a word of a page that is not in the cache.
    pub fn word_on_disk(&self, index: u64, word: usize) -> u64 {
        self.file_system.word(self.id, index, word)
    }

    /// Whether a folio is in the cache at `index`, without a reference to it; by the time it returns, the answer may be
    /// old.
    pub fn peek(&self, index: u64) -> Option<Pfn> {
        self.slot(index).map(|slot| slot.page)
    }

    /// The same, with the head of the page's folio.
    pub(super) fn slot(&self, index: u64) -> Option<Slot> {
        // ORDER O1: pairs with `add` and `remove`.
        Slot::decode::<P>(self.slots.get(index as usize)?.load(ordering::<P>(Variant::OSlot, Ordering::Acquire)), index)
    }

    /// The slots of the huge folio that begins at `first`.
    pub(super) fn slots_of_a_folio(&self, first: u64) -> &[P::AtomicU64] {
        &self.slots[first as usize..][..P::GEOMETRY.entries()]
    }

    /// The lock of the slots. Linux takes it for every change; here only shared memory does, where a huge folio has
    /// many slots, and where who adds a page looks at the size afterwards. (For a file on a disk the invalidate lock
    /// orders the two.)
    pub(super) fn lock_slots(&self) -> Option<SpinGuard<'_, P, ()>> {
        (self.behaviour().fault == FaultOp::Shmem).then(|| self.i_pages.lock())
    }

    /// Whoever fills slots from now on sees what the caller did before, a new size say; what was filled before, the
    /// caller sees.
    pub fn order_with_adders(&self) {
        drop(self.lock_slots());
    }

    /// Fills an empty slot with a page of its own; says whether it was empty.
    fn fill_slot(&self, index: u64, page: Pfn) -> bool {
        let slot = &self.slots[index as usize];
        let _i_pages = self.lock_slots();
        // ORDER O1: publishes the folio; pairs with `peek`.
        let order = ordering::<P>(Variant::OAddFolio, Ordering::AcqRel);
        slot.compare_exchange(0, Slot::small(page), order).is_ok()
    }

    /// The folio at `index`, with a reference (`filemap_get_entry`).
    pub fn get_folio(&self, memory: &PhysMem<P>, cpu: CpuId, index: u64) -> Option<Pfn> {
        loop {
            let found = self.slot(index)?;
            // Nothing keeps the folio until we have a reference: by then it may have been freed (I1), and may even be
            // somebody else's page.
            if !memory.page(found.head).try_get() {
                continue;
            }
            if recheck::<P>(Variant::SlotSame, || self.slot(index) == Some(found)) {
                return Some(found.page);
            }
            remark::<P>(format_args!("the slot changed meanwhile: look again"));
            memory.put_page(cpu, found.head);
        }
    }

    /// Allocates a folio and puts it into the cache, locked (`filemap_add_folio`). `prepare` sets what must stand in
    /// its flags before anybody finds it.
    pub(super) fn add_folio(
        &self,
        memory: &PhysMem<P>,
        cpu: CpuId,
        index: u64,
        prepare: impl FnOnce(Pfn),
    ) -> Result<Added, OutOfMemory> {
        enter::<P>("filemap_add_folio", format_args!("file={}, index={index}", self.id.0)).run(
            || {
                let pfn = folio_prealloc(memory, cpu)?;
                let page = memory.page(pfn);
                page.set_mapping(self.mapping(), index);
                assert!(page.folio().lock().try_lock(), "nobody else knows a folio that was just allocated");
                prepare(pfn);
                page.get();
                if self.fill_slot(index, pfn) {
                    memory.add_to_lru(cpu, pfn);
                    return Ok(Added::Mine(pfn));
                }
                remark::<P>(format_args!("another one was added first; mine is freed"));
                page.folio().lock().unlock();
                memory.put_page(cpu, pfn);
                memory.put_page(cpu, pfn);
                Ok(Added::Theirs)
            },
            |result| match result {
                Ok(Added::Mine(pfn)) => format!("page {pfn}"),
                Ok(Added::Theirs) => "-EEXIST".to_owned(),
                Err(OutOfMemory) => "-ENOMEM".to_owned(),
            },
        )
    }

    /// Puts a folio that nobody else knows into the cache, locked (`hugetlb_add_to_page_cache`).
    ///
    /// # Panics
    /// If there is another one: the fault mutex is held.
    pub(in crate::mm) fn add_hugetlb_folio(&self, memory: &PhysMem<P>, index: u64, folio: Pfn) {
        let page = memory.page(folio);
        page.set_mapping(self.mapping(), index);
        assert!(page.folio().lock().try_lock(), "nobody else knows a folio that was just taken from the pool");
        page.get();
        // ORDER O1: publishes the folio; pairs with `peek`.
        let order = ordering::<P>(Variant::OAddHugetlb, Ordering::AcqRel);
        let added = self.slots[index as usize].compare_exchange(0, Slot::small(folio), order);
        assert!(added.is_ok(), "the fault mutex lets one fault at a time add page {index} to file {}", self.id.0);
    }

    /// Takes a locked folio that nobody maps out of the cache (`filemap_remove_folio`), and drops the cache's
    /// reference. The caller has one of its own.
    ///
    /// # Panics
    /// If an entry still maps it (D42), or if it is not here.
    pub fn remove_folio(&self, memory: &PhysMem<P>, cpu: CpuId, pfn: Pfn) {
        let head = memory.folio_of(pfn);
        if self.behaviour().fault != FaultOp::Hugetlb && memory.page(head).order() > 0 {
            return self.remove_huge_folio(memory, head);
        }
        let page = memory.page(pfn);
        let (index, mapcount) = (page.index(), page.mapcount() + page.entire_mapcount());
        assert!(mapcount == 0, "D42: page {pfn} leaves file {} while {mapcount} entries map it", self.id.0);
        // ORDER O1: pairs with `peek`.
        let order = ordering::<P>(Variant::ORemoveFolio, Ordering::AcqRel);
        let i_pages = self.lock_slots();
        let was = self.slots[index as usize].swap(0, order);
        drop(i_pages);
        assert!(was == Slot::small(pfn), "D41: page {pfn} is not the one that the cache has at {index}");
        page.set_mapping(Mapping::None, index);
        remark::<P>(format_args!("page {pfn} leaves the file"));
        memory.put_page(cpu, pfn);
    }

    /// Waits for the folio lock (`folio_lock`). If a read of the folio is under way, this is when it ends.
    #[track_caller]
    pub fn lock_folio(&self, mm_memory: &PhysMem<P>, pfn: Pfn) {
        self.lock_folio_as(mm_memory, pfn, Subclass::Outer);
    }

    /// As [`AddressSpace::lock_folio`], in a subclass of the folio locks.
    #[track_caller]
    pub(in crate::mm) fn lock_folio_as(&self, mm_memory: &PhysMem<P>, pfn: Pfn, subclass: Subclass) {
        let lock = mm_memory.folio(pfn).lock();
        lock.might_lock_as(subclass);
        if !lock.try_lock_as(subclass) {
            self.file_system.end_read(mm_memory, self.id, pfn);
            lock.lock_as(subclass);
        }
    }

    /// Ends every read that is under way, when nobody runs.
    pub fn end_reads(&self, memory: &PhysMem<P>) {
        for pfn in (0..self.most_pages()).filter_map(|index| self.peek(index)) {
            self.file_system.end_read(memory, self.id, pfn);
        }
    }

    /// Takes everything out of the cache, when nobody runs and nobody maps the file (`truncate_inode_pages_final`).
    pub fn evict(&self, memory: &PhysMem<P>, cpu: CpuId) {
        self.end_reads(memory);
        let mut freed = 0;
        for index in 0..self.most_pages() {
            if let Some(pfn) = self.get_folio(memory, cpu, index) {
                self.remove_folio(memory, cpu, pfn);
                memory.put_page(cpu, pfn);
                freed += 1;
            }
        }
        if let Some(map) = &self.resv_map {
            // hugetlb_unreserve_pages: those in the cache had used theirs.
            memory.hstate().unreserve(map.take_all() - freed);
        }
    }

    /// D41: at the moment of installing, a page is locked, this file's, at this index, and its contents are there.
    pub(in crate::mm) fn assert_installable(&self, mm: &Mm<P>, pfn: Pfn, index: u64) {
        if P::CHECKED {
            let page = mm.memory().page(pfn);
            let (mapping, at, contents) = (page.mapping(), page.index(), mm.memory().folio(pfn).contents());
            let is_mine = mapping == self.mapping() && at == index && contents == Contents::Uptodate;
            assert!(
                is_mine,
                "D41: page {pfn} is {contents:?}, of {mapping:?} at {at}; wanted file {} at {index}",
                self.id.0
            );
            assert!(mm.memory().folio(pfn).lock().is_locked(), "D41: page {pfn} is installed without its lock");
        }
    }
}

/// A page for a user, charged, its contents whatever they were (`folio_prealloc`).
pub(in crate::mm) fn folio_prealloc<P: Platform>(memory: &PhysMem<P>, cpu: CpuId) -> Result<Pfn, OutOfMemory> {
    let pfn = memory.alloc_page(cpu, PageState::User)?;
    if memory.memcg().charge(cpu).is_err() {
        memory.free_uncharged(cpu, pfn);
        return Err(OutOfMemory);
    }
    Ok(pfn)
}

impl<P: Platform> fmt::Debug for AddressSpace<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the slots: reading them would be steps of the model.
        formatter.debug_struct("AddressSpace").field("id", &self.id).finish_non_exhaustive()
    }
}
