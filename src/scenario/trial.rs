//! Asking the library whether it notices that something is missing.

use std::time::Duration;

use crate::platform::interleaved::{Part, Search};
use crate::platform::{Variant, Watch};

use super::check::{CheckReport, Engine, Verdict, check_without};
use super::definition::Scenario;
use super::library::library;
use super::shown_by::{Shown, shown_by};

/// What became of a kernel from which something is removed.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What is removed.
    pub variant: Variant,
    /// The first scenario that noticed.
    pub killed: Option<Killed>,
    /// Scenarios that were tried.
    pub scenarios: usize,
    /// Those of them whose executions were more than the budget, and that noticed nothing within it.
    pub undecided: usize,
    /// Executions in all.
    pub executions: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// How a scenario noticed.
#[derive(Clone, Debug)]
pub struct Killed {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// What it found.
    pub found: String,
    /// Executions to the first failure; all of them if the outcomes as a whole are what is wrong.
    pub executions: u64,
}

/// Plays the library without `variant` until a scenario notices; each scenario has so many executions at most. The
/// scenario that is known to notice comes first, then the others.
pub fn try_variant(variant: Variant, budget: u64, jobs: usize, watch: &Watch) -> Trial {
    let (first, on_loom) = match shown_by(variant) {
        Shown::By { scenario, .. } => (Some(scenario), false),
        Shown::OnLoom { scenario, .. } => (Some(scenario), true),
        Shown::Never { .. } => (None, false),
    };
    let (known, others): (Vec<&'static Scenario>, Vec<_>) =
        library().partition(|scenario| Some(scenario.name) == first);
    let mut trial = Trial { variant, killed: None, scenarios: 0, undecided: 0, executions: 0, elapsed: Duration::ZERO };
    for scenario in known.into_iter().chain(others) {
        let part = Part { budget: Some(budget), ..Part::whole(jobs) };
        let engine = if on_loom && Some(scenario.name) == first {
            Engine::Loom { preemptions: None }
        } else {
            Engine::Interleaver { search: Search::Everything }
        };
        let report = check_without(scenario, Some(variant), engine, part, watch);
        trial.scenarios += 1;
        trial.executions += report.executions;
        trial.elapsed += report.elapsed;
        trial.undecided += usize::from(report.verdict == Verdict::Stopped);
        trial.killed = noticed(scenario, &report);
        if trial.killed.is_some() {
            break;
        }
    }
    trial
}

fn noticed(scenario: &'static Scenario, report: &CheckReport) -> Option<Killed> {
    report.verdict.failure().map(|found| Killed { scenario, found, executions: report.executions })
}
