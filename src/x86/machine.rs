//! The machine: CPUs, physical memory, and the zero page that the kernel sets up at boot.

use std::collections::BTreeMap;
use std::io;

use crate::phys::{CpuId, PageState, Pfn, PhysConfig, PhysMem};
use crate::platform::{Arc, CachePadded, Ghost, Platform, Rcu};

use super::address::VirtAddr;
use super::cpu::Cpu;
use super::huge_zero::HugeZero;
use super::tlb::{Remembered, Retention};

/// The machine, shared by all tasks.
#[derive(Debug)]
pub struct Machine<P: Platform> {
    memory: PhysMem<P>,
    cpus: Box<[CachePadded<Cpu<P>>]>,
    zero_page: Pfn,
    huge_zero: HugeZero<P>,
    rcu: Arc<Rcu<P>>,
    remembered: Ghost<Vec<Arc<Remembered<P>>>>,
    clock: Ghost<u64>,
    judged: Ghost<BTreeMap<&'static str, u64>>,
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
        Self::boot_with(config, Retention::usual::<P>())
    }

    /// The same, with CPUs that remember translations so long.
    ///
    /// # Errors
    /// The host's reason if it has not that much memory.
    ///
    /// # Panics
    /// If the configuration has no CPU or no frame.
    pub fn boot_with(config: &PhysConfig, tlb: Retention) -> Result<Self, io::Error> {
        let memory = PhysMem::new(config)?;
        let cpus: Box<[_]> = (0..config.cpus).map(|index| CachePadded::new(Cpu::new(CpuId::new(index), tlb))).collect();
        let zero_page =
            memory.alloc_page(cpus[0].id(), PageState::Reserved).expect("a machine has a frame to boot with");
        memory.clear_page(zero_page);
        let rcu = Arc::new(Rcu::new(cpus.len()));
        let (remembered, clock, judged) = (Ghost::default(), Ghost::default(), Ghost::default());
        Ok(Self { memory, cpus, zero_page, huge_zero: HugeZero::new(), rcu, remembered, clock, judged })
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

    /// Interrupts every CPU and waits until each has finished its instruction (`smp_call_function`).
    pub fn shoot_down(&self) {
        self.cpus.iter().for_each(|cpu| cpu.interrupt());
    }

    /// Makes every CPU forget what it remembers of a range of the address space with this root, and waits until each
    /// has finished its instruction.
    pub fn flush(&self, root: Pfn, range: (VirtAddr, VirtAddr)) {
        self.cpus.iter().for_each(|cpu| cpu.flush(self, root, range));
    }

    /// Ghost: what all CPUs remember.
    pub(super) fn remembered(&self) -> &Ghost<Vec<Arc<Remembered<P>>>> {
        &self.remembered
    }

    /// Ghost: what CPUs remember of a range of the address space with this root.
    pub fn remembered_of(&self, root: Pfn, range: (VirtAddr, VirtAddr)) -> Vec<Arc<Remembered<P>>> {
        self.remembered.with(|all| all.iter().filter(|entry| entry.lies_in(root, range)).map(Arc::clone).collect())
    }

    /// Ghost: an invariant was evaluated on so many facts while others ran, and holds.
    pub fn judged(&self, id: &'static str, facts: u64) {
        if P::CHECKED {
            self.judged.with(|all| *all.entry(id).or_default() += facts);
        }
    }

    /// Ghost: the invariants that were evaluated while others ran, and on how many facts.
    pub fn judgements(&self) -> BTreeMap<&'static str, u64> {
        self.judged.with(|all| all.clone())
    }

    /// Ghost: a number for what has just taken place, greater than that of all that took place before it in the order
    /// in which the engine runs the steps.
    pub fn tick(&self) -> u64 {
        self.clock.with(|now| {
            *now += 1;
            *now
        })
    }
}
