//! Folios of the size that one PMD entry maps: allocated, cleared, split (`vma_alloc_folio`, `clear_huge_page`,
//! `__split_huge_page`).

use crate::platform::{Platform, enter, remark};

use super::address::Pfn;
use super::cpu::CpuId;
use super::memory::{OutOfMemory, PhysMem};
use super::page::PageState;

impl<P: Platform> PhysMem<P> {
    /// The head of the folio that a frame belongs to (`page_folio`): for most, the frame itself.
    pub fn folio_of(&self, pfn: Pfn) -> Pfn {
        Pfn::truncate(pfn.number() - self.page(pfn).from_head())
    }

    /// The frames of a folio after its head.
    pub(super) fn tails(&self, head: Pfn, order: u32) -> impl Iterator<Item = Pfn> + use<P> {
        (1..1_u64 << order).map(move |tail| Pfn::truncate(head.number() + tail))
    }

    /// Every frame of the folio of `head`.
    pub fn frames_of_folio(&self, head: Pfn) -> impl Iterator<Item = Pfn> + use<P> {
        (0..1_u64 << self.page(head).order()).map(move |frame| Pfn::truncate(head.number() + frame))
    }

    /// A folio that one PMD entry can map, with one reference; its words are whatever they were.
    ///
    /// # Errors
    /// If no block is free; nothing is reclaimed or compacted for it.
    ///
    /// # Panics
    /// If memory begins in the middle of such a block.
    pub fn alloc_huge(&self, cpu: CpuId, state: PageState) -> Result<Pfn, OutOfMemory> {
        let order = P::GEOMETRY.index_bits;
        enter::<P>("alloc_pages", format_args!("order={order}, for={state:?}")).run(
            || {
                let head = self.pfn(self.zone().alloc_huge(cpu).ok_or(OutOfMemory)?);
                assert!(head.number().is_multiple_of(1 << order), "{head:?} is not the first frame of a huge page");
                self.page(head).begin(cpu, state);
                self.page(head).join_folio(0, order);
                for tail in self.tails(head, order) {
                    self.page(tail).begin(cpu, state);
                    self.page(tail).join_folio(tail.number() - head.number(), 0);
                }
                Ok(head)
            },
            |result| result.map_or_else(|_| "NULL".to_owned(), |head| format!("{head:?}, {} frames", 1 << order)),
        )
    }

    /// Sets every word of a folio that only the caller can reach to zero (`clear_huge_page`).
    pub fn clear_huge(&self, head: Pfn) {
        remark::<P>(format_args!("clear the folio: {} pages of zero", 1_u64 << self.page(head).order()));
        self.frames_of_folio(head).for_each(|frame| self.clear_words(frame));
    }

    /// Copies a user's folio to one that only the caller can reach (`copy_user_huge_page`). Users may store to the
    /// source meanwhile, and it may be split.
    pub fn copy_huge(&self, to: Pfn, from: Pfn) {
        remark::<P>(format_args!("copy the folio: {} pages of {from}", 1_u64 << self.page(to).order()));
        for (number, to) in (from.number()..).zip(self.frames_of_folio(to)) {
            self.copy_words(to, Pfn::truncate(number));
        }
    }

    /// Makes every frame of a folio a folio of its own, with a reference for each of the `mappings` entries that will
    /// map it by itself. The head keeps what others refer to besides (`__split_huge_page_refcount`).
    ///
    /// The caller keeps everybody from the entries that map the folio.
    pub fn split_folio(&self, head: Pfn, mappings: u64) {
        enter::<P>("__split_huge_page_refcount", format_args!("folio={head}")).run(
            || {
                let page = self.page(head);
                let order = page.order();
                for tail in self.tails(head, order) {
                    self.page(tail).leave_folio(mappings);
                    self.lru().add_tail(self.index(tail));
                }
                page.lose_tails();
                remark::<P>(format_args!("{} folios of one page each", 1 << order));
            },
            |()| String::new(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phys::{PhysConfig, Purpose};
    use crate::platform::{Native, X86_64};

    const CPU: CpuId = CpuId::new(0);

    fn memory(frames: usize) -> PhysMem<Native<X86_64>> {
        PhysMem::new(&PhysConfig::linux(Pfn::truncate(0x1000), frames, 1)).expect("a little memory")
    }

    #[test]
    fn a_huge_folio_is_one_thing_with_512_frames() {
        let memory = memory(1024);
        let head = memory.alloc_huge(CPU, PageState::User).expect("a block is free");
        let tail = Pfn::truncate(head.number() + 511);
        assert_eq!((memory.folio_of(tail), memory.page(head).order()), (head, 9));
        assert_eq!((memory.page(head).refcount(), memory.page(tail).refcount()), (1, 0));
        memory.memcg().charge_pages(CPU, 512).expect("no limit");
        memory.put_page(CPU, tail);
        assert_eq!(memory.page(tail).state(), PageState::Free, "the folio went with its last reference");
        assert_eq!((memory.zone().free_frames(), memory.memcg().charged_pages()), (1024, 0));
        assert_eq!((memory.zone().allocated(Purpose::Huge), memory.zone().freed(Purpose::Huge)), (1, 1));
    }

    #[test]
    fn no_block_is_made_by_asking_others_for_their_frames() {
        let memory = memory(512);
        let small = memory.alloc_page(CPU, PageState::User).expect("a frame");
        assert_eq!(memory.alloc_huge(CPU, PageState::User), Err(OutOfMemory));
        memory.free_uncharged(CPU, small);
        assert_eq!(memory.alloc_huge(CPU, PageState::User), Err(OutOfMemory), "the frames are on the CPU's list");
    }

    #[test]
    fn a_large_folio_does_not_wait_in_a_batch() {
        let memory = memory(512);
        let head = memory.alloc_huge(CPU, PageState::User).expect("a block is free");
        memory.add_to_lru(CPU, head);
        assert_eq!((memory.page(head).refcount(), memory.lru().listed()), (1, 1));
    }

    #[test]
    fn a_split_folio_leaves_512_pages() {
        let memory = memory(512);
        let head = memory.alloc_huge(CPU, PageState::User).expect("a block is free");
        memory.memcg().charge_pages(CPU, 512).expect("no limit");
        memory.add_to_lru(CPU, head);
        memory.split_folio(head, 1);
        let frames = (0..512).map(|frame| Pfn::truncate(head.number() + frame));
        assert_eq!(memory.lru().listed(), 512);
        frames.for_each(|frame| memory.put_page(CPU, frame));
        assert_eq!((memory.zone().free_frames(), memory.lru().listed()), (512, 0));
    }
}
