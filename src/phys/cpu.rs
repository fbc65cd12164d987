//! CPUs, by number.

use std::fmt;

/// A CPU, counted from 0. A task runs on one and stays there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuId(usize);

impl CpuId {
    /// CPU number `index`.
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// Its number.
    pub const fn index(self) -> usize {
        self.0
    }
}

impl fmt::Debug for CpuId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CPU{}", self.0)
    }
}
