//! Running a model under interleaver.

use std::fmt;

use interleaver::{Builder, Frontier, Progress, Reason, Report, Stop, Strategy, is_replay};

use super::super::exploration::{Exploration, Extent, PctBound, Verdict, Watch};
use super::replay::{Failing, is_alike};

/// How much of a search is done here, and by how many.
#[derive(Clone, Debug)]
pub struct Part {
    /// OS threads that share the search; it counts the same whatever their number.
    pub jobs: usize,
    /// Executions after which to stop.
    pub budget: Option<u64>,
    /// What an earlier part left; everything if there is none.
    pub from: Option<Frontier>,
}

impl Part {
    /// All of it.
    pub fn whole(jobs: usize) -> Self {
        Self { jobs, budget: None, from: None }
    }
}

/// Which schedules are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Every interleaving, once each.
    Everything,
    /// Every schedule with at most so many preemptions, one by one: no reduction goes with such a bound.
    Preemptions(usize),
    /// Random walks, so many.
    Random {
        /// How many.
        executions: u64,
        /// The same seed gives the same schedules.
        seed: u64,
    },
    /// Random priorities (PCT), so many executions.
    Pct {
        /// How many.
        executions: u64,
        /// The same seed gives the same schedules.
        seed: u64,
        /// The depth of the bug that is aimed at.
        depth: u32,
    },
}

/// How often a running exploration says how far it is. Whoever watches looks when they like; this is often enough for a
/// slow model, and seldom enough to cost a fast one nothing.
const EXECUTIONS_BETWEEN_LOOKS: u64 = 16;

/// Runs `body` under every schedule of the search; a failure is shrunk.
pub fn explore(name: &str, search: Search, watch: &Watch, body: impl Fn() + Send + Sync + 'static) -> Exploration {
    explore_part(name, search, Part::whole(1), watch, body)
}

/// As [`explore`], for a part of the search.
pub fn explore_part(
    name: &str,
    search: Search,
    part: Part,
    watch: &Watch,
    body: impl Fn() + Send + Sync + 'static,
) -> Exploration {
    let (counting, looking) = (watch.clone(), watch.clone());
    let mut builder = configured(name, search).jobs(part.jobs);
    builder.budget = builder.budget.or(part.budget);
    builder.resume = part.from;
    let builder = builder
        .stop_flag(watch.stop_flag())
        .on_progress(EXECUTIONS_BETWEEN_LOOKS, move |progress| looking.set_explored(explored(search, progress)));
    let report = builder.check(move || {
        if !is_replay() {
            counting.one_more_execution();
        }
        body();
    });
    Exploration {
        verdict: verdict(&report),
        extent: match search {
            Search::Everything => Extent::Everything,
            Search::Preemptions(most) => Extent::Preemptions(most),
            Search::Random { .. } | Search::Pct { .. } => Extent::Sample,
        },
        executions: report.executions,
        estimate: estimate(search, &report, watch),
        pct: pct_bound(search, &report),
        counterexample: report.shrunk.as_ref().or(report.failure.as_ref()).map(ToString::to_string),
        failing: report.failure.as_ref().map(|found| Failing::of(found, report.shrunk.as_deref())),
        elapsed: report.elapsed,
        left: report.frontier,
    }
}

/// The engine, as every check and every replay has it: what was found by one is repeated by the other.
pub(super) fn configured(name: &str, search: Search) -> Builder {
    let builder = Builder::new().name(name).alike(is_alike);
    match search {
        Search::Everything => builder,
        Search::Preemptions(most) => builder.preemptions(u32::try_from(most).unwrap_or(u32::MAX)),
        Search::Random { executions, seed } => builder.strategy(Strategy::Random { seed }).budget(executions),
        Search::Pct { executions, seed, depth } => builder.strategy(Strategy::Pct { seed, depth }).budget(executions),
    }
}

/// The share that is explored. Plain enumeration cannot tell.
fn explored(search: Search, progress: &Progress) -> f64 {
    match search {
        Search::Everything | Search::Preemptions(_) => progress.explored,
        Search::Random { executions, .. } | Search::Pct { executions, .. } => {
            progress.executions as f64 / executions as f64
        }
    }
}

