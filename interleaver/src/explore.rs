//! The loops over executions.

use crate::builder::{Builder, OnFailure, Progress, Strategy as Wanted};
use crate::engine::exec::Status;
use crate::failure::Failure;
use crate::report::Stop;
use crate::search::plan::Strategy;
use crate::search::shared::{Claim, Shared};
use crate::search::tree::{Advance, Tree};
use crate::worker::{Code, Counts, Worker};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// Executions of a sampling strategy when the caller sets no budget.
const DEFAULT_SAMPLES: u64 = 10_000;

/// What the workers of one check agree on.
pub(crate) struct Control<'b> {
    builder: &'b Builder,
    budget: Option<u64>,
    begun: AtomicU64,
    done: AtomicU64,
    stopped: AtomicBool,
    verdict: Mutex<Verdict>,
    shared: Option<Arc<Shared>>,
    /// What was explored before this check began, of a tree that it took up.
    share_before: f64,
}

/// What ended the check early, and the first failure.
#[derive(Default)]
pub(crate) struct Verdict {
    pub stopped: Option<Stop>,
    pub failure: Option<Failure>,
}

/// Whether a worker goes on after an execution.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    Stop,
}

impl<'b> Control<'b> {
    pub(crate) fn new(builder: &'b Builder, shared: Option<Arc<Shared>>) -> Control<'b> {
        let sampling = matches!(builder.strategy, Wanted::Random { .. } | Wanted::Pct { .. });
        Control {
            builder,
            budget: builder.budget.or(sampling.then_some(DEFAULT_SAMPLES)),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            verdict: Mutex::default(),
            share_before: shared.as_ref().map_or(0.0, |s| s.explored_share()),
            shared,
        }
    }

    pub(crate) fn into_verdict(self) -> Verdict {
        self.verdict.into_inner().expect("no worker panics while it holds the verdict")
    }

    /// Whether one more execution may begin; it counts as begun.
    fn may_begin(&self) -> bool {
        // ORDER none: a flag that says stop, and nothing else.
        if self.builder.stop.as_ref().is_some_and(|s| s.load(Ordering::Relaxed)) {
            self.stop(Stop::Interrupted);
        }
        if self.is_stopped() {
            return false;
        }
        let Some(budget) = self.budget else { return true };
        // ORDER none: only the count matters.
        if self.begun.fetch_add(1, Ordering::Relaxed) < budget {
            return true;
        }
        let sampling = matches!(self.builder.strategy, Wanted::Random { .. } | Wanted::Pct { .. });
        self.stop(if sampling { Stop::Sampling } else { Stop::Budget });
        false
    }

    fn is_stopped(&self) -> bool {
        // ORDER none: a flag; what it announces is under the lock.
        self.stopped.load(Ordering::Relaxed)
    }

    fn verdict(&self) -> MutexGuard<'_, Verdict> {
        self.verdict.lock().expect("no worker panics while it holds the verdict")
    }

