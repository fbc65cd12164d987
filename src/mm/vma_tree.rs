//! The VMAs of an address space, by address (`mm->mm_mt`).
//!
//! # Invariants
//! - I1. VMAs do not overlap, and are kept in the order of their addresses.
//! - I2. What readers find under RCU is the tree as it was after some change, never one in the middle of a change: each
//!   change publishes a new list of pivots.
//! - I3 (D49). A VMA is locked for writing before anything of it changes, and before the tree forgets it.

use std::fmt;

use crate::platform::{Arc, Platform, Rcu, RcuWriter};
use crate::x86::VirtAddr;

use super::generation::{Generation, StackGrowth, VmaLocking};
use super::mergeable_anon_vma::Neighbours;
use super::vm_flags::VmFlags;
use super::vma::{Vma, WritableVma};
use super::vma_lock::{MmLockSeq, Pivot, VmaReaders};

/// All VMAs of an address space. It stands under the mmap lock.
pub struct VmaTree<P: Platform> {
    vmas: Vec<Arc<Vma<P>>>,
    locking: VmaLocking,
    stacks: StackGrowth,
    published: RcuWriter<P, Vec<Pivot<P>>>,
    seq: Arc<MmLockSeq<P>>,
}

/// A VMA of a tree, as long as the tree does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VmaIndex(usize);

impl<P: Platform> VmaTree<P> {
    pub(super) fn new(rcu: &Arc<Rcu<P>>, generation: Generation) -> Self {
        let published = RcuWriter::new(Arc::clone(rcu), Vec::new());
        Self {
            vmas: Vec::new(),
            locking: generation.vma_locking(),
            stacks: generation.stack_growth(),
            published,
            seq: Arc::new(MmLockSeq::new()),
        }
    }

    /// What faults without the mmap lock need.
    pub(super) fn readers(&self) -> VmaReaders<P> {
        VmaReaders { tree: self.published.reader(), seq: Arc::clone(&self.seq) }
    }

    /// The VMA that covers `address` (`vma_lookup`).
    pub(super) fn lookup(&self, address: VirtAddr) -> Option<VmaIndex> {
        let index = self.first_ending_after(address);
        self.vmas.get(index).is_some_and(|vma| vma.contains(address)).then_some(VmaIndex(index))
    }

    pub(super) fn vma(&self, index: VmaIndex) -> &Vma<P> {
        self.vmas.get(index.0).expect("D50: the tree has forgotten the VMA")
    }

    /// The first VMA that ends after `address`, whether it covers it or lies above (`find_vma`).
    pub(super) fn find(&self, address: VirtAddr) -> Option<VmaIndex> {
        let index = self.first_ending_after(address);
        (index < self.vmas.len()).then_some(VmaIndex(index))
    }

    /// The VMA below another one.
    pub(super) fn below(&self, index: VmaIndex) -> Option<&Vma<P>> {
        index.0.checked_sub(1).map(|below| &*self.vmas[below])
    }

    /// The VMAs next to one of the tree's.
    pub(super) fn neighbours(&self, vma: &Vma<P>) -> Neighbours<P> {
        let index = self.first_ending_after(vma.start());
        [index.checked_sub(1), Some(index + 1)].map(|at| at.and_then(|at| self.vmas.get(at)).map(Arc::clone))
    }

    /// A VMA, to keep while the tree changes.
    pub(super) fn shared(&self, index: VmaIndex) -> Arc<Vma<P>> {
        Arc::clone(&self.vmas[index.0])
    }

