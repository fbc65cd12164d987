//! One of something for each CPU, each behind a lock that its own CPU takes without contention, and in cache lines of
//! its own.

use crate::locks::{LockClass, Spin, SpinGuard};
use crate::platform::{CachePadded, Platform};

use super::cpu::CpuId;

/// A value for each CPU.
#[derive(Debug)]
pub(super) struct PerCpu<P: Platform, T>(Box<[CachePadded<Spin<P, T>>]>);

impl<P: Platform, T> PerCpu<P, T> {
    /// `cpus` values, made by `make`.
    pub(super) fn new(class: LockClass, cpus: usize, mut make: impl FnMut() -> T) -> Self {
        Self((0..cpus).map(|_| CachePadded::new(Spin::new(class, make()))).collect())
    }

    /// The value of `cpu`.
    #[track_caller]
    pub(super) fn on(&self, cpu: CpuId) -> SpinGuard<'_, P, T> {
        self.0[cpu.index()].lock()
    }

    /// Every CPU's value, one after the other.
    pub(super) fn each(&self) -> impl Iterator<Item = SpinGuard<'_, P, T>> {
        self.0.iter().map(|spin| spin.lock())
    }
}
