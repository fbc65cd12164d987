//! Who hands out single frames: lists for each CPU in front of the buddy allocator (`rmqueue_pcplist`,
//! `free_unref_page`).
//!
//! # Invariants
//! - I1. A frame is free in the buddy allocator, or on exactly one CPU's list, or it is somebody's.
//! - I2. The zone lock is taken inside a CPU's lock, never the other way round.

use std::fmt;

use crate::locks::Spin;
use crate::platform::{Platform, Tally, remark};

use super::buddy::Buddy;
use super::config::PhysConfig;
use super::cpu::CpuId;
use super::percpu::PerCpu;

/// What a frame is for (`enum migratetype`): each has per-CPU lists of its own. The buddy allocator below mixes them,
/// since pageblocks are not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A page of the kernel, such as a table (`MIGRATE_UNMOVABLE`).
    Table,
    /// A page of a user (`MIGRATE_MOVABLE`).
    User,
}

const PURPOSES: usize = 2;

#[derive(Debug, Default)]
struct Lists([Vec<u32>; PURPOSES]);

/// The frames of the machine, as indices into it.
pub struct Zone<P: Platform> {
    buddy: Spin<P, Buddy>,
    lists: PerCpu<P, Lists>,
    batch: usize,
    high: usize,
    allocated: [P::Counter; PURPOSES],
    freed: [P::Counter; PURPOSES],
}

impl<P: Platform> Zone<P> {
    pub(super) fn new(config: &PhysConfig) -> Self {
        let room = config.pcp_high + 1;
        let lists = || Lists([Vec::with_capacity(room), Vec::with_capacity(room)]);
        Self {
            buddy: Spin::new("zone->lock", Buddy::new(config.frames)),
            lists: PerCpu::new("pcp->lock", config.cpus, lists),
            batch: config.pcp_batch,
            high: config.pcp_high,
            allocated: Default::default(),
            freed: Default::default(),
        }
    }

    /// A frame from the CPU's list, which takes a batch from the buddy allocator when it is empty. When that is empty
    /// too, every CPU gives back what it keeps, once (`drain_all_pages`).
    pub(super) fn alloc(&self, cpu: CpuId, purpose: Purpose) -> Option<u32> {
        let frame = self.try_alloc(cpu, purpose).or_else(|| {
            self.drain_all();
            self.try_alloc(cpu, purpose)
        })?;
        self.allocated[purpose as usize].add(1);
        Some(frame)
    }

    fn try_alloc(&self, cpu: CpuId, purpose: Purpose) -> Option<u32> {
        let mut lists = self.lists.on(cpu);
        let list = &mut lists.0[purpose as usize];
        if list.is_empty() {
            self.refill(list, self.batch);
        }
        list.pop()
    }

    fn drain_all(&self) {
        remark::<P>(format_args!("memory is short: every CPU gives its free frames back"));
        for mut lists in self.lists.each() {
            let mut buddy = self.buddy.lock();
            lists.0.iter_mut().flat_map(|list| list.drain(..)).for_each(|frame| buddy.free(frame, 0));
        }
    }

    /// Puts a frame on the CPU's list, which gives a batch back when it is full.
    pub(super) fn free(&self, cpu: CpuId, purpose: Purpose, frame: u32) {
        self.freed[purpose as usize].add(1);
        let mut lists = self.lists.on(cpu);
        let list = &mut lists.0[purpose as usize];
        list.push(frame);
        if list.len() > self.high {
            let mut buddy = self.buddy.lock();
            list.drain(..self.batch).for_each(|frame| buddy.free(frame, 0));
        }
    }

    /// Fills the CPU's lists, so that its next allocations need no zone lock.
    pub fn prefill(&self, cpu: CpuId, purpose: Purpose, frames: usize) {
        self.refill(&mut self.lists.on(cpu).0[purpose as usize], frames);
    }

    /// Makes `frame` the next one that `cpu` gets for `purpose`; `false` if it is not free.
    pub(super) fn make_next(&self, cpu: CpuId, purpose: Purpose, frame: u32) -> bool {
        let taken = self.buddy.lock().take(frame);
        taken.is_some_and(|frame| {
            self.lists.on(cpu).0[purpose as usize].push(frame);
            true
        })
    }

    /// Frames handed out for `purpose` so far.
    pub fn allocated(&self, purpose: Purpose) -> i64 {
        self.allocated[purpose as usize].read()
    }

    /// Frames of `purpose` that came back so far.
    pub fn freed(&self, purpose: Purpose) -> i64 {
        self.freed[purpose as usize].read()
    }

    /// Frames that are nobody's: free ones and those on the CPUs' lists. Exact when nobody allocates.
    pub fn free_frames(&self) -> usize {
        let on_lists: usize = self.lists.each().map(|lists| lists.0.iter().map(Vec::len).sum::<usize>()).sum();
        on_lists + self.buddy.lock().free_frames()
    }

    fn refill(&self, list: &mut Vec<u32>, frames: usize) {
        let mut buddy = self.buddy.lock();
        list.extend(std::iter::from_fn(|| buddy.alloc(0)).take(frames));
        // The list is a stack: turn it round, so that the lowest frame is handed out first.
        list.reverse();
        remark::<P>(format_args!("the CPU's list was empty: {} frames from the buddy allocator", list.len()));
    }
}

impl<P: Platform> fmt::Debug for Zone<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Zone").field("batch", &self.batch).field("high", &self.high).finish_non_exhaustive()
    }
}
