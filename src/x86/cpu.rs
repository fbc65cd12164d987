//! A CPU, as far as other CPUs can tell.
//!
//! # Invariants
//! - I1 (D36). An instruction translates and accesses under `instruction`, and what the CPU remembers of translations
//!   stands in it. An interrupt is taken between instructions: a flush passes through every CPU's `instruction` before
//!   anything is freed. So no access goes to a frame after it was freed, neither by what the CPU had remembered nor by
//!   a walk that it had begun.
//! - I2. A CPU takes no other lock under `instruction`, so a flush may wait for it under any lock.
//!
//! Every CPU is interrupted by every flush: which of them have run the process lately (`mm_cpumask`), and which are
//! idle or in a process that shares its tables (lazy TLB), is not modelled.

use crate::locks::{LockClass, Spin, SpinGuard};
use crate::phys::{CpuId, Pfn};
use crate::platform::{Ghost, Platform, remark};

use super::address::VirtAddr;
use super::machine::Machine;
use super::tlb::{Retention, Tlb};

/// A CPU.
#[derive(Debug)]
pub struct Cpu<P: Platform> {
    id: CpuId,
    instruction: Spin<P, Tlb<P>>,
    accessed: Ghost<u64>,
}

impl<P: Platform> Cpu<P> {
    pub(super) fn new(id: CpuId, retention: Retention) -> Self {
        Self { id, instruction: Spin::new(LockClass::Instruction, Tlb::new(retention)), accessed: Ghost::new(0) }
    }

    /// Its number.
    pub fn id(&self) -> CpuId {
        self.id
    }

    /// Ghost: when its last access to memory took place ([`Machine::tick`]).
    pub fn accessed(&self) -> u64 {
        self.accessed.with(|at| *at)
    }

    /// Ghost: the access that it is in has just taken place.
    pub(super) fn note_access(&self, machine: &Machine<P>) {
        if P::CHECKED {
            self.accessed.with(|at| *at = machine.tick());
        }
    }

    /// Begins an instruction; interrupts wait until the guard is dropped.
    pub(super) fn begin_instruction(&self) -> SpinGuard<'_, P, Tlb<P>> {
        self.instruction.lock()
    }

    /// Takes no interrupt until what is returned is dropped (`local_irq_save`).
    #[track_caller]
    pub fn without_interrupts(&self) -> impl Sized {
        self.instruction.lock()
    }

    /// Waits until the CPU has finished the instruction that it is in.
    pub(super) fn interrupt(&self) {
        remark::<P>(format_args!("interrupt {:?}", self.id));
        drop(self.instruction.lock());
    }

    /// The same, and has it forget what it remembers of a range of an address space (`flush_tlb_func`).
    pub(super) fn flush(&self, machine: &Machine<P>, root: Pfn, range: (VirtAddr, VirtAddr)) {
        remark::<P>(format_args!("interrupt {:?}", self.id));
        self.instruction.lock().flush(machine, root, range);
    }
}
