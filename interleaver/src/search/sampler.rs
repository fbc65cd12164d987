//! Random strategies: the uniform walk, and PCT, which finds a bug of depth d with a known probability.
//!
//! PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): threads get random priorities, the highest enabled
//! one runs, and at `depth - 1` random steps the running thread falls below all others. A bug of that depth is found
//! by one run with probability at least `1 / (n * k^(depth - 1))` for `n` threads and `k` steps.

use crate::engine::op::Tid;

/// A small generator (SplitMix64): the same seed gives the same schedules everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Each enabled thread is equally likely at each step.
pub(crate) struct RandomWalk {
    pub rng: Rng,
    /// The product of the numbers of possibilities met: Knuth's estimate of the number of executions.
    pub width: f64,
}

pub(crate) struct Pct {
    pub rng: Rng,
    pub depth: u32,
    pub longest: usize,
    pub most_threads: usize,
    priorities: Vec<u64>,
    changes: Vec<usize>,
    lowest: u64,
}

impl Pct {
    pub(crate) fn new(seed: u64, depth: u32) -> Pct {
        let rng = Rng::new(seed);
        Pct { rng, depth, longest: 1, most_threads: 1, priorities: Vec::new(), changes: Vec::new(), lowest: 0 }
    }

    /// Draws the change points of the next execution.
    pub(crate) fn start(&mut self) {
        self.priorities.clear();
        self.changes.clear();
        for _ in 1..self.depth {
            let at = self.rng.below(self.longest);
            self.changes.push(at);
        }
        self.lowest = u64::from(u32::MAX);
    }

    fn priority(&mut self, tid: Tid) -> u64 {
        while self.priorities.len() <= tid.index() {
            let fresh = (u64::from(u32::MAX) + 1) | self.rng.next();
            self.priorities.push(fresh);
        }
        self.priorities[tid.index()]
    }

    /// The thread of highest priority among the enabled ones, changes included.
    pub(crate) fn pick(&mut self, step: usize, enabled: &[Tid]) -> Tid {
        let best = self.highest(enabled);
        if !self.changes.contains(&step) {
            return best;
        }
        // At a change point, whoever would go next falls behind all others.
        self.lowest -= 1;
        self.priorities[best.index()] = self.lowest;
        self.highest(enabled)
    }

    fn highest(&mut self, enabled: &[Tid]) -> Tid {
        let mut best = enabled[0];
        for &tid in enabled {
            if self.priority(tid) > self.priority(best) {
                best = tid;
            }
        }
        best
    }

    /// The least probability with which one run finds a bug of this depth.
    pub(crate) fn bound(&self) -> f64 {
        1.0 / (self.most_threads as f64 * (self.longest as f64).powi(self.depth as i32 - 1))
    }
}
