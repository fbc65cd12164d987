//! Vector clocks as slices of one flat store, so that no clock is an allocation of its own.
//!
//! All clocks of a store have the same number of components; `restride` rebuilds the store when a thread with a higher
//! number appears, which happens in the first executions only.

use super::retained::Retained;

/// Many clocks of `stride` components each, one after the other.
#[derive(Default)]
pub(crate) struct Clocks {
    flat: Retained<u32>,
    stride: usize,
}

/// Components are worked on so many at a time; a stride is a multiple of it.
pub(crate) const LANES: usize = 4;

/// Makes `into` the join of both.
pub(crate) fn join(into: &mut [u32], from: &[u32]) {
    let (into, _) = into.as_chunks_mut::<LANES>();
    let (from, _) = from.as_chunks::<LANES>();
    for (a, b) in into.iter_mut().zip(from) {
        for lane in 0..LANES {
            a[lane] = a[lane].max(b[lane]);
        }
    }
}

impl Clocks {
    pub(crate) fn new(stride: usize) -> Clocks {
        Clocks { flat: Retained::default(), stride }
    }

    /// Empties the store; see [`Clocks::again`].
    pub(crate) fn rewind(&mut self) {
        self.flat.rewind();
    }

    /// Takes the clock back that stood next before.
    pub(crate) fn again(&mut self) {
        self.flat.again(self.stride);
    }

    /// Adds a clock that is zero.
    pub(crate) fn push_zero(&mut self) {
        self.flat.extend_with(0, self.stride);
    }

    pub(crate) fn push_copy(&mut self, clock: &[u32]) {
        self.flat.extend_from_slice(clock);
    }

    pub(crate) fn get(&self, index: usize) -> &[u32] {
        &self.flat[index * self.stride..(index + 1) * self.stride]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut [u32] {
        &mut self.flat[index * self.stride..(index + 1) * self.stride]
    }

    /// Copies one clock over another of the same store.
    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        let start = from * self.stride;
        self.flat.copy_within(start..start + self.stride, to * self.stride);
    }

    /// Joins one clock into another of the same store.
    pub(crate) fn join_within(&mut self, from: usize, into: usize) {
        for i in 0..self.stride {
            let value = self.flat[from * self.stride + i];
            let slot = &mut self.flat[into * self.stride + i];
            *slot = (*slot).max(value);
        }
    }

    /// Changes the number of components; only what is in use is kept.
    pub(crate) fn restride(&mut self, stride: usize) {
        let old = std::mem::take(&mut self.flat);
        if self.stride > 0 {
            for clock in old.chunks(self.stride) {
                self.flat.extend_from_slice(clock);
                self.flat.extend_with(0, stride - self.stride);
            }
        }
        self.stride = stride;
    }
}
