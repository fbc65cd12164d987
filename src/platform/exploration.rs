//! What every exploring engine is asked and what it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How an exploration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every execution of the extent was run, and none failed.
    Holds,
    /// An execution failed; the words say why.
    Violated(String),
    /// Somebody asked it to stop, or a cap was reached; what was run did not fail.
    Stopped,
}

/// What an exploration covers when it runs to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every interleaving.
    Everything,
    /// Every interleaving with at most so many preemptions.
    Preemptions(usize),
    /// A sample; it promises nothing about the rest.
    Sample,
}

/// What an exploration did.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// How it ended.
    pub verdict: Verdict,
    /// What it covers, if it was not stopped.
    pub extent: Extent,
    /// Executions run, the failing one included.
    pub executions: u64,
    /// The failing execution, as far as the engine can tell it.
    pub counterexample: Option<String>,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// The way between a running exploration and whoever waits for it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    executions: Arc<AtomicU64>,
    /// The share that is explored, in millionths.
    explored: Arc<AtomicU64>,
}

const MILLION: f64 = 1e6;

impl Watch {
    /// A watch that stops its exploration when `stop` is set.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Executions so far.
    pub fn executions(&self) -> u64 {
        // ORDER none: a statistic.
        self.executions.load(Ordering::Relaxed)
    }

    /// The share of the whole that is explored, 0 to 1; 0 as long as the engine cannot tell.
    pub fn explored(&self) -> f64 {
        // ORDER none: a statistic.
        self.explored.load(Ordering::Relaxed) as f64 / MILLION
    }

    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    pub(super) fn is_stopped(&self) -> bool {
        // ORDER none: a flag.
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn one_more_execution(&self) {
        // ORDER none: a statistic.
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_explored(&self, share: f64) {
        // ORDER none: a statistic.
        self.explored.store((share * MILLION) as u64, Ordering::Relaxed);
    }
}
