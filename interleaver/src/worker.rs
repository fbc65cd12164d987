//! A worker: one engine with the code under test.

use crate::builder::{Builder, Leaks, Panics};
use crate::engine::exec::{Exec, Limits, Status};
use crate::engine::hook;
use crate::engine::rt::{self, Runtime};
use crate::failure::Failure;
use crate::report::Reason;
use crate::search::plan::{Decision, Fidelity, Plan, Strategy};
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// The counts of two workers.
    pub(crate) fn merge(&mut self, other: &Counts) {
        self.executions += other.executions;
        self.blocked += other.blocked;
        self.failures += other.failures;
        self.deadlocks += other.deadlocks;
        self.steps += other.steps;
        self.longest = self.longest.max(other.longest);
        self.threads = self.threads.max(other.threads);
    }

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
        let exec = Exec::borrow(limits(builder), Plan::new(strategy));
        let runtime = Box::new(Runtime::new(exec, builder.stack_bytes));
        Worker { runtime, code, epoch: 0, epochs_end: 0, counts: Counts::default() }
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
    pub(crate) fn with_notes(&mut self, failure: Failure, builder: &Builder) -> Failure {
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
