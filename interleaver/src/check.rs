//! The loop over executions.

use crate::builder::{Builder, Leaks, OnFailure, Panics, Progress, Strategy as Wanted};
use crate::engine::exec::{Exec, Limits, Status};
use crate::engine::hook;
use crate::engine::rt::{self, Runtime};
use crate::frontier::Frontier;
use crate::report::{Failure, Reason, Report, Stop};
use crate::search::bounded::Bounded;
use crate::search::plan::{Decision, Fidelity, Plan, Strategy};
use crate::search::sampler::{Pct, RandomWalk, Rng};
use crate::search::tree::{Advance, Tree};
use crate::token::Token;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub(crate) type Code<'f> = &'f (dyn Fn() + Send + Sync);

/// Epochs tell executions apart; a worker takes many at once.
static EPOCHS: AtomicU64 = AtomicU64::new(1);
const EPOCH_BLOCK: u64 = 1 << 16;

/// One engine with its code.
pub(crate) struct Worker<'f> {
    pub runtime: Box<Runtime>,
    code: Code<'f>,
    epoch: u64,
    epochs_end: u64,
    pub counts: Counts,
}

/// What was done.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    pub executions: u64,
    pub blocked: u64,
    pub failures: u64,
    pub deadlocks: u64,
    pub steps: u64,
    pub longest: usize,
    pub threads: usize,
}

impl Counts {
    fn add(&mut self, exec: &Exec) {
        if exec.status == Status::Redundant {
            self.blocked += 1;
        } else {
            self.executions += 1;
        }
        self.failures += u64::from(exec.status == Status::Failed);
        self.deadlocks += u64::from(matches!(exec.reason, Some(Reason::Deadlock { .. })));
        self.steps += exec.events.len() as u64;
        self.longest = self.longest.max(exec.events.len());
        self.threads = self.threads.max(exec.spawned.len());
    }
}

fn limits(builder: &Builder) -> Limits {
    Limits {
        max_steps: builder.max_steps,
        weak_failures: builder.weak_failures,
        spurious_wakeups: builder.spurious_wakeups,
        tolerate_panics: builder.panics == Panics::Join,
        check_leaks: builder.leaks == Leaks::Fail,
    }
}

impl<'f> Worker<'f> {
    pub(crate) fn new(builder: &Builder, strategy: Strategy, code: Code<'f>) -> Worker<'f> {
        hook::install();
        let exec = Exec::new(limits(builder), Plan::new(strategy));
        let runtime = Box::new(Runtime::new(exec, builder.stack_bytes));
        Worker { runtime, code, epoch: 0, epochs_end: 0, counts: Counts::default() }
    }

    /// Goes on where the frontier says, if there is one.
    fn take_up(&mut self, builder: &Builder) -> Advance {
        let plan = &mut self.runtime.exec.plan;
        match (&mut plan.strategy, &builder.resume) {
            (Strategy::Search(tree), Some(frontier)) if !frontier.nodes.is_empty() => {
                plan.registry.clone_from(&frontier.family);
                tree.take_up(&frontier.nodes)
            }
            _ => Advance::Ready,
        }
    }

    /// What is left of a search; empty nodes mean that it was not begun.
    fn frontier(&mut self) -> Option<Frontier> {
        let plan = &mut self.runtime.exec.plan;
        match &mut plan.strategy {
            Strategy::Search(tree) => Some(Frontier { family: plan.registry.clone(), nodes: tree.leave() }),
            _ => None,
        }
    }

    /// Runs one execution.
    pub(crate) fn run(&mut self) -> Status {
        if self.epoch == self.epochs_end {
            // ORDER none: only uniqueness matters.
            self.epoch = EPOCHS.fetch_add(EPOCH_BLOCK, Ordering::Relaxed);
            self.epochs_end = self.epoch + EPOCH_BLOCK;
        }
        self.runtime.exec.plan.position = 0;
        let code: *const Code<'f> = &raw const self.code;
        rt::run_once(&raw mut *self.runtime, self.epoch, call, code.cast());
        self.epoch += 1;
        let exec = &mut self.runtime.exec;
        exec.insert_reversals();
        if exec.status == Status::Finished && exec.limits.check_leaks && exec.tracked != 0 {
            exec.status = Status::Failed;
            exec.reason = Some(Reason::Leak { objects: exec.tracked });
        }
        self.counts.add(exec);
        exec.status
    }

    pub(crate) fn failure(&self, name: &str) -> Option<Failure> {
        let exec = &self.runtime.exec;
        exec.reason.clone().map(|reason| exec.failure(reason, name))
    }

    /// The same failure with the lines that the code notes: they are kept in replays only, to keep the search fast.
    fn with_notes(&mut self, failure: Failure, builder: &Builder) -> Failure {
        if failure.reason.kind() == "nondeterminism" {
            return failure;
        }
        let before = std::mem::replace(&mut self.runtime.exec.plan.strategy, Strategy::Away);
        let counts = self.counts;
        let again = self.replay(failure.token.schedule.clone(), Fidelity::Exact, &builder.name);
        self.runtime.exec.plan.strategy = before;
        self.counts = counts;
        again.filter(|a| a.reason == failure.reason).unwrap_or(failure)
    }

    /// Replays decisions; the failure, if there is one.
    pub(crate) fn replay(&mut self, decisions: Vec<Decision>, fidelity: Fidelity, name: &str) -> Option<Failure> {
        self.runtime.exec.plan.strategy = Strategy::Replay(decisions, fidelity);
        self.run();
        self.failure(name)
    }
}

fn call(code: *const ()) {
    // SAFETY: `Worker::run` passes a pointer to its `code`, which outlives the execution.
    let code: Code<'_> = unsafe { *code.cast::<Code<'_>>() };
    code();
}

