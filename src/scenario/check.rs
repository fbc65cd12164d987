//! Playing a scenario under every schedule of an engine, and judging what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use crate::oracle::Evaluated;
use crate::platform::loom::{self, Bounds, Exploration, Loom, explore};
use crate::platform::{Arc, FourLevels, TwoLevels};

use super::definition::{Scenario, ShapeName};
use super::run::run;

/// What a check may be asked while it runs.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Set it to stop early.
    pub stop: Arc<AtomicBool>,
    /// Executions so far.
    pub executions: Arc<AtomicU64>,
    /// Preemptions in one execution, in place of what the scenario asks for.
    pub preemptions: Option<usize>,
}

/// The judgement on a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No execution violated anything, and the outcomes are exactly the declared ones.
    Holds,
    /// An execution violated an invariant, raced or deadlocked.
    Violated(String),
    /// The scenario did not look at what it is about: these declared outcomes were never reached.
    Unreached(Vec<String>),
    /// These outcomes were reached, though nobody declared them.
    Undeclared(Vec<String>),
    /// It was stopped before the end; nothing was violated until then.
    Stopped,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The judgement.
    pub verdict: Verdict,
    /// Executions run.
    pub executions: u64,
    /// The bound on preemptions that was in force; `None` means every interleaving.
    pub preemptions: Option<usize>,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// How often each outcome was reached.
    pub reached: BTreeMap<String, u64>,
    /// How many facts each invariant was evaluated on.
    pub evaluated: Evaluated,
}

type Tallies = Arc<Mutex<(BTreeMap<String, u64>, Evaluated)>>;

/// Plays the scenario under loom, within the scenario's bounds.
pub fn check(scenario: &'static Scenario, limits: &Limits) -> CheckReport {
    let tallies = Tallies::default();
    let exploration = match scenario.shape {
        ShapeName::TwoLevels => play::<TwoLevels>(scenario, limits, &tallies),
        ShapeName::FourLevels => play::<FourLevels>(scenario, limits, &tallies),
    };
    let (reached, evaluated) = tallies.lock().expect("a failing model leaves no lock behind").clone();
    CheckReport {
        verdict: judge(scenario, exploration.verdict, &reached),
        executions: exploration.executions,
        preemptions: exploration.preemptions,
        elapsed: exploration.elapsed,
        reached,
        evaluated,
    }
}

fn play<G: crate::platform::Shape>(scenario: &'static Scenario, limits: &Limits, tallies: &Tallies) -> Exploration {
    let preemptions = limits.preemptions.or(scenario.loom_preemptions);
    let bounds = Bounds { actors: scenario.actors.len(), preemptions };
    let tallies = Arc::clone(tallies);
    explore(bounds, Arc::clone(&limits.stop), Arc::clone(&limits.executions), move || {
        let played = run::<Loom<G>>(scenario);
        let mut tallies = tallies.lock().expect("a failing model leaves no lock behind");
        *tallies.0.entry(played.outcome.to_string()).or_default() += 1;
        for (id, facts) in played.evaluated {
            *tallies.1.entry(id).or_default() += facts;
        }
    })
}

fn judge(scenario: &Scenario, verdict: loom::Verdict, reached: &BTreeMap<String, u64>) -> Verdict {
    match verdict {
        loom::Verdict::Violated(words) => return Verdict::Violated(words),
        loom::Verdict::Stopped => return Verdict::Stopped,
        loom::Verdict::Holds => {}
    }
    let declared: BTreeSet<&str> = scenario.outcomes.iter().copied().collect();
    let reached: BTreeSet<&str> = reached.keys().map(String::as_str).collect();
    let only_in = |these: &BTreeSet<&str>, those: &BTreeSet<&str>| -> Vec<String> {
        these.difference(those).map(|outcome| (*outcome).to_owned()).collect()
    };
    let (unreached, undeclared) = (only_in(&declared, &reached), only_in(&reached, &declared));
    if !undeclared.is_empty() {
        Verdict::Undeclared(undeclared)
    } else if !unreached.is_empty() {
        Verdict::Unreached(unreached)
    } else {
        Verdict::Holds
    }
}