/// All that there is to run, if it was stopped before that, from the branches that were known then.
fn estimate(search: Search, report: &Report, watch: &Watch) -> Option<u64> {
    if !matches!(report.stopped, Some(Stop::Interrupted | Stop::Budget)) {
        return None;
    }
    match search {
        Search::Everything => Some(report.estimate as u64).filter(|_| report.estimate.is_finite()),
        Search::Preemptions(_) => watch.estimate(),
        Search::Random { executions, .. } | Search::Pct { executions, .. } => Some(executions),
    }
}

fn pct_bound(search: Search, report: &Report) -> Option<PctBound> {
    match search {
        Search::Pct { depth, .. } => Some(PctBound { depth, threads: report.threads, steps: report.longest }),
        Search::Everything | Search::Preemptions(_) | Search::Random { .. } => None,
    }
}

fn verdict(report: &Report) -> Verdict {
    match (&report.failure, report.stopped) {
        (Some(failure), _) => Verdict::Violated(Words(&failure.reason).to_string()),
        // A shard that is through with its own part has decided nothing about the whole.
        (None, None) if report.frontier.is_some() => Verdict::Stopped,
        (None, None | Some(Stop::Sampling)) => Verdict::Holds,
        (None, Some(_)) => Verdict::Stopped,
    }
}

/// A reason without the place of the panic where the panic is the oracle's: its words say it all.
struct Words<'a>(&'a Reason);

impl fmt::Display for Words<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Reason::Panic { message, .. } = self.0 { write!(formatter, "{message}") } else { self.0.fmt(formatter) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    /// Three threads with two additions each whose results are used: 90 interleavings.
    fn additions() {
        let word = Arc::new(interleaver::sync::atomic::AtomicU64::new(0));
        let add = |_| {
            let word = Arc::clone(&word);
            interleaver::thread::spawn(move || (0..2).map(|_| word.fetch_add(1, Ordering::Relaxed)).sum::<u64>())
        };
        let threads: Vec<_> = (0..3).map(add).collect();
        let sum: u64 = threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum();
        assert_eq!(sum, 15);
    }

    /// The additions, stopped after so many executions.
    fn stopped_after(most: u64, search: Search) -> (Exploration, Watch) {
        let stop = Arc::new(AtomicBool::new(false));
        let (watch, begun) = (Watch::new(Arc::clone(&stop)), AtomicU64::new(0));
        let exploration = explore("additions", search, &watch, move || {
            stop.store(begun.fetch_add(1, Ordering::Relaxed) + 1 == most, Ordering::Relaxed);
            additions();
        });
        (exploration, watch)
    }

    #[test]
    fn a_stopped_exploration_says_what_it_did_and_how_much_there_is() {
        let (all, _) = stopped_after(0, Search::Everything);
        assert_eq!((all.verdict, all.executions, all.estimate), (Verdict::Holds, 90, None));
        let (some, watch) = stopped_after(64, Search::Everything);
        assert_eq!((some.verdict, some.executions), (Verdict::Stopped, 64));
        assert!(watch.estimate().is_some());
        // The known branches do not tell all, but they are more than what is done.
        let estimate = some.estimate.expect("64 executions tell something");
        assert!((65..=180).contains(&estimate), "{estimate} of 90");
        let (sample, _) = stopped_after(4, Search::Random { executions: 100, seed: 1 });
        assert_eq!((sample.verdict, sample.executions, sample.estimate), (Verdict::Stopped, 4, Some(100)));
    }

    #[test]
    fn a_watch_sees_the_share_of_a_sample() {
        let (_, watch) = stopped_after(40, Search::Random { executions: 160, seed: 1 });
        assert_eq!((watch.executions(), watch.explored()), (40, 0.2));
    }

    #[test]
    fn the_bound_of_pct_is_that_of_the_engine() {
        let search = Search::Pct { executions: 50, seed: 1, depth: 2 };
        let (exploration, _) = stopped_after(0, search);
        let bound = exploration.pct.expect("it is PCT");
        assert_eq!((bound.depth, exploration.extent), (2, Extent::Sample));
        let words = configured("additions", search).check(additions).scope;
        let probability = format!("probability at least {:.2e}", bound.of_one());
        assert!(words.ends_with(&probability), "{probability}, but the engine says: {words}");
    }
}
