//! The machine: CPUs, physical memory, and the zero page that the kernel sets up at boot.

use std::io;

use crate::phys::{CpuId, PageState, Pfn, PhysConfig, PhysMem};
use crate::platform::{Arc, CachePadded, Platform, Rcu};

use super::cpu::Cpu;
use super::huge_zero::HugeZero;

/// The machine, shared by all tasks.
#[derive(Debug)]
pub struct Machine<P: Platform> {
    memory: PhysMem<P>,
    cpus: Box<[CachePadded<Cpu<P>>]>,
    zero_page: Pfn,
    huge_zero: HugeZero<P>,
    rcu: Arc<Rcu<P>>,
}

impl<P: Platform> Machine<P> {
    /// Boots a machine: its memory is free but for the zero page.
    ///
    /// # Errors
    /// The host's reason if it has not that much memory.
    ///
    /// # Panics
    /// If the configuration has no CPU or no frame.
    pub fn boot(config: &PhysConfig) -> Result<Self, io::Error> {
        let memory = PhysMem::new(config)?;
        let cpus: Box<[_]> = (0..config.cpus).map(|index| CachePadded::new(Cpu::new(CpuId::new(index)))).collect();
        let zero_page =
            memory.alloc_page(cpus[0].id(), PageState::Reserved).expect("a machine has a frame to boot with");
        memory.clear_page(zero_page);
        let rcu = Arc::new(Rcu::new(cpus.len()));
        Ok(Self { memory, cpus, zero_page, huge_zero: HugeZero::new(), rcu })
    }

    /// Its physical memory.
    pub fn memory(&self) -> &PhysMem<P> {
        &self.memory
    }

    /// One of its CPUs.
    ///
    /// # Panics
    /// If it has not that many.
    pub fn cpu(&self, cpu: CpuId) -> &Cpu<P> {
        &self.cpus[cpu.index()]
    }

    /// The page of zeros that all reads of untouched memory share (`empty_zero_page`).
    pub fn zero_page(&self) -> Pfn {
        self.zero_page
    }

    /// The huge page of zeros (`huge_zero_folio`).
    pub fn huge_zero(&self) -> &HugeZero<P> {
        &self.huge_zero
    }

    /// The read-side sections of its CPUs.
    pub fn rcu(&self) -> &Arc<Rcu<P>> {
        &self.rcu
    }

    /// Interrupts every CPU and waits until each has finished its instruction (what a TLB shootdown does besides
    /// flushing).
    pub fn shoot_down(&self) {
        self.cpus.iter().for_each(|cpu| cpu.interrupt());
    }
}
