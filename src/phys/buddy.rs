//! The buddy allocator: free blocks of 2^order frames, split and merged (`mm/page_alloc.c`).
//!
//! It is plain single-threaded data; the zone lock around it makes it shared.
//!
//! # Invariants
//! - I1. A free block of order n starts at a multiple of 2^n and is on the list of its order.
//! - I2. No two buddies (blocks of one order that differ in one bit) are both free: they would have been merged.

use super::list::{Links, List};

/// The largest order: blocks of 2^10 frames, 4 MiB (`MAX_PAGE_ORDER`).
pub const MAX_ORDER: u32 = 10;

const NOT_A_FREE_HEAD: u8 = u8::MAX;

/// Free blocks of the frames `0..frames`.
#[derive(Debug)]
pub struct Buddy {
    frames: u32,
    links: Links,
    free: [List; MAX_ORDER as usize + 1],
    /// The order of the free block that starts at a frame.
    order_at: Box<[u8]>,
}

impl Buddy {
    /// An allocator in which all of `0..frames` is free.
    ///
    /// # Panics
    /// If there are 2^32 - 1 frames or more.
    pub fn new(frames: usize) -> Self {
        let mut buddy = Self {
            frames: u32::try_from(frames).expect("frames are counted in 32 bits"),
            links: Links::new(frames),
            free: [List::EMPTY; MAX_ORDER as usize + 1],
            order_at: vec![NOT_A_FREE_HEAD; frames].into_boxed_slice(),
        };
        // Backwards, so that the lowest frames are handed out first.
        (0..buddy.frames).rev().for_each(|frame| buddy.free(frame, 0));
        buddy
    }

    /// A block of 2^order frames, split from a larger one if need be.
    pub fn alloc(&mut self, order: u32) -> Option<u32> {
        let (found, frame) = (order..=MAX_ORDER).find_map(|at| Some((at, self.free[at as usize].first()?)))?;
        self.unlink(frame, found);
        self.give_back_around(frame, order, frame, found);
        Some(frame)
    }

    /// Takes the single frame `wanted` out of the free memory, if it is free.
    pub fn take(&mut self, wanted: u32) -> Option<u32> {
        if wanted >= self.frames {
            return None;
        }
        let heads = (0..=MAX_ORDER).map(|order| (order, wanted >> order << order));
        let (order, head) =
            heads.into_iter().find(|(order, head)| u32::from(self.order_at[*head as usize]) == *order)?;
        self.unlink(head, order);
        self.give_back_around(wanted, 0, head, order);
        Some(wanted)
    }

    /// Frees a block of 2^order frames and merges it with its buddies.
    ///
    /// # Panics
    /// If the block is free already, is not aligned, or lies outside memory.
    pub fn free(&mut self, frame: u32, order: u32) {
        assert!(frame.trailing_zeros() >= order && frame + (1 << order) <= self.frames, "no block at {frame}");
        assert!(self.order_at[frame as usize] == NOT_A_FREE_HEAD, "frame {frame} is freed twice");
        let (mut frame, mut order) = (frame, order);
        while order < MAX_ORDER {
            let buddy = frame ^ (1 << order);
            if buddy >= self.frames || u32::from(self.order_at[buddy as usize]) != order {
                break;
            }
            self.unlink(buddy, order);
            frame &= buddy;
            order += 1;
        }
        self.link(frame, order);
    }

    /// Free frames in all.
    pub fn free_frames(&self) -> usize {
        self.free.iter().enumerate().map(|(order, list)| list.count() << order).sum()
    }

    /// The free blocks of one order, by their first frame.
    pub fn free_blocks(&self, order: u32) -> impl Iterator<Item = u32> + '_ {
        self.links.iter(&self.free[order as usize])
    }

    /// Splits the taken block (`head`, `of`) until `keep` of order `order` remains, and frees the halves without it.
    fn give_back_around(&mut self, keep: u32, order: u32, head: u32, of: u32) {
        let mut head = head;
        for half in (order..of).rev() {
            let upper = head + (1 << half);
            if keep >= upper {
                self.link(head, half);
                head = upper;
            } else {
                self.link(upper, half);
            }
        }
    }

    fn link(&mut self, frame: u32, order: u32) {
        self.order_at[frame as usize] = u8::try_from(order).expect("orders end at 10");
        self.links.push_front(&mut self.free[order as usize], frame);
    }

    fn unlink(&mut self, frame: u32, order: u32) {
        self.order_at[frame as usize] = NOT_A_FREE_HEAD;
        self.links.remove(&mut self.free[order as usize], frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn freeing_everything_leaves_the_largest_blocks() {
        let mut buddy = Buddy::new(2048);
        let taken: Vec<_> = std::iter::from_fn(|| buddy.alloc(0)).collect();
        assert_eq!(taken.len(), 2048);
        assert_eq!(taken[..3], [0, 1, 2], "the lowest frames come first");
        taken.into_iter().for_each(|frame| buddy.free(frame, 0));
        assert_eq!(buddy.free_blocks(MAX_ORDER).count(), 2);
        assert_eq!(buddy.free_frames(), 2048);
    }

    #[test]
    #[should_panic(expected = "freed twice")]
    fn a_double_free_is_noticed() {
        let mut buddy = Buddy::new(3);
        buddy.free(2, 0);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Alloc(u32),
        Take(u32),
        Free(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..=MAX_ORDER).prop_map(Step::Alloc),
            (0u32..100).prop_map(Step::Take),
            (0usize..100).prop_map(Step::Free)
        ]
    }

    proptest! {
        /// The obviously right model: a frame is free or it is not.
        #[test]
        fn blocks_never_overlap_and_buddies_are_merged(
            frames in 1usize..100,
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let mut buddy = Buddy::new(frames);
            let mut free = vec![true; frames];
            let mut held: Vec<(u32, u32)> = Vec::new();
            for step in steps {
                let got = match step {
                    Step::Alloc(order) => buddy.alloc(order).map(|frame| (frame, order)),
                    Step::Take(frame) => {
                        let got = buddy.take(frame);
                        prop_assert_eq!(got.is_some(), free.get(frame as usize) == Some(&true));
                        got.map(|frame| (frame, 0))
                    }
                    Step::Free(index) if !held.is_empty() => {
                        let (frame, order) = held.swap_remove(index % held.len());
                        buddy.free(frame, order);
                        free[frame as usize..][..1 << order].fill(true);
                        None
                    }
                    Step::Free(_) => None,
                };
                if let Some((frame, order)) = got {
                    let block = &mut free[frame as usize..][..1 << order];
                    prop_assert!(block.iter().all(|free| *free));
                    block.fill(false);
                    held.push((frame, order));
                }
                prop_assert_eq!(buddy.free_frames(), free.iter().filter(|free| **free).count());
                for order in 0..MAX_ORDER {
                    let heads: Vec<_> = buddy.free_blocks(order).collect();
                    prop_assert!(heads.iter().all(|head| !heads.contains(&(head ^ (1 << order)))), "I2");
                }
            }
        }
    }
}