fn strategy_of(builder: &Builder) -> (Strategy, String) {
    match builder.strategy {
        Wanted::Exhaustive => (Strategy::Search(Box::new(Tree::new())), "all interleavings".to_owned()),
        Wanted::Preemptions(most) => {
            let scope = format!("all schedules with at most {most} preemption(s)");
            (Strategy::Bounded(Box::new(Bounded::new(most))), scope)
        }
        Wanted::Random { seed } => {
            let walk = RandomWalk { rng: Rng::new(seed), width: 1.0 };
            (Strategy::Random(Box::new(walk)), format!("a random walk, seed {seed}"))
        }
        Wanted::Pct { seed, depth } => {
            let pct = Pct::new(seed, depth.max(1));
            (Strategy::Pct(Box::new(pct)), format!("PCT of depth {depth}, seed {seed}"))
        }
    }
}

/// Executions of a sampling strategy when the caller sets no budget.
const DEFAULT_SAMPLES: u64 = 10_000;

pub(crate) fn run_check(builder: &Builder, code: Code<'_>) -> Report {
    let start = Instant::now();
    let (strategy, scope) = strategy_of(builder);
    let mut worker = Worker::new(builder, strategy, code);
    let mut first = None;
    let stopped = match worker.take_up(builder) {
        Advance::Ready => explore(&mut worker, builder, &mut first),
        Advance::Done => None,
    };
    let frontier = stopped.filter(|s| *s != Stop::Failure).and_then(|_| worker.frontier());
    let failure = first.map(|f| worker.with_notes(f, builder));
    let mut report = finish_report(builder, worker, scope, stopped, failure, start);
    report.frontier = frontier;
    report
}

/// Runs executions until there are no more, or a reason to stop.
fn explore(worker: &mut Worker<'_>, builder: &Builder, first: &mut Option<Failure>) -> Option<Stop> {
    let sampling = matches!(builder.strategy, Wanted::Random { .. } | Wanted::Pct { .. });
    let budget = builder.budget.or(sampling.then_some(DEFAULT_SAMPLES));
    let reason_to_stop = |done: u64| {
        if budget.is_some_and(|b| done >= b) {
            return Some(if sampling { Stop::Sampling } else { Stop::Budget });
        }
        // ORDER none: a flag that says stop, and nothing else.
        let interrupted = builder.stop.as_ref().is_some_and(|s| s.load(Ordering::Relaxed));
        interrupted.then_some(Stop::Interrupted)
    };
    if let Some(stop) = reason_to_stop(0) {
        return Some(stop);
    }
    for done in 1.. {
        start_strategy(worker);
        let status = worker.run();
        if status == Status::Failed {
            let failure = worker.failure(&builder.name);
            *first = first.take().or(failure);
            let fatal = first.as_ref().is_some_and(|f| matches!(f.reason.kind(), "nondeterminism" | "misuse"));
            if builder.on_failure == OnFailure::Stop || fatal {
                return Some(Stop::Failure);
            }
        }
        report_progress(builder, done, || explored_share(worker));
        // Not after `advance`: a frontier is what is left at the end of an execution.
        if let Some(stop) = reason_to_stop(done).filter(|_| !is_exhausted(worker)) {
            return Some(stop);
        }
        if advance(worker) == Advance::Done {
            break;
        }
    }
    None
}

