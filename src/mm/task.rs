//! A task: one thread of control, bound to a CPU, with its own accounting (`struct task_struct`).

use std::cell::Cell;

use crate::phys::{AnonVmaId, CpuId};

/// A thread, as far as the fault path knows it. It belongs to one thread of the host, so its fields are plain.
#[derive(Debug)]
pub struct Task {
    cpu: CpuId,
    pkru: u32,
    counts: Cell<FaultCounts>,
    recency_counts: Cell<bool>,
    anon_vmas: Cell<u64>,
}

/// What a task's faults came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Times that the fault lock was taken.
    pub locks_taken: u64,
    /// Times that the fault lock was released.
    pub locks_released: u64,
    /// Calls of `handle_mm_fault`.
    pub calls: u64,
    /// Calls that ended in an error.
    pub errors: u64,
    /// The event `PGFAULT`.
    pub pgfault: u64,
    /// Faults that needed no I/O (`min_flt`).
    pub min_flt: u64,
    /// Faults that did (`maj_flt`).
    pub maj_flt: u64,
}

impl Task {
    /// A task on `cpu` that may use every protection key.
    pub fn new(cpu: CpuId) -> Self {
        Self { cpu, pkru: 0, counts: Cell::default(), recency_counts: Cell::new(false), anon_vmas: Cell::new(0) }
    }

    /// Its CPU.
    pub fn cpu(&self) -> CpuId {
        self.cpu
    }

    /// Its protection-key rights (PKRU): two bits a key, access-disable below write-disable.
    pub fn pkru(&self) -> u32 {
        self.pkru
    }

    /// What its faults came to so far.
    pub fn counts(&self) -> FaultCounts {
        self.counts.get()
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut FaultCounts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    /// Whether the running fault counts for the page's recency (`current->in_lru_fault`).
    pub fn in_lru_fault(&self) -> bool {
        self.recency_counts.get()
    }

    pub(super) fn set_in_lru_fault(&self, counts: bool) {
        self.recency_counts.set(counts);
    }

    /// A number for a new `anon_vma` that no other task uses.
    pub(super) fn next_anon_vma(&self) -> AnonVmaId {
        let count = self.anon_vmas.replace(self.anon_vmas.get() + 1);
        AnonVmaId((self.cpu.index() as u64) << 32 | count)
    }
}
