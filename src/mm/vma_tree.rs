//! The VMAs of an address space, by address (`mm->mm_mt`).
//!
//! # Invariants
//! - I1. VMAs do not overlap, and are kept in the order of their addresses.

use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::vma::Vma;

/// All VMAs of an address space. It stands under the mmap lock.
#[derive(Debug)]
pub struct VmaTree<P: Platform> {
    vmas: Vec<Vma<P>>,
}

/// A VMA of a tree, as long as the tree does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VmaIndex(usize);

impl<P: Platform> VmaTree<P> {
    pub(super) fn new() -> Self {
        Self { vmas: Vec::new() }
    }

    /// The VMA that covers `address` (`vma_lookup`).
    pub(super) fn lookup(&self, address: VirtAddr) -> Option<VmaIndex> {
        let index = self.first_ending_after(address);
        self.vmas.get(index).is_some_and(|vma| vma.contains(address)).then_some(VmaIndex(index))
    }

    pub(super) fn vma(&self, index: VmaIndex) -> &Vma<P> {
        &self.vmas[index.0]
    }

    /// All VMAs, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Vma<P>> {
        self.vmas.iter()
    }

    /// Whether any VMA touches the pages from `start` up to `end`.
    pub fn overlaps(&self, start: VirtAddr, end: VirtAddr) -> bool {
        self.vmas.get(self.first_ending_after(start)).is_some_and(|vma| vma.start() < end)
    }

    /// Adds a VMA.
    ///
    /// # Panics
    /// If it overlaps another one.
    pub fn insert(&mut self, vma: Vma<P>) {
        assert!(!self.overlaps(vma.start(), vma.end()), "{vma:?} overlaps another VMA");
        let index = self.first_ending_after(vma.start());
        self.vmas.insert(index, vma);
    }

    /// Takes out everything between `start` and `end`; VMAs that reach over an edge are split there.
    pub fn detach(&mut self, start: VirtAddr, end: VirtAddr) -> Vec<Vma<P>> {
        [start, end].into_iter().for_each(|edge| self.split_at(edge));
        let first = self.first_ending_after(start);
        let last = self.vmas.partition_point(|vma| vma.end() <= end);
        self.vmas.drain(first..last.max(first)).collect()
    }

    /// The end of the last VMA below `address`.
    pub fn end_below(&self, address: VirtAddr) -> Option<VirtAddr> {
        let index = self.vmas.partition_point(|vma| vma.end() <= address);
        index.checked_sub(1).map(|index| self.vmas[index].end())
    }

    /// The start of the first VMA at or above `address`.
    pub fn start_above(&self, address: VirtAddr) -> Option<VirtAddr> {
        self.vmas.get(self.vmas.partition_point(|vma| vma.start() < address)).map(Vma::start)
    }

    /// The highest free range of `bytes` below `limit` (`vm_unmapped_area`, top down).
    pub(super) fn unmapped_area(&self, bytes: u64, limit: VirtAddr) -> Option<VirtAddr> {
        let mut top = limit.bytes();
        for vma in self.vmas.iter().rev() {
            if top - vma.end().bytes() >= bytes {
                break;
            }
            top = vma.start().bytes();
        }
        let floor = self.end_below(VirtAddr::user(top)).map_or(0, VirtAddr::bytes);
        (top - floor >= bytes).then(|| VirtAddr::user(top - bytes))
    }

    fn first_ending_after(&self, address: VirtAddr) -> usize {
        self.vmas.partition_point(|vma| vma.end() <= address)
    }

    fn split_at(&mut self, edge: VirtAddr) {
        if let Some(VmaIndex(index)) = self.lookup(edge)
            && self.vmas[index].start() < edge
        {
            let upper = self.vmas[index].split_off(edge);
            self.vmas.insert(index + 1, upper);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::VmFlags;
    use crate::platform::{Native, X86_64};

    type Tree = VmaTree<Native<X86_64>>;

    fn page(number: u64) -> VirtAddr {
        VirtAddr::user(number << 12)
    }

    fn tree(ranges: &[(u64, u64)]) -> Tree {
        let mut tree = Tree::new();
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
    fn the_highest_gap_is_found() {
        let tree = tree(&[(0, 2), (4, 6), (9, 10)]);
        for (pages, start) in [(1, Some(11)), (2, Some(10)), (3, Some(6)), (4, None)] {
            let found = tree.unmapped_area(pages << 12, page(12));
            assert_eq!(found, start.map(page), "{pages} pages");
        }
    }
}
