//! How a check is configured, and `model`.

use crate::check::run_check;
use crate::report::{Reason, Report};
use crate::token::Token;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Which schedules are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// Every Mazurkiewicz trace, once (optimal DPOR).
    Exhaustive,
    /// Every schedule with at most this many preemptions, by plain enumeration.
    Preemptions(u32),
    /// Random schedules; each enabled thread is equally likely at each step.
    Random {
        /// Same seed, same schedules.
        seed: u64,
    },
    /// Random priorities with `depth - 1` change points: finds a bug of that depth with a known probability.
    Pct {
        /// Same seed, same schedules.
        seed: u64,
        /// Bug depth aimed at; 1 is "some order of threads".
        depth: u32,
    },
}

/// What a thread's panic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panics {
    /// A failure of the check.
    Fail,
    /// A result, which `join` returns, as in the standard library.
    Join,
}

/// Whether objects that outlive an execution are a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaks {
    /// Not looked at.
    Ignore,
    /// A failure.
    Fail,
}

/// What happens at a failing execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The check ends.
    Stop,
    /// It is counted, the first one is kept, and the check goes on.
    Count,
}

/// How far a running check has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Executions so far.
    pub executions: u64,
    /// Share of the tree that was explored, between 0 and 1, taking known branches for equal.
    pub explored: f64,
    /// Estimate of all executions, from `explored`.
    pub estimate: f64,
}

/// Called now and then while a check runs.
pub type ProgressFn = Arc<dyn Fn(&Progress) + Send + Sync>;

/// Says whether two failures are the same one.
pub type Alike = Arc<dyn Fn(&Reason, &Reason) -> bool + Send + Sync>;

/// Configures a check. All fields can be set directly or through the methods of the same name.
#[derive(Clone)]
pub struct Builder {
    /// Shown in reports and tokens.
    pub name: String,
    /// Which schedules are tried.
    pub strategy: Strategy,
    /// Steps after which an execution is a livelock.
    pub max_steps: u32,
    /// Executions after which to stop; sampling strategies need one.
    pub budget: Option<u64>,
    /// OS threads that share an exhaustive check; the counts do not depend on it, only which failure is met first does.
    pub jobs: usize,
    /// How often in one execution each thread's `compare_exchange_weak` may fail without a reason.
    pub weak_failures: u32,
    /// How often in one execution each thread may wake from a condvar without a notification.
    pub spurious_wakeups: u32,
    /// What a panic is.
    pub panics: Panics,
    /// Whether leaks are failures.
    pub leaks: Leaks,
    /// What happens at a failing execution.
    pub on_failure: OnFailure,
    /// Executions spent on making a failure simpler.
    pub shrink_budget: u64,
    /// Whether what a simpler execution fails with is still the failure that is made simpler; if not given, it is if
    /// both are of one kind.
    pub alike: Option<Alike>,
    /// Stack of each thread, in bytes.
    pub stack_bytes: usize,
    /// Set to stop early; the report then says so.
    pub stop: Option<Arc<AtomicBool>>,
    /// Called every `progress_every` executions.
    pub progress: Option<ProgressFn>,
    /// See `progress`.
    pub progress_every: u64,
    /// Takes the tasks of a search in a random order, as no number of workers would: for tests of the search itself.
    #[doc(hidden)]
    pub scatter: Option<u64>,
    /// Where to go on, as a former report's `frontier` says.
    pub resume: Option<crate::frontier::Frontier>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            name: String::new(),
            strategy: Strategy::Exhaustive,
            max_steps: 100_000,
            budget: None,
            jobs: 1,
            weak_failures: 1,
            spurious_wakeups: 0,
            panics: Panics::Fail,
            leaks: Leaks::Ignore,
            on_failure: OnFailure::Stop,
            shrink_budget: 2_000,
            alike: None,
            stack_bytes: 256 * 1024,
            stop: None,
            progress: None,
            progress_every: 10_000,
            scatter: None,
            resume: None,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

impl Builder {
    /// Everything at its default: exhaustive, no budget.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the check.
    #[must_use]
    pub fn name(mut self, name: &str) -> Builder {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the strategy.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Builder {
        self.strategy = strategy;
        self
    }

    /// Bounds preemptions; see [`Strategy::Preemptions`].
    #[must_use]
    pub fn preemptions(self, most: u32) -> Builder {
        self.strategy(Strategy::Preemptions(most))
    }

    /// Stops after this many executions.
    #[must_use]
    pub fn budget(mut self, executions: u64) -> Builder {
        self.budget = Some(executions);
        self
    }

    /// Shares an exhaustive check among so many OS threads.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Builder {
        self.jobs = jobs.max(1);
        self
    }

