//! A list whose elements outlive its being cleared, so that a beginning which comes again is not written again.

use std::ops::{Deref, DerefMut};

/// A list in use up to some length, with what stood behind it before.
pub(crate) struct Retained<T> {
    list: Vec<T>,
    len: usize,
}

impl<T> Default for Retained<T> {
    fn default() -> Retained<T> {
        Retained { list: Vec::new(), len: 0 }
    }
}

impl<T: Copy> Retained<T> {
    /// Empties the list; its elements stay where they were for `again`.
    pub(crate) fn rewind(&mut self) {
        self.len = 0;
    }

    /// The element that stood at the end of the list before, if nothing has replaced it.
    pub(crate) fn former(&self) -> Option<&T> {
        self.list.get(self.len)
    }

    /// Takes the next `count` former elements back into the list.
    pub(crate) fn again(&mut self, count: usize) {
        self.len = (self.len + count).min(self.list.len());
    }

    pub(crate) fn push(&mut self, element: T) {
        match self.list.get_mut(self.len) {
            Some(slot) => *slot = element,
            None => self.list.push(element),
        }
        self.len += 1;
    }

    /// Adds so many copies of an element.
    pub(crate) fn extend_with(&mut self, element: T, count: usize) {
        let end = self.len + count;
        if self.list.len() < end {
            self.list.resize(end, element);
        }
        self.list[self.len..end].fill(element);
        self.len = end;
    }

    pub(crate) fn extend_from_slice(&mut self, elements: &[T]) {
        let end = self.len + elements.len();
        match self.list.get_mut(self.len..end) {
            Some(slots) => slots.copy_from_slice(elements),
            None => {
                self.list.truncate(self.len);
                self.list.extend_from_slice(elements);
            }
        }
        self.len = end;
    }
}

impl<T> Deref for Retained<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.list[..self.len]
    }
}

impl<T> DerefMut for Retained<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.list[..self.len]
    }
}
