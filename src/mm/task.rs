//! A task: one thread of control, bound to a CPU, with its own accounting (`struct task_struct`).

use std::cell::Cell;

use crate::phys::{AnonVmaId, CpuId};
use crate::platform::Platform;
use crate::x86::Pkru;

/// A thread, as far as the fault path knows it. It belongs to one thread of the host, so its fields are plain.
#[derive(Debug)]
pub struct Task {
    cpu: CpuId,
    pkru: Pkru,
    counts: Cell<FaultCounts>,
    recency_counts: Cell<bool>,
    anon_vmas: Cell<u64>,
    signals: Cell<Signals>,
    faults_disabled: Cell<u32>,
    kind: TaskKind,
}

/// A signal, as far as the fault path asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The task has a handler for it, or it does nothing.
    Handled,
    /// It kills the task.
    Fatal,
}

/// Which signals a task gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// None.
    Never,
    /// This one is pending.
    Pending(Signal),
    /// Another task may send one at any time: whenever the kernel looks, the engine chooses.
    MayArrive,
}

/// Whether a task has memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskKind {
    User,
    /// It runs in the kernel only, on whatever tables were there (`current->mm` is null).
    KernelThread,
}

/// What a task's faults came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Times that the fault lock was taken.
    pub locks_taken: u64,
    /// Times that a try went on with the lock of the one before.
    pub locks_kept: u64,
    /// Times that the fault lock was released.
    pub locks_released: u64,
    /// Calls of `handle_mm_fault`.
    pub calls: u64,
    /// Calls that are to be tried again.
    pub retries: u64,
    /// Calls that ended in an error.
    pub errors: u64,
    /// The event `PGFAULT`.
    pub pgfault: u64,
    /// The event `PGMAJFAULT`: pages of files that were not in memory.
    pub pgmajfault: u64,
    /// Faults that needed no I/O (`min_flt`).
    pub min_flt: u64,
    /// Faults that did (`maj_flt`).
    pub maj_flt: u64,
}

impl Task {
    /// A task on `cpu` that may use every protection key.
    pub fn new(cpu: CpuId) -> Self {
        Self {
            cpu,
            pkru: Pkru::ALL,
            counts: Cell::default(),
            recency_counts: Cell::new(false),
            anon_vmas: Cell::new(0),
            signals: Cell::new(Signals::Never),
            faults_disabled: Cell::new(0),
            kind: TaskKind::User,
        }
    }

    /// A thread of the kernel on `cpu`, which has no memory of its own.
    pub fn kernel_thread(cpu: CpuId) -> Self {
        Self { kind: TaskKind::KernelThread, ..Self::new(cpu) }
    }

    /// The same with these protection-key rights.
    #[must_use]
    pub fn with_pkru(self, pkru: Pkru) -> Self {
        Self { pkru, ..self }
    }

    /// The same with these signals.
    #[must_use]
    pub fn with_signals(self, signals: Signals) -> Self {
        Self { signals: Cell::new(signals), ..self }
    }

    /// The signal that is pending, if one is (`signal_pending`, `fatal_signal_pending`). One that may arrive and does
    /// stays pending.
    pub(super) fn pending_signal<P: Platform>(&self) -> Option<Signal> {
        if self.signals.get() == Signals::MayArrive {
            match P::choose(3) {
                0 => {}
                1 => self.signals.set(Signals::Pending(Signal::Handled)),
                _ => self.signals.set(Signals::Pending(Signal::Fatal)),
            }
        }
        match self.signals.get() {
            Signals::Pending(signal) => Some(signal),
            Signals::Never | Signals::MayArrive => None,
        }
    }

    /// Whether a fatal signal is pending (`fatal_signal_pending`).
    pub(super) fn is_dying<P: Platform>(&self) -> bool {
        self.pending_signal::<P>() == Some(Signal::Fatal)
    }

    /// The handler of the pending signal has run.
    pub(super) fn signal_was_handled(&self) {
        self.signals.set(Signals::Never);
    }

    /// Whether it has memory of its own (`current->mm`).
    pub(super) fn has_mm(&self) -> bool {
        self.kind == TaskKind::User
    }

    /// Runs code that must not fault in pages (`pagefault_disable`, `pagefault_enable`).
    pub fn with_faults_disabled<R>(&self, atomic: impl FnOnce() -> R) -> R {
        self.faults_disabled.set(self.faults_disabled.get() + 1);
        let result = atomic();
        self.faults_disabled.set(self.faults_disabled.get() - 1);
        result
    }

    /// Whether it must not fault in pages now (`faulthandler_disabled`).
    pub(super) fn are_faults_disabled(&self) -> bool {
        self.faults_disabled.get() > 0
    }

    /// Its CPU.
    pub fn cpu(&self) -> CpuId {
        self.cpu
    }

    /// Its rights to the protection keys.
    pub fn pkru(&self) -> Pkru {
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