    /// Sets the bound on steps.
    #[must_use]
    pub fn max_steps(mut self, steps: u32) -> Builder {
        self.max_steps = steps;
        self
    }

    /// Allows spurious wake-ups, so many for each thread.
    #[must_use]
    pub fn spurious_wakeups(mut self, each: u32) -> Builder {
        self.spurious_wakeups = each;
        self
    }

    /// Allows spurious failures of weak CAS, so many for each thread.
    #[must_use]
    pub fn weak_failures(mut self, each: u32) -> Builder {
        self.weak_failures = each;
        self
    }

    /// Sets what a thread's panic is.
    #[must_use]
    pub fn panics(mut self, panics: Panics) -> Builder {
        self.panics = panics;
        self
    }

    /// Makes leaks of tracked objects a failure.
    #[must_use]
    pub fn check_leaks(mut self) -> Builder {
        self.leaks = Leaks::Fail;
        self
    }

    /// Counts failing executions instead of stopping at the first.
    #[must_use]
    pub fn count_failures(mut self) -> Builder {
        self.on_failure = OnFailure::Count;
        self
    }

    /// Goes on where a former check stopped.
    #[must_use]
    pub fn resume(mut self, frontier: crate::frontier::Frontier) -> Builder {
        self.resume = Some(frontier);
        self
    }

    /// Stops when the flag is set.
    #[must_use]
    pub fn stop_flag(mut self, flag: Arc<AtomicBool>) -> Builder {
        self.stop = Some(flag);
        self
    }

    /// Calls `f` every `every` executions.
    #[must_use]
    pub fn on_progress(mut self, every: u64, f: impl Fn(&Progress) + Send + Sync + 'static) -> Builder {
        self.progress = Some(Arc::new(f));
        self.progress_every = every.max(1);
        self
    }

    /// Runs the check and says how it went.
    pub fn check<F: Fn() + Send + Sync + 'static>(&self, f: F) -> Report {
        run_check(self, &f)
    }

    /// Sets which failures are the same one when a failure is made simpler.
    #[must_use]
    pub fn alike(mut self, alike: impl Fn(&Reason, &Reason) -> bool + Send + Sync + 'static) -> Builder {
        self.alike = Some(Arc::new(alike));
        self
    }

    pub(crate) fn is_alike(&self, one: &Reason, other: &Reason) -> bool {
        one.kind() == other.kind() && self.alike.as_ref().is_none_or(|alike| alike(one, other))
    }

    /// As [`Builder::replay`], and makes the failure simpler.
    pub fn shrink<F: Fn() + Send + Sync + 'static>(&self, token: &Token, f: F) -> Report {
        crate::check::run_shrink(self, token, &f)
    }

    /// Runs one schedule, as a token of a former failure gives it.
    pub fn replay<F: Fn() + Send + Sync + 'static>(&self, token: &Token, f: F) -> Report {
        crate::check::run_replay(self, token, &f)
    }

    /// Runs the check and panics with the report if there is a failure.
    ///
    /// # Panics
    /// If there is a failure.
    #[track_caller]
    pub fn model<F: Fn() + Send + Sync + 'static>(&self, f: F) {
        self.check(f).expect_pass();
    }

    /// Knuth's estimate of the number of *interleavings*, from so many random descents: what there would be without
    /// reduction, hence an upper bound in expectation for the executions of an exhaustive check.
    pub fn estimate_interleavings<F: Fn() + Send + Sync + 'static>(&self, descents: u64, seed: u64, f: F) -> f64 {
        crate::check::estimate(self, descents, seed, &f)
    }
}

/// Runs `f` in every way in which its threads can be interleaved; panics with the report if one of them fails.
///
/// # Panics
/// If an execution fails.
#[track_caller]
pub fn model<F: Fn() + Send + Sync + 'static>(f: F) {
    Builder::new().model(f);
}
