//! Doubly linked lists of frames, linked through one array, as `struct list_head` links through `struct page`.
//!
//! # Invariants
//! - I1. A frame is on at most one list of an array at a time.

use std::iter;

const NONE: u32 = u32::MAX;

/// The links of all frames.
#[derive(Debug)]
pub(super) struct Links(Box<[Link]>);

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
}

/// One list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    count: usize,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NONE, count: 0 };

    pub(super) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }
}

impl Links {
    pub(super) fn new(frames: usize) -> Self {
        assert!(frames < NONE as usize, "{frames} frames are more than a list can link");
        Self(vec![Link { previous: NONE, next: NONE }; frames].into_boxed_slice())
    }

    pub(super) fn push_front(&mut self, list: &mut List, frame: u32) {
        self.0[frame as usize] = Link { previous: NONE, next: list.head };
        if list.head != NONE {
            self.0[list.head as usize].previous = frame;
        }
        list.head = frame;
        list.count += 1;
    }

    /// Takes `frame` out of `list`, which it must be on.
    pub(super) fn remove(&mut self, list: &mut List, frame: u32) {
        let Link { previous, next } = self.0[frame as usize];
        match previous {
            NONE => list.head = next,
            previous => self.0[previous as usize].next = next,
        }
        if next != NONE {
            self.0[next as usize].previous = previous;
        }
        list.count -= 1;
    }

    pub(super) fn iter<'a>(&'a self, list: &List) -> impl Iterator<Item = u32> + 'a {
        let step = |frame: &u32| Some(self.0[*frame as usize].next).filter(|next| *next != NONE);
        iter::successors(list.first(), step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_leaves_from_anywhere() {
        let (mut links, mut list) = (Links::new(4), List::EMPTY);
        (0..4).for_each(|frame| links.push_front(&mut list, frame));
        for (gone, left) in [(2, vec![3, 1, 0]), (3, vec![1, 0]), (0, vec![1]), (1, vec![])] {
            links.remove(&mut list, gone);
            assert_eq!(links.iter(&list).collect::<Vec<_>>(), left);
            assert_eq!(list.count(), left.len());
        }
    }
}
