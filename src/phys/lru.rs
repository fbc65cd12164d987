//! The LRU lists that reclaim will walk, behind a batch for each CPU (`mm/swap.c`, `folio_add_lru`).
//!
//! A batch holds a reference to each of its pages; the lists hold none. A page leaves its list when its last reference
//! goes.

use std::fmt;

use crate::locks::{LockClass, Spin};
use crate::platform::{Platform, remark};

use super::config::PhysConfig;
use super::cpu::CpuId;
use super::list::{Links, List};
use super::percpu::PerCpu;

#[derive(Debug)]
struct Lists {
    links: Links,
    inactive_anon: List,
    /// Which pages are on a list (`PG_lru`).
    listed: Box<[bool]>,
}

/// The lists and the batches in front of them; pages by their index into memory.
pub struct Lru<P: Platform> {
    lists: Spin<P, Lists>,
    batches: PerCpu<P, Vec<u32>>,
    batch: usize,
}

impl<P: Platform> Lru<P> {
    pub(super) fn new(config: &PhysConfig) -> Self {
        let listed = vec![false; config.frames].into_boxed_slice();
        let lists = Lists { links: Links::new(config.frames), inactive_anon: List::EMPTY, listed };
        Self {
            lists: Spin::new(LockClass::Lru, lists),
            batches: PerCpu::new(LockClass::LruBatch, config.cpus, || Vec::with_capacity(config.lru_batch)),
            batch: config.lru_batch,
        }
    }

    /// Puts a page, with a reference of the caller's, into the CPU's batch; returns the batch if that filled it.
    pub(super) fn add(&self, cpu: CpuId, frame: u32) -> Vec<u32> {
        let mut batch = self.batches.on(cpu);
        batch.push(frame);
        if batch.len() < self.batch {
            return Vec::new();
        }
        let full = batch.drain(..).collect();
        drop(batch);
        self.move_to_list(full)
    }

    /// Empties the CPU's own batch onto the lists (`lru_add_drain`); the caller drops the batch's references.
    pub(super) fn drain(&self, cpu: CpuId) -> Vec<u32> {
        let batch = self.batches.on(cpu).drain(..).collect();
        self.move_to_list(batch)
    }

    /// Empties every CPU's batch onto the lists (`lru_add_drain_all`); the caller drops the batches' references.
    pub(super) fn drain_all(&self) -> Vec<u32> {
        let all = self.batches.each().flat_map(|mut batch| batch.drain(..).collect::<Vec<_>>()).collect();
        self.move_to_list(all)
    }

    /// Lists a page that was a part of a listed folio (`lru_add_page_tail`).
    pub(super) fn add_tail(&self, frame: u32) {
        self.move_to_list(vec![frame]);
    }

    /// Takes a page that is about to be freed off its list (`__page_cache_release`).
    pub(super) fn remove(&self, frame: u32) {
        let mut lists = self.lists.lock();
        let lists = &mut *lists;
        if std::mem::take(&mut lists.listed[frame as usize]) {
            lists.links.remove(&mut lists.inactive_anon, frame);
        }
    }

    /// Takes a page off its list, for who wants it to himself (`folio_isolate_lru`); `false` if it is on none.
    pub(super) fn isolate(&self, frame: u32) -> bool {
        let mut lists = self.lists.lock();
        let lists = &mut *lists;
        let was_listed = std::mem::take(&mut lists.listed[frame as usize]);
        if was_listed {
            lists.links.remove(&mut lists.inactive_anon, frame);
        }
        was_listed
    }

    /// Pages on the lists. Exact when nobody adds or frees.
    pub fn listed(&self) -> usize {
        self.lists.lock().inactive_anon.count()
    }

    fn move_to_list(&self, frames: Vec<u32>) -> Vec<u32> {
        if frames.is_empty() {
            return frames;
        }
        remark::<P>(format_args!("{} pages go from the batch to the inactive list", frames.len()));
        let mut lists = self.lists.lock();
        let lists = &mut *lists;
        for frame in &frames {
            lists.links.push_front(&mut lists.inactive_anon, *frame);
            lists.listed[*frame as usize] = true;
        }
        frames
    }
}

impl<P: Platform> fmt::Debug for Lru<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lru").field("batch", &self.batch).finish_non_exhaustive()
    }
}
