//! A CPU, as far as other CPUs can tell.
//!
//! # What stands for a TLB shootdown
//! TLBs are not modelled: every access walks the tables. What remains of a shootdown is that the interrupt it sends is
//! taken *between* instructions: after it, no CPU is in the middle of an instruction that translated an address before
//! it.
//!
//! # Invariants
//! - I1 (D36). An instruction translates and accesses under `instruction`, and a shootdown passes through every CPU's
//!   `instruction` before anything is freed. So no access goes to a frame after it was freed.
//! - I2. A CPU takes no other lock under `instruction`, so a shootdown may wait for it under any lock.

use crate::locks::{LockClass, Spin, SpinGuard};
use crate::phys::CpuId;
use crate::platform::{Platform, remark};

/// A CPU.
#[derive(Debug)]
pub struct Cpu<P: Platform> {
    id: CpuId,
    instruction: Spin<P, ()>,
}

impl<P: Platform> Cpu<P> {
    pub(super) fn new(id: CpuId) -> Self {
        Self { id, instruction: Spin::new(LockClass::Instruction, ()) }
    }

    /// Its number.
    pub fn id(&self) -> CpuId {
        self.id
    }

    /// Begins an instruction; interrupts wait until the guard is dropped.
    pub(super) fn begin_instruction(&self) -> SpinGuard<'_, P, ()> {
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
}