    /// All VMAs, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Vma<P>> {
        self.vmas.iter().map(|vma| &**vma)
    }

    /// All VMAs, lowest first, to keep while the tree changes.
    pub fn all(&self) -> Vec<Arc<Vma<P>>> {
        self.vmas.clone()
    }

    /// Whether any VMA touches the pages from `start` up to `end`.
    pub fn overlaps(&self, start: VirtAddr, end: VirtAddr) -> bool {
        self.vmas.get(self.first_ending_after(start)).is_some_and(|vma| vma.start() < end)
    }

    /// Keeps every fault out of a VMA until the mmap lock is no longer held for writing (`vma_start_write`).
    pub fn start_write<'v>(&'v mut self, vma: &'v Vma<P>) -> WritableVma<'v, P> {
        match self.locking {
            VmaLocking::MmapLockOnly => {}
            VmaLocking::PerVma => vma.lock.start_write(&self.seq),
        }
        WritableVma(vma)
    }

    /// Lets faults into all VMAs again (`vma_end_write_all`).
    pub(super) fn end_write_all(&mut self) {
        match self.locking {
            VmaLocking::MmapLockOnly => {}
            VmaLocking::PerVma => self.seq.end_write_all(),
        }
    }

    /// Shows readers the tree as it is now.
    fn publish(&mut self) {
        match self.locking {
            VmaLocking::MmapLockOnly => {}
            VmaLocking::PerVma => {
                let pivot = |vma: &Arc<Vma<P>>| Pivot { start: vma.start(), end: vma.end(), vma: Arc::clone(vma) };
                self.published.publish(self.vmas.iter().map(pivot).collect());
            }
        }
    }

    /// Adds a VMA (`vma_link`).
    ///
    /// # Panics
    /// If it overlaps another one.
    pub fn insert(&mut self, vma: Vma<P>) {
        assert!(!self.overlaps(vma.start(), vma.end()), "{vma:?} overlaps another VMA");
        let index = self.first_ending_after(vma.start());
        self.start_write(&vma);
        let vma = Arc::new(match self.stacks {
            StackGrowth::AmongReaders if vma.flags().contains(VmFlags::GROWSDOWN) => vma.growing_among_readers(),
            StackGrowth::AmongReaders | StackGrowth::Alone => vma,
        });
        self.vmas.insert(index, Arc::clone(&vma));
        self.publish();
        if let Some(file) = vma.file() {
            file.mapping().i_mmap().write().push(Arc::clone(&vma));
        }
    }

    /// Moves the start of a VMA into the free range below it; readers find it by its new range from now on.
    pub(super) fn set_start(&mut self, index: VmaIndex, start: VirtAddr) {
        let vma = self.shared(index);
        self.start_write(&vma).set_start(start);
        self.publish();
    }

    /// Takes out everything between `start` and `end`; VMAs that reach over an edge are split there
    /// (`do_vmi_align_munmap`).
    pub fn detach(&mut self, start: VirtAddr, end: VirtAddr) -> Vec<Arc<Vma<P>>> {
        [start, end].into_iter().for_each(|edge| self.split_at(edge));
        let first = self.first_ending_after(start);
        let last = self.vmas.partition_point(|vma| vma.end() <= end).max(first);
        if first == last {
            return Vec::new();
        }
        let detached = self.vmas[first..last].to_vec();
        for vma in &detached {
            self.start_write(vma).mark_detached();
        }
        self.vmas.drain(first..last);
        self.publish();
        detached
    }

    /// Frees a VMA that was detached, once nobody can find it any more (`vm_area_free`).
    pub fn free(&self, vma: Arc<Vma<P>>) {
        match self.locking {
            VmaLocking::MmapLockOnly => drop(vma),
            VmaLocking::PerVma => self.published.defer(move || vma.freed()),
        }
    }

    /// The end of the last VMA below `address`.
    pub fn end_below(&self, address: VirtAddr) -> Option<VirtAddr> {
        let index = self.vmas.partition_point(|vma| vma.end() <= address);
        index.checked_sub(1).map(|index| self.vmas[index].end())
    }

    /// The start of the first VMA at or above `address`.
    pub fn start_above(&self, address: VirtAddr) -> Option<VirtAddr> {
        self.vmas.get(self.vmas.partition_point(|vma| vma.start() < address)).map(|vma| vma.start())
    }

    /// The highest free range of `bytes` below `limit` (`vm_unmapped_area`, top down). A stack keeps what is below it
    /// at a distance.
    pub(super) fn unmapped_area(&self, bytes: u64, limit: VirtAddr) -> Option<VirtAddr> {
        let mut top = limit.bytes();
        for vma in self.vmas.iter().rev() {
            if top.saturating_sub(vma.end().bytes()) >= bytes {
                break;
            }
            top = start_gap(vma);
        }
        let floor = self.end_below(VirtAddr::user(top)).map_or(0, VirtAddr::bytes);
        (top.saturating_sub(floor) >= bytes).then(|| VirtAddr::user(top - bytes))
    }

    fn first_ending_after(&self, address: VirtAddr) -> usize {
        self.vmas.partition_point(|vma| vma.end() <= address)
    }

    /// Cuts the VMA that reaches over `edge` in two (`__split_vma`).
    pub fn split_at(&mut self, edge: VirtAddr) {
        if let Some(VmaIndex(index)) = self.lookup(edge)
            && self.vmas[index].start() < edge
        {
            let lower = Arc::clone(&self.vmas[index]);
            let mut writable = self.start_write(&lower);
            // Who walks the mappings of the file finds both parts, or the whole.
            let mapped = lower.file().map(|file| file.mapping().i_mmap().write());
            let upper = Arc::new(lower.upper_part(edge));
            writable.set_end(edge);
            if let Some(mut mapped) = mapped {
                mapped.push(Arc::clone(&upper));
            }
            self.start_write(&upper);
            self.vmas.insert(index + 1, upper);
            self.publish();
        }
    }
}

