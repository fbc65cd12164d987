//! Huge folios in a page cache (`mm/shmem.c`, `shmem_alloc_and_add_folio`): one folio in as many slots as it has pages.
//!
//! # Invariants
//! - I1. A huge folio begins at a multiple of its size, and each of its pages stands in its own slot, marked as part of
//!   one. So whoever finds a page knows the head without looking at the page, which may be gone.
//! - I2. Slots of a file that has huge folios are filled and emptied under `i_pages`: all of a folio or none. A look
//!   without the lock may find a part of one that is on its way; the folio is locked until it is there.
//! - I3 (D16). The cache has a reference for each slot.
//!
//! The mount option is `huge=within_size`: a huge folio where the file has room for the whole of it. A truncation that
//! cuts one splits it in Linux; here that is not modelled, and refused.

use crate::mm::huge_memory::{alloc_huge_charged, set_anon};
use crate::mm::vmf::Vmf;
use crate::mm::{Generation, VmFlags};
use crate::phys::{CpuId, Mapping, OutOfMemory, Pfn, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, enter, ordering, remark};

use super::address_space::{Added, AddressSpace};
use super::file_system::HugeFolios;

/// What a slot of the cache has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// The page of this index.
    pub(super) page: Pfn,
    /// The head of its folio.
    pub(super) head: Pfn,
}

/// A bit that no frame's number has: the page is one of a huge folio.
const HUGE: u64 = 1 << 63;

impl Slot {
    /// The word of a slot with a page of its own.
    pub(super) const fn small(page: Pfn) -> u64 {
        page.number() + 1
    }

    /// What the word of the slot at `index` says.
    pub(super) fn decode<P: Platform>(word: u64, index: u64) -> Option<Self> {
        let page = Pfn::truncate((word & !HUGE).checked_sub(1)?);
        let from_head = if word & HUGE == 0 { 0 } else { index % pages::<P>() };
        Some(Self { page, head: Pfn::truncate(page.number() - from_head) })
    }
}

/// Pages of a huge folio.
fn pages<P: Platform>() -> u64 {
    P::GEOMETRY.entries() as u64
}

impl<P: Platform> AddressSpace<P> {
    /// Whether the fault may put a huge folio into the cache (`shmem_allowable_huge_orders`). Linux 4.4 has none in
    /// files.
    pub(super) fn wants_huge_folio(&self, vmf: &Vmf<'_, P>, index: u64) -> bool {
        let fits = index / pages::<P>() * pages::<P>() + pages::<P>() <= self.size_pages();
        self.behaviour().huge == HugeFolios::WithinSize
            && vmf.mm.generation() == Generation::G6
            && !vmf.vma().flags().contains(VmFlags::NOHUGEPAGE)
            && fits
    }

    /// Allocates the huge folio around `index` and puts it into the cache, locked; it has one reference more than the
    /// cache has. The page that is returned is that of `index`.
    pub(super) fn add_huge_folio(&self, memory: &PhysMem<P>, cpu: CpuId, index: u64) -> Result<Added, OutOfMemory> {
        let first = index / pages::<P>() * pages::<P>();
        enter::<P>("shmem_alloc_and_add_folio", format_args!("file={}, {} pages at {first}", self.id().0, pages::<P>()))
            .run(
                || {
                    if (first..first + pages::<P>()).any(|index| self.peek(index).is_some()) {
                        remark::<P>(format_args!("small pages are there already"));
                        return Ok(Added::Theirs);
                    }
                    let head = alloc_huge_charged(memory, cpu)?;
                    let page = memory.page(head);
                    set_anon(memory, head, self.mapping(), first);
                    assert!(page.folio().lock().try_lock(), "nobody else knows a folio that was just allocated");
                    if !self.fill_slots(memory, head, first) {
                        remark::<P>(format_args!("another one was added first; mine is freed"));
                        page.folio().lock().unlock();
                        memory.put_page(cpu, head);
                        return Ok(Added::Theirs);
                    }
                    memory.add_to_lru(cpu, head);
                    Ok(Added::Mine(Pfn::truncate(head.number() + index - first)))
                },
                |result| match result {
                    Ok(Added::Mine(page)) => format!("page {page}"),
                    Ok(Added::Theirs) => "-EEXIST".to_owned(),
                    Err(OutOfMemory) => "-ENOMEM".to_owned(),
                },
            )
    }

    fn fill_slots(&self, memory: &PhysMem<P>, head: Pfn, first: u64) -> bool {
        let _i_pages = self.lock_slots();
        let slots = self.slots_of_a_folio(first);
        // ORDER none: slots change only under the lock that we hold.
        if slots.iter().any(|slot| slot.load(Ordering::Relaxed) != 0) {
            return false;
        }
        // ORDER O1 of `address_space`: publishes the folio; pairs with `peek`.
        let order = ordering::<P>(Variant::OAddHuge, Ordering::Release);
        for (number, slot) in (0..).zip(slots) {
            memory.page(head).get();
            slot.store(Slot::small(Pfn::truncate(head.number() + number)) | HUGE, order);
        }
        true
    }

    /// Takes a locked huge folio that nobody maps out of the cache, with the cache's references. The caller has one.
    ///
    /// # Panics
    /// If an entry still maps it (D42), or if it is not here.
    pub(super) fn remove_huge_folio(&self, memory: &PhysMem<P>, head: Pfn) {
        let page = memory.page(head);
        let small: i64 = memory.frames_of_folio(head).map(|frame| memory.page(frame).mapcount()).sum();
        let (first, mapcount) = (page.index(), page.entire_mapcount() + small);
        assert!(mapcount == 0, "D42: folio {head} leaves file {} while {mapcount} entries map it", self.id().0);
        let i_pages = self.lock_slots();
        // ORDER O1 of `address_space`: pairs with `peek`.
        let order = ordering::<P>(Variant::ORemoveHuge, Ordering::AcqRel);
        for (number, slot) in (0..).zip(self.slots_of_a_folio(first)) {
            let was = slot.swap(0, order);
            let expected = Slot::small(Pfn::truncate(head.number() + number)) | HUGE;
            assert!(was == expected, "folio {head} is not what the cache has at {}", first + number);
        }
        drop(i_pages);
        set_anon(memory, head, Mapping::None, first);
        remark::<P>(format_args!("folio {head} leaves the file"));
        (0..pages::<P>()).for_each(|_| page.drop_but_not_last());
    }
}