    fn stop(&self, why: Stop) {
        self.verdict().stopped.get_or_insert(why);
        // ORDER none: as in `is_stopped`.
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Looks at what the execution came to.
    fn look(&self, worker: &Worker<'_>, status: Status) -> After {
        if status != Status::Failed {
            return After::GoOn;
        }
        let failure = worker.failure(&self.builder.name);
        let fatal = failure.as_ref().is_some_and(|f| matches!(f.reason.kind(), "nondeterminism" | "misuse"));
        let mut verdict = self.verdict();
        verdict.failure = verdict.failure.take().or(failure);
        drop(verdict);
        if self.builder.on_failure == OnFailure::Stop || fatal {
            self.stop(Stop::Failure);
            return After::Stop;
        }
        After::GoOn
    }

    fn report_progress(&self, explored: impl FnOnce() -> f64) {
        // ORDER none: a statistic.
        let executions = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(progress) = &self.builder.progress
            && executions.is_multiple_of(self.builder.progress_every)
        {
            let explored = self.share_of_this_check(explored());
            progress(&Progress { executions, explored, estimate: estimate_from(executions, explored) });
        }
    }

    /// From the share of a whole tree to that of what this check took up.
    fn share_of_this_check(&self, explored: f64) -> f64 {
        ((explored - self.share_before) / (1.0 - self.share_before)).clamp(0.0, 1.0)
    }

    /// How many executions there are in all, from what was explored by now.
    pub(crate) fn estimate(&self, executions: u64) -> f64 {
        let explored = self.shared.as_ref().map_or(0.0, |s| s.explored_share());
        estimate_from(executions, self.share_of_this_check(explored))
    }
}

fn estimate_from(done: u64, explored: f64) -> f64 {
    if explored > 0.0 { done as f64 / explored } else { f64::INFINITY }
}

/// Explores a shared tree with as many workers as the builder says; `first` is the one of this OS thread.
pub(crate) fn search(first: &mut Worker<'_>, control: &Control<'_>, shared: &Arc<Shared>, code: Code<'_>) {
    let others = control.builder.jobs.max(1) - 1;
    let counts: Vec<Counts> = thread::scope(|scope| {
        let work = || {
            let strategy = Strategy::Search(Box::new(Tree::new(Arc::clone(shared))));
            let mut worker = Worker::new(control.builder, strategy, code);
            search_alone(&mut worker, control, shared);
            worker.counts
        };
        let handles: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        search_alone(first, control, shared);
        handles.into_iter().map(|h| h.join().expect("a worker reports what it meets")).collect()
    });
    counts.iter().for_each(|c| first.counts.merge(c));
}

/// Lets the other workers end when this one panics, which would be a defect of the checker.
struct Closing<'s>(&'s Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.close();
        }
    }
}

fn search_alone(worker: &mut Worker<'_>, control: &Control<'_>, shared: &Shared) {
    let _closing = Closing(shared);
    while tree(worker).claim(|| control.may_begin()) == Claim::Taken {
        if explore_task(worker, control) == After::Stop {
            break;
        }
    }
    if control.is_stopped() {
        shared.close();
    }
}

fn explore_task(worker: &mut Worker<'_>, control: &Control<'_>) -> After {
    loop {
        let status = worker.run();
        let after = control.look(worker, status);
        control.report_progress(|| tree(worker).explored_share());
        if after == After::Stop {
            tree(worker).leave();
            return After::Stop;
        }
        tree(worker).feed_hungry();
        if tree(worker).back_up() == Advance::Done {
            tree(worker).finish();
            return After::GoOn;
        }
        if !control.may_begin() {
            tree(worker).leave();
            return After::Stop;
        }
        tree(worker).take_next();
    }
}

fn tree<'w>(worker: &'w mut Worker<'_>) -> &'w mut Tree {
    match &mut worker.runtime.exec.plan.strategy {
        Strategy::Search(tree) => tree,
        _ => unreachable!("only searches explore a tree"),
    }
}

/// Runs the schedules of a strategy other than the search.
pub(crate) fn sample(worker: &mut Worker<'_>, control: &Control<'_>) {
    while control.may_begin() {
        start_strategy(worker);
        let status = worker.run();
        let after = control.look(worker, status);
        control.report_progress(|| 0.0);
        if after == After::Stop || advance(worker) == Advance::Done {
            break;
        }
    }
}

pub(crate) fn start_strategy(worker: &mut Worker<'_>) {
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
        Strategy::Bounded(bounded) => bounded.advance(),
        Strategy::Pct(pct) => {
            pct.longest = pct.longest.max(exec.events.len());
            pct.most_threads = pct.most_threads.max(exec.spawned.len());
            Advance::Ready
        }
        Strategy::Search(_) | Strategy::Random(_) | Strategy::Replay(..) | Strategy::Away => Advance::Ready,
    }
}