/// Where a VMA begins, with the gap that it keeps if it is a stack (`vm_start_gap`).
fn start_gap<P: Platform>(vma: &Vma<P>) -> u64 {
    let gap = if vma.flags().contains(VmFlags::GROWSDOWN) { P::GEOMETRY.stack_guard_gap() } else { 0 };
    vma.start().bytes().saturating_sub(gap)
}

impl<P: Platform> fmt::Debug for VmaTree<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Native, X86_64};

    type Tree = VmaTree<Native<X86_64>>;

    fn page(number: u64) -> VirtAddr {
        VirtAddr::user(number << 12)
    }

    fn tree(ranges: &[(u64, u64)]) -> Tree {
        let mut tree = Tree::new(&Arc::new(Rcu::new(1)), Generation::G6);
        for (start, end) in ranges {
            tree.insert(Vma::new(page(*start), page(*end), VmFlags::READ));
        }
        tree
    }

    fn ranges(tree: &Tree) -> Vec<(u64, u64)> {
        tree.iter().map(|vma| (vma.start().bytes() >> 12, vma.end().bytes() >> 12)).collect()
    }

    #[test]
    fn detaching_splits_at_both_edges() {
        let mut tree = tree(&[(1, 5), (6, 7), (8, 12)]);
        let gone = tree.detach(page(3), page(10));
        assert_eq!(gone.len(), 3);
        assert_eq!(ranges(&tree), [(1, 3), (10, 12)]);
        assert!(tree.detach(page(3), page(10)).is_empty());
    }

    #[test]
    fn lookups_respect_the_ends() {
        let tree = tree(&[(1, 3), (5, 6)]);
        for (number, found) in [(0, false), (1, true), (2, true), (3, false), (5, true), (6, false)] {
            assert_eq!(tree.lookup(page(number)).is_some(), found, "page {number}");
        }
        assert_eq!(tree.end_below(page(5)), Some(page(3)));
        assert_eq!(tree.end_below(page(1)), None);
        assert_eq!(tree.start_above(page(3)), Some(page(5)));
        assert_eq!(tree.start_above(page(6)), None);
    }

    #[test]
    fn a_stack_keeps_its_gap_free() {
        let mut tree = tree(&[(0, 2)]);
        tree.insert(Vma::new(page(600), page(601), VmFlags::READ | VmFlags::GROWSDOWN));
        for (pages, start) in [(342, Some(2)), (343, None)] {
            assert_eq!(tree.unmapped_area(pages << 12, page(601)), start.map(page), "{pages} pages");
        }
    }

    #[test]
    fn the_highest_gap_is_found() {
        let tree = tree(&[(0, 2), (4, 6), (9, 10)]);
        for (pages, start) in [(1, Some(11)), (2, Some(10)), (3, Some(6)), (4, None)] {
            let found = tree.unmapped_area(pages << 12, page(12));
            assert_eq!(found, start.map(page), "{pages} pages");
        }
    }
}
