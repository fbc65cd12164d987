//! Who hands out single frames: lists for each CPU in front of the buddy allocator (`rmqueue_pcplist`,
//! `free_unref_page`).
//!
//! # Invariants
//! - I1. A frame is free in the buddy allocator, or on exactly one CPU's list, or it is somebody's.
//! - I2. The zone lock is taken inside a CPU's lock, never the other way round.

use std::fmt;

use crate::locks::{LockClass, Spin};
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
    /// A block of frames that one PMD entry maps; its list holds blocks (`NR_PCP_THP`).
    Huge,
}

const PURPOSES: usize = 3;

impl Purpose {
    /// Frames that are handed out together, as a power of two.
    const fn order<P: Platform>(self) -> u32 {
        match self {
            Self::Table | Self::User => 0,
            Self::Huge => P::GEOMETRY.index_bits,
        }
    }
}

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
        let lists = || Lists([Vec::with_capacity(room), Vec::with_capacity(room), Vec::new()]);
        Self {
            buddy: Spin::new(LockClass::Zone, Buddy::new(config.frames)),
            lists: PerCpu::new(LockClass::Pcp, config.cpus, lists),
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

    /// A block for a huge page, from the CPU's list or the buddy allocator. If there is none, nobody is asked to give
    /// anything back: the caller has small pages to fall back on (`GFP_TRANSHUGE_LIGHT`).
    pub(super) fn alloc_huge(&self, cpu: CpuId) -> Option<u32> {
        let mut lists = self.lists.on(cpu);
        let kept = lists.0[Purpose::Huge as usize].pop();
        let frame = kept.or_else(|| self.buddy.lock().alloc(Purpose::Huge.order::<P>()))?;
        self.allocated[Purpose::Huge as usize].add(1);
        Some(frame)
    }

    fn try_alloc(&self, cpu: CpuId, purpose: Purpose) -> Option<u32> {
        let mut lists = self.lists.on(cpu);
        let list = &mut lists.0[purpose as usize];
        if list.is_empty() {
            self.refill(list, purpose, self.batch);
        }
        list.pop()
    }

    fn drain_all(&self) {
        remark::<P>(format_args!("memory is short: every CPU gives its free frames back"));
        for mut lists in self.lists.each() {
            let mut buddy = self.buddy.lock();
            for purpose in [Purpose::Table, Purpose::User, Purpose::Huge] {
                let list = lists.0[purpose as usize].drain(..);
                list.for_each(|frame| buddy.free(frame, purpose.order::<P>()));
            }
        }
    }

    /// Puts a frame, or the first of a block, on the CPU's list, which gives a batch back when it is full.
    pub(super) fn free(&self, cpu: CpuId, purpose: Purpose, frame: u32) {
        self.freed[purpose as usize].add(1);
        let order = purpose.order::<P>();
        let mut lists = self.lists.on(cpu);
        let list = &mut lists.0[purpose as usize];
        list.push(frame);
        if list.len() > self.high >> order {
            let mut buddy = self.buddy.lock();
            let batch = self.batch.min(list.len());
            list.drain(..batch).for_each(|frame| buddy.free(frame, order));
        }
    }

    /// Fills the CPU's lists, so that its next allocations need no zone lock.
    pub fn prefill(&self, cpu: CpuId, purpose: Purpose, frames: usize) {
        self.refill(&mut self.lists.on(cpu).0[purpose as usize], purpose, frames);
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
        let kept = |lists: &Lists, purpose: Purpose| lists.0[purpose as usize].len() << purpose.order::<P>();
        let purposes = [Purpose::Table, Purpose::User, Purpose::Huge];
        let on_lists: usize =
            self.lists.each().map(|lists| purposes.map(|purpose| kept(&lists, purpose)).iter().sum::<usize>()).sum();
        on_lists + self.buddy.lock().free_frames()
    }

    fn refill(&self, list: &mut Vec<u32>, purpose: Purpose, frames: usize) {
        let mut buddy = self.buddy.lock();
        list.extend(std::iter::from_fn(|| buddy.alloc(purpose.order::<P>())).take(frames));
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
