//! Making a failure simpler: fewest preemptions first, then fewest steps.

use crate::builder::Builder;
use crate::failure::Failure;
use crate::search::plan::{Decision, Fidelity};
use crate::worker::Worker;

/// A simpler execution with the same kind of failure, or `None` when none was found.
pub(crate) fn shrink(worker: &mut Worker<'_>, builder: &Builder, failure: &Failure) -> Option<Failure> {
    if builder.shrink_budget == 0 || matches!(failure.reason.kind(), "nondeterminism" | "misuse") {
        return None;
    }
    let mut best = failure.clone();
    let mut left = builder.shrink_budget;
    while left > 0 {
        let Some(better) = improve(worker, builder, &best, &mut left) else { break };
        best = better;
    }
    (best != *failure).then_some(best)
}

fn rank(failure: &Failure) -> (u32, usize) {
    (failure.preemptions, failure.steps.len())
}

/// Tries each run of one thread moved behind that thread's run before, or before its next one, and each run dropped.
fn improve(worker: &mut Worker<'_>, builder: &Builder, best: &Failure, left: &mut u64) -> Option<Failure> {
    let schedule = &best.token.schedule;
    let runs: Vec<&[Decision]> = schedule.chunk_by(|a, b| a.thread == b.thread).collect();
    for index in 0..runs.len() {
        for candidate in variants(&runs, index) {
            if *left == 0 {
                return None;
            }
            *left -= 1;
            let found = worker.replay(candidate, Fidelity::Lenient, &builder.name);
            if let Some(found) = found.filter(|f| builder.is_alike(&f.reason, &best.reason) && rank(f) < rank(best)) {
                return Some(found);
            }
        }
    }
    None
}

fn variants(runs: &[&[Decision]], index: usize) -> Vec<Vec<Decision>> {
    let thread = runs[index][0].thread;
    let mut variants = Vec::new();
    let without = || runs.iter().enumerate().filter(move |(i, _)| *i != index);
    if let Some(before) = (0..index).rev().find(|&i| runs[i][0].thread == thread) {
        let mut moved = Vec::new();
        for (i, run) in without() {
            moved.extend_from_slice(run);
            if i == before {
                moved.extend_from_slice(runs[index]);
            }
        }
        variants.push(moved);
    }
    if let Some(after) = (index + 1..runs.len()).find(|&i| runs[i][0].thread == thread) {
        let mut moved = Vec::new();
        for (i, run) in without() {
            if i == after {
                moved.extend_from_slice(runs[index]);
            }
            moved.extend_from_slice(run);
        }
        variants.push(moved);
    }
    variants.push(without().flat_map(|(_, run)| run.iter().copied()).collect());
    variants
}
