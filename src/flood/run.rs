//! One flood: every thread maps a region of its own, writes to every page of it, unmaps it and begins again.
//!
//! All threads share one address space, and with it the mmap lock, the upper tables, and the buddy allocator; each
//! has its own CPU, and with it lists and stocks of its own. Afterwards the invariants are checked over the whole
//! address space.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::actors::{exit_mmap, munmap};
use crate::mm::{FaultCounts, Generation, Mm, MmError, Placement, Process, Protection, Task, mmap};
use crate::oracle::{Broken, Evaluated, Files, GhostEvent, GhostLog, Layout, Quiet, after_exit, at_rest, verify};
use crate::phys::{CpuId, Pfn, PhysConfig};
use crate::platform::{Arc, Native, Platform, X86_64};
use crate::x86::{Completion, Instruction, Machine, Mode, VirtAddr};

type Machinery = Native<X86_64>;

/// What to flood.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// Threads that fault.
    pub threads: usize,
    /// How long.
    pub duration: Duration,
    /// Pages of each thread's region.
    pub pages: usize,
}

/// What a flood came to.
#[derive(Clone, Debug)]
pub struct Flooded {
    /// Page faults handled.
    pub faults: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// Pages that were mapped when it ended, over which the invariants were checked.
    pub pages_checked: usize,
    /// How many facts each invariant was evaluated on.
    pub evaluated: Evaluated,
}

impl Flooded {
    /// Page faults a second.
    pub fn faults_per_second(&self) -> f64 {
        self.faults as f64 / self.elapsed.as_secs_f64()
    }
}

/// Why a flood failed.
#[derive(Debug, Error)]
pub enum FloodError {
    /// There is not enough memory.
    #[error("cannot flood {pages} pages on each of {threads} threads: {reason}")]
    Machine {
        /// Pages of each thread.
        pages: usize,
        /// Threads.
        threads: usize,
        /// Why not.
        reason: MmError,
    },
    /// The host could not start the threads.
    #[error("the host cannot start the threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// An invariant does not hold.
    #[error("{0}")]
    Broken(#[from] Broken),
}

/// Floods until the time is over or `stop` is set, and checks every invariant afterwards.
///
/// # Errors
/// If the host has not the memory or the threads, or if an invariant is broken.
///
/// # Panics
/// If a store does not complete: there is memory for all of them.
pub fn flood(flood: &Flood, stop: &AtomicBool) -> Result<Flooded, FloodError> {
    let Flood { threads, pages, .. } = *flood;
    let mm = boot(flood).map_err(|reason| FloodError::Machine { pages, threads, reason })?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let started = Instant::now();
    let deadline = started + flood.duration;
    let ran = pool.broadcast(|worker| {
        // ORDER none: a flag.
        let is_over = || Instant::now() >= deadline || stop.load(Ordering::Relaxed);
        fault_until(&mm, CpuId::new(worker.index()), pages, is_over)
    });
    let elapsed = started.elapsed();
    let (tasks, ghost): (Vec<_>, Vec<_>) = ran.into_iter().unzip();
    let (pages_checked, evaluated) = check_invariants(&mm, &tasks, &ghost)?;
    let faults = tasks.iter().map(|counts| counts.pgfault).sum();
    Ok(Flooded { faults, elapsed, pages_checked, evaluated })
}

fn boot(flood: &Flood) -> Result<Mm<Machinery>, MmError> {
    let tables = flood.pages / Machinery::GEOMETRY.entries() + 4;
    // Besides what it maps, a CPU may keep frames on its lists: those are given back only when memory is short.
    let frames = flood.threads * (flood.pages + tables) + 64;
    let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), frames, flood.threads))?;
    Mm::new(Arc::new(machine), Generation::G6, CpuId::new(0))
}

/// Checks the clock only this often.
const PAGES_BETWEEN_LOOKS: usize = 64;

fn fault_until(mm: &Mm<Machinery>, cpu: CpuId, pages: usize, is_over: impl Fn() -> bool) -> (FaultCounts, GhostLog) {
    let task = Task::new(cpu);
    let bytes = pages as u64 * Machinery::GEOMETRY.page_size();
    let protection = Protection::READ | Protection::WRITE;
    loop {
        let start = mmap(mm, Placement::Anywhere, bytes, protection).expect("user space has room");
        let mut log = GhostLog::default();
        for page in 0..pages {
            log.push(store(mm, &task, page_address(start, page)), (0, 0));
            let done = page + 1;
            if (done == pages || done % PAGES_BETWEEN_LOOKS == 0) && is_over() {
                return (task.counts(), log);
            }
        }
        munmap(mm, cpu, start, bytes).expect("the region was mapped");
    }
}

fn page_address(start: VirtAddr, page: usize) -> VirtAddr {
    start.offset(page as u64 * Machinery::GEOMETRY.page_size())
}

fn store(mm: &Mm<Machinery>, task: &Task, address: VirtAddr) -> GhostEvent {
    let value = address.bytes();
    let completion = Process::new(mm, task).execute(Mode::User, Instruction::store(address, value));
    assert!(completion == Completion::Done(None), "a store to {address} ended with {completion:?}");
    GhostEvent::Stored(address, value)
}

fn check_invariants(
    mm: &Mm<Machinery>,
    tasks: &[FaultCounts],
    ghost: &[GhostLog],
) -> Result<(usize, Evaluated), Broken> {
    let cpu = CpuId::new(0);
    mm.memory().drain_lru_batches(cpu);
    let mut evaluated = Evaluated::new();
    let (layout, files) = (Layout::of(mm), Files::default());
    verify(&at_rest(), &Quiet { mm, layout: &layout, tasks, ghost, files: &files, kin: None }, &mut evaluated)?;
    exit_mmap(mm, cpu);
    let gone = Layout::default();
    verify(&after_exit(), &Quiet { mm, layout: &gone, tasks, ghost, files: &files, kin: None }, &mut evaluated)?;
    Ok((layout.pages.len(), evaluated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_counts_its_faults_and_leaves_nothing() {
        let stop = AtomicBool::new(true);
        let settings = Flood { threads: 2, duration: Duration::from_secs(60), pages: 512 };
        let flooded = flood(&settings, &stop).expect("every invariant holds");
        assert_eq!((flooded.faults, flooded.pages_checked), (128, 128), "each thread stopped at its first look");

        let settings = Flood { duration: Duration::from_millis(50), ..settings };
        let flooded = flood(&settings, &AtomicBool::new(false)).expect("every invariant holds");
        assert!(flooded.faults > 0);
        // A fault that gives up its VMA's lock and tries again is handled twice.
        assert!(flooded.evaluated["D54"] >= flooded.faults);
    }

    #[test]
    fn more_memory_than_the_host_has_is_an_error() {
        let settings = Flood { threads: 1, duration: Duration::ZERO, pages: 1 << 31 };
        let error = flood(&settings, &AtomicBool::new(false)).expect_err("8 TiB");
        assert!(error.to_string().starts_with("cannot flood 2147483648 pages on each of 1 threads"), "{error}");
    }
}
