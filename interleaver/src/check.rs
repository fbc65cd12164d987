//! One check from its configuration to its report.

use crate::builder::{Builder, Strategy as Wanted};
use crate::explore::{self, Control, Verdict};
use crate::failure::Failure;
use crate::frontier::Frontier;
use crate::report::{Report, Stop};
use crate::search::bounded::Bounded;
use crate::search::plan::{Fidelity, Registry, Strategy};
use crate::search::sampler::{Pct, RandomWalk, Rng};
use crate::search::shared::{Order, Shared, Twig};
use crate::search::tree::Tree;
use crate::token::Token;
use crate::worker::{Code, Worker};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn strategy_of(builder: &Builder, shared: &Arc<Shared>) -> (Strategy, String) {
    match builder.strategy {
        Wanted::Exhaustive => {
            (Strategy::Search(Box::new(Tree::new(Arc::clone(shared)))), "all interleavings".to_owned())
        }
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

/// The tree to explore: what a former check left, or all of it.
fn shared_tree(builder: &Builder) -> Arc<Shared> {
    let order = builder.scatter.map_or(Order::First, |seed| Order::Scattered(Rng::new(seed)));
    Arc::new(match &builder.resume {
        Some(frontier) => Shared::new(&frontier.twigs, frontier.family.clone(), order),
        None => Shared::new(&[Twig::ROOT], Registry::new(), order),
    })
}

pub(crate) fn run_check(builder: &Builder, code: Code<'_>) -> Report {
    let start = Instant::now();
    let shared = shared_tree(builder);
    let (strategy, scope) = strategy_of(builder, &shared);
    let is_search = matches!(strategy, Strategy::Search(_));
    let mut worker = Worker::new(builder, strategy, code);
    let control = Control::new(builder, is_search.then(|| Arc::clone(&shared)));
    if is_search {
        explore::search(&mut worker, &control, &shared, code);
    } else {
        explore::sample(&mut worker, &control);
    }
    let estimate = control.estimate(worker.counts.executions + worker.counts.blocked);
    let Verdict { stopped, failure } = control.into_verdict();
    let failure = failure.map(|f| worker.with_notes(f, builder));
    let mut report = finish_report(builder, worker, scope, stopped, failure);
    if stopped.is_some() {
        report.estimate = estimate;
    }
    if is_search && stopped != Some(Stop::Failure) {
        let frontier = Frontier { family: shared.registry(), twigs: shared.twigs() };
        report.frontier = (stopped.is_some() || frontier.is_shard()).then_some(frontier);
    }
    report.elapsed = start.elapsed();
    report
}

fn finish_report(
    builder: &Builder,
    mut worker: Worker<'_>,
    mut scope: String,
    stopped: Option<Stop>,
    failure: Option<Failure>,
) -> Report {
    let counts = worker.counts;
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
        estimate: counts.executions as f64,
        elapsed: Duration::ZERO,
        failure: failure.map(Box::new),
        shrunk: shrunk.map(Box::new),
        frontier: None,
    }
}

pub(crate) fn run_replay(builder: &Builder, token: &Token, code: Code<'_>) -> Report {
    run_shrink(&Builder { shrink_budget: 0, ..builder.clone() }, token, code)
}

pub(crate) fn run_shrink(builder: &Builder, token: &Token, code: Code<'_>) -> Report {
    let start = Instant::now();
    let mut worker = Worker::new(builder, Strategy::Replay(Vec::new(), Fidelity::Exact), code);
    let failure = worker.replay(token.schedule.clone(), Fidelity::Exact, &builder.name);
    let stopped = Some(if failure.is_some() { Stop::Failure } else { Stop::Sampling });
    let report = finish_report(builder, worker, "one replayed schedule".to_owned(), stopped, failure);
    Report { elapsed: start.elapsed(), ..report }
}

pub(crate) fn estimate(builder: &Builder, descents: u64, seed: u64, code: Code<'_>) -> f64 {
    let walk = RandomWalk { rng: Rng::new(seed), width: 1.0 };
    let mut worker = Worker::new(builder, Strategy::Random(Box::new(walk)), code);
    let mut sum = 0.0;
    for _ in 0..descents {
        explore::start_strategy(&mut worker);
        worker.run();
        if let Strategy::Random(walk) = &worker.runtime.exec.plan.strategy {
            sum += walk.width;
        }
    }
    sum / descents.max(1) as f64
}
