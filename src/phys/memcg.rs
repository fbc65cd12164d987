//! The memory cgroup: how many pages may be charged, with a stock for each CPU (`mm/memcontrol.c`, `try_charge_memcg`).
//!
//! # Invariants
//! - I1. `usage` counts the pages charged and those in the stocks; it exceeds the limit for no longer than an attempt.
//!
//! # Memory ordering
//! - O1. `usage` is a number and publishes nothing: relaxed.

use std::fmt;

use crate::locks::LockClass;
use crate::platform::{AtomicWord, Ordering, Platform, named};

use super::config::PhysConfig;
use super::cpu::CpuId;
use super::percpu::PerCpu;

/// A group of tasks with a limit on their memory.
pub struct MemCgroup<P: Platform> {
    usage: P::AtomicU64,
    limit_pages: u64,
    batch_pages: u64,
    stocks: PerCpu<P, u64>,
}

/// The group has no page left to charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeFailed;

impl<P: Platform> MemCgroup<P> {
    pub(super) fn new(config: &PhysConfig) -> Self {
        Self {
            usage: named::<P>(format_args!("memcg usage"), 0),
            limit_pages: config.memcg_limit_pages,
            batch_pages: config.memcg_batch_pages,
            stocks: PerCpu::new(LockClass::MemcgStock, config.cpus, || 0),
        }
    }

    /// Charges one page, from the CPU's stock if it has one (`mem_cgroup_charge`).
    ///
    /// # Errors
    /// If the group is at its limit.
    pub fn charge(&self, cpu: CpuId) -> Result<(), ChargeFailed> {
        self.charge_pages(cpu, 1)
    }

    /// Charges the pages of a folio, from the CPU's stock if it has so many.
    ///
    /// # Errors
    /// If the group is at its limit.
    pub fn charge_pages(&self, cpu: CpuId, pages: u64) -> Result<(), ChargeFailed> {
        let mut stock = self.stocks.on(cpu);
        if *stock < pages {
            let amounts = [self.batch_pages.max(pages), pages];
            *stock += amounts.into_iter().find(|pages| self.try_count(*pages)).ok_or(ChargeFailed)?;
        }
        *stock -= pages;
        Ok(())
    }

    /// Takes the charge of a folio's pages back, into the CPU's stock; a stock above its batch gives batches back.
    pub fn uncharge_pages(&self, cpu: CpuId, pages: u64) {
        let mut stock = self.stocks.on(cpu);
        *stock += pages;
        while *stock > self.batch_pages {
            *stock -= self.batch_pages;
            // ORDER none: O1.
            self.usage.fetch_sub(self.batch_pages, Ordering::Relaxed);
        }
    }

    /// Takes the charge of one page back.
    pub fn uncharge(&self, cpu: CpuId) {
        self.uncharge_pages(cpu, 1);
    }

    /// Stocks `pages` for the CPU, so that its next charges touch nobody else; nothing if that exceeds the limit.
    pub fn prefill(&self, cpu: CpuId, pages: u64) {
        if self.try_count(pages) {
            *self.stocks.on(cpu) += pages;
        }
    }

    /// Pages charged, without the stocks. Exact when nobody charges.
    pub fn charged_pages(&self) -> u64 {
        // ORDER none: O1.
        self.usage.load(Ordering::Relaxed) - self.stocks.each().map(|stock| *stock).sum::<u64>()
    }

    /// `page_counter_try_charge`: counts first and takes it back if that was too much.
    fn try_count(&self, pages: u64) -> bool {
        // ORDER none: O1, here and below.
        let before = self.usage.fetch_add(pages, Ordering::Relaxed);
        if before + pages > self.limit_pages {
            self.usage.fetch_sub(pages, Ordering::Relaxed);
            return false;
        }
        true
    }
}

impl<P: Platform> fmt::Debug for MemCgroup<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemCgroup").field("limit_pages", &self.limit_pages).finish_non_exhaustive()
    }
}
