//! Running a model under interleaver.

use std::fmt;

use interleaver::{Builder, Reason, Report, Stop, Strategy};

use super::super::exploration::{Exploration, Extent, Verdict, Watch};

/// Which schedules are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Every interleaving, once each.
    Everything,
    /// Every interleaving with at most so many preemptions.
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

/// How often a running exploration says how far it is.
const EXECUTIONS_BETWEEN_LOOKS: u64 = 256;

/// Runs `body` under every schedule of the search; a failure is shrunk.
pub fn explore(name: &str, search: Search, watch: &Watch, body: impl Fn() + Send + Sync + 'static) -> Exploration {
    let (counting, looking) = (watch.clone(), watch.clone());
    let builder = configured(name, search)
        .stop_flag(watch.stop_flag())
        .on_progress(EXECUTIONS_BETWEEN_LOOKS, move |progress| looking.set_explored(progress.explored));
    let report = builder.check(move || {
        counting.one_more_execution();
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
        counterexample: report.shrunk.as_ref().or(report.failure.as_ref()).map(ToString::to_string),
        elapsed: report.elapsed,
    }
}

fn configured(name: &str, search: Search) -> Builder {
    let builder = Builder::new().name(name);
    match search {
        Search::Everything => builder,
        Search::Preemptions(most) => builder.preemptions(u32::try_from(most).unwrap_or(u32::MAX)),
        Search::Random { executions, seed } => builder.strategy(Strategy::Random { seed }).budget(executions),
        Search::Pct { executions, seed, depth } => builder.strategy(Strategy::Pct { seed, depth }).budget(executions),
    }
}

fn verdict(report: &Report) -> Verdict {
    match (&report.failure, report.stopped) {
        (Some(failure), _) => Verdict::Violated(Words(&failure.reason).to_string()),
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
