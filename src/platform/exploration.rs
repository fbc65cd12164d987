//! What every exploring engine is asked and what it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use interleaver::Frontier;

use super::interleaved::Failing;

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
    /// All executions that there are, as far as the engine could tell when it was stopped.
    pub estimate: Option<u64>,
    /// What PCT promises of its executions.
    pub pct: Option<PctBound>,
    /// The failing execution, as far as the engine can tell it.
    pub counterexample: Option<String>,
    /// How to come to it again, if the engine can.
    pub failing: Option<Failing>,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// What is left of a search that stopped before its end, or of one that was only a shard.
    pub left: Option<Frontier>,
}

/// The probability with which PCT finds a bug, if there is one (Burckhardt and others, ASPLOS 2010).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PctBound {
    /// The depth of the bug: the number of ordering constraints that it takes.
    pub depth: u32,
    /// Threads of an execution, at most.
    pub threads: usize,
    /// Steps of the longest execution that was met.
    pub steps: usize,
}

impl PctBound {
    /// The least probability with which one execution finds the bug: 1 / (threads * steps^(depth - 1)).
    pub fn of_one(self) -> f64 {
        let exponent = i32::try_from(self.depth.saturating_sub(1)).unwrap_or(i32::MAX);
        1.0 / (self.threads.max(1) as f64 * (self.steps.max(1) as f64).powi(exponent))
    }

    /// The least probability with which one of so many finds it.
    pub fn of(self, executions: u64) -> f64 {
        // 1 - (1 - p)^n, without losing a small p beside the 1.
        -(executions as f64 * (-self.of_one()).ln_1p()).exp_m1()
    }
}

/// The way between a running exploration and whoever waits for it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    executions: Arc<AtomicU64>,
    /// The share that is explored, in millionths.
    explored: Arc<AtomicU64>,
    finished: Arc<AtomicBool>,
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
        if self.is_finished() {
            return 1.0;
        }
        // ORDER none: a statistic.
        self.explored.load(Ordering::Relaxed) as f64 / MILLION
    }

    /// All executions that there are, as far as can be told from the share that is explored.
    pub fn estimate(&self) -> Option<u64> {
        let explored = self.explored();
        (explored > 0.0).then(|| (self.executions() as f64 / explored) as u64)
    }

    /// Whether nothing more will come.
    pub fn is_finished(&self) -> bool {
        // ORDER none: a flag.
        self.finished.load(Ordering::Relaxed)
    }

    /// Says that nothing more will come.
    pub fn finish(&self) {
        // ORDER none: a flag.
        self.finished.store(true, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pct_bounds_are_those_of_the_paper() {
        let bound = PctBound { depth: 3, threads: 2, steps: 10 };
        assert!((bound.of_one() - 1.0 / 200.0).abs() < 1e-12);
        assert!((bound.of(1) - bound.of_one()).abs() < 1e-12);
        assert!((bound.of(200) - (1.0 - (1.0 - 1.0 / 200.0f64).powi(200))).abs() < 1e-12);
        // An order of whole threads: no change point, so the steps do not count.
        assert!((PctBound { depth: 1, ..bound }.of_one() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_whole_is_estimated_from_the_explored_share() {
        let watch = Watch::default();
        watch.one_more_execution();
        assert_eq!(watch.estimate(), None);
        watch.set_explored(0.125);
        assert_eq!(watch.estimate(), Some(8));
        watch.finish();
        assert_eq!((watch.explored(), watch.estimate()), (1.0, Some(1)));
    }
}