fn is_exhausted(worker: &Worker<'_>) -> bool {
    match &worker.runtime.exec.plan.strategy {
        Strategy::Search(tree) => tree.is_exhausted(),
        _ => false,
    }
}

fn start_strategy(worker: &mut Worker<'_>) {
    match &mut worker.runtime.exec.plan.strategy {
        Strategy::Pct(pct) => pct.start(),
        Strategy::Bounded(bounded) => bounded.start(),
        Strategy::Random(walk) => walk.width = 1.0,
        Strategy::Search(_) | Strategy::Replay(..) | Strategy::Away => {}
    }
}

fn advance(worker: &mut Worker<'_>) -> Advance {
    let exec = &mut worker.runtime.exec;
    match &mut exec.plan.strategy {
        Strategy::Search(tree) => tree.advance(),
        Strategy::Bounded(bounded) => bounded.advance(),
        Strategy::Pct(pct) => {
            pct.longest = pct.longest.max(exec.events.len());
            pct.most_threads = pct.most_threads.max(exec.spawned.len());
            Advance::Ready
        }
        Strategy::Random(_) | Strategy::Replay(..) | Strategy::Away => Advance::Ready,
    }
}

fn explored_share(worker: &Worker<'_>) -> f64 {
    match &worker.runtime.exec.plan.strategy {
        Strategy::Search(tree) => tree.explored_share(),
        _ => 0.0,
    }
}

fn report_progress(builder: &Builder, done: u64, explored: impl FnOnce() -> f64) {
    if let Some(progress) = &builder.progress
        && done.is_multiple_of(builder.progress_every)
    {
        let explored = explored();
        progress(&Progress { executions: done, explored, estimate: estimate_from(done, explored) });
    }
}

fn estimate_from(done: u64, explored: f64) -> f64 {
    if explored > 0.0 { done as f64 / explored } else { f64::INFINITY }
}

fn finish_report(
    builder: &Builder,
    mut worker: Worker<'_>,
    mut scope: String,
    stopped: Option<Stop>,
    failure: Option<Failure>,
    start: Instant,
) -> Report {
    let counts = worker.counts;
    let estimate = if stopped.is_none() {
        counts.executions as f64
    } else {
        estimate_from(counts.executions + counts.blocked, explored_share(&worker))
    };
    if let Strategy::Pct(pct) = &worker.runtime.exec.plan.strategy {
        scope.push_str(&format!(", each run finds a bug of that depth with probability at least {:.2e}", pct.bound()));
    }
    let shrunk = failure.as_ref().and_then(|f| crate::shrink::shrink(&mut worker, builder, f));
    Report {
        name: builder.name.clone(),
        stopped,
        scope,
        executions: counts.executions,
        blocked: counts.blocked,
        failures: counts.failures,
        deadlocks: counts.deadlocks,
        steps: counts.steps,
        longest: counts.longest,
        threads: counts.threads,
        estimate,
        elapsed: start.elapsed(),
        failure: failure.map(Box::new),
        shrunk: shrunk.map(Box::new),
        frontier: None,
    }
}

pub(crate) fn run_replay(builder: &Builder, token: &Token, code: Code<'_>) -> Report {
    let start = Instant::now();
    let mut worker = Worker::new(builder, Strategy::Replay(Vec::new(), Fidelity::Exact), code);
    let failure = worker.replay(token.schedule.clone(), Fidelity::Exact, &builder.name);
    let stopped = Some(if failure.is_some() { Stop::Failure } else { Stop::Sampling });
    let quiet = Builder { shrink_budget: 0, ..builder.clone() };
    finish_report(&quiet, worker, "one replayed schedule".to_owned(), stopped, failure, start)
}

pub(crate) fn estimate(builder: &Builder, descents: u64, seed: u64, code: Code<'_>) -> f64 {
    let walk = RandomWalk { rng: Rng::new(seed), width: 1.0 };
    let mut worker = Worker::new(builder, Strategy::Random(Box::new(walk)), code);
    let mut sum = 0.0;
    for _ in 0..descents {
        start_strategy(&mut worker);
        worker.run();
        if let Strategy::Random(walk) = &worker.runtime.exec.plan.strategy {
            sum += walk.width;
        }
    }
    sum / descents.max(1) as f64
}
