//! `pagerace variants`.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use indicatif::ProgressBar;

use crate::platform::variant::Kind;
use crate::platform::{Arc, Variant, Watch};
use crate::scenario::{Shown, Trial, shown_by, try_variant};

use super::interrupt::stop_flag;
use super::output::line;
use super::parse::jobs;
use super::progress::{self, show};
use super::{Exit, usage};

/// Remove re-checks and orderings of the fault path by name, and see whether the library notices.
///
/// Each re-check that a race can lose, each step that guards another and each memory ordering has a name.
/// Without names and --all they are listed: what is removed, where, and which invariant should fall. With
/// them, each is removed in turn, and scenarios are checked until one fails; that is how the checker is
/// checked. A variant that nothing notices must have a reason.
#[derive(Debug, Args)]
pub(super) struct VariantsArgs {
    /// Variants to try
    #[arg(value_name = "VARIANT")]
    names: Vec<String>,
    /// Try all of them
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Executions of each scenario, at most
    #[arg(long, value_name = "N", default_value = "50000", value_parser = clap::value_parser!(u64).range(1..))]
    budget: u64,
    /// Threads that share the search; as many as there are cores if not given
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print one JSON object for each variant instead of the table
    #[arg(long)]
    json: bool,
}

/// How a trial compares with what is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// It was noticed, as it should be.
    Killed,
    /// It was not, and there is a reason.
    Explained(&'static str),
    /// It was not, and should have been; or it was, though there is a reason why it should not.
    Unexplained,
    /// The search was stopped.
    Stopped,
}

impl VariantsArgs {
    pub(super) fn run(self) -> Exit {
        let mut chosen = Vec::new();
        for name in &self.names {
            match Variant::find(name) {
                Some(variant) => chosen.push(variant),
                None => return usage(&format!("there is no variant '{name}'"), "`pagerace variants` names them all"),
            }
        }
        if self.all {
            chosen = Variant::ALL.to_vec();
        }
        if chosen.is_empty() {
            Variant::ALL.iter().for_each(|variant| self.list(*variant));
            return Exit::Holds;
        }
        self.try_all(&chosen)
    }

    fn list(&self, variant: Variant) {
        let (scenario, falls) = match shown_by(variant) {
            Shown::By { scenario, falls } | Shown::OnLoom { scenario, falls } => (Some(scenario), Some(falls)),
            Shown::Never { .. } => (None, None),
        };
        let (name, kind, place, removes) = (variant.name(), kind(variant), variant.place(), variant.removes());
        if self.json {
            line(format_args!(
                "{}",
                serde_json::json!({
                    "variant": name, "kind": kind, "place": place, "removes": removes,
                    "shown_by": scenario, "falls": falls, "unnoticed_because": reason(variant),
                })
            ));
        } else {
            line(format_args!("{name:<21}{kind:<10}{:<15}{place}", falls.unwrap_or("-")));
            line(format_args!("{:<46}{removes}", ""));
        }
    }

    fn try_all(&self, chosen: &[Variant]) -> Exit {
        let stop = stop_flag();
        let jobs = jobs(self.jobs);
        let bar = Bar::new(chosen.len());
        let mut findings = Vec::new();
        if !self.json {
            line(format_args!("{:<21}{:<10}{:<24}{:>10}  found", "variant", "", "scenario", "executions"));
        }
        for variant in chosen.iter().copied() {
            // ORDER none: a flag.
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let watch = Watch::new(Arc::clone(&stop));
            bar.begin(variant, &watch);
            let trial = try_variant(variant, self.budget, jobs, &watch);
            let finding = judge(&trial, &stop);
            bar.bar.suspend(|| self.tell(&trial, finding));
            findings.push(finding);
        }
        bar.bar.finish_and_clear();
        self.conclude(chosen.len(), &findings)
    }

    fn tell(&self, trial: &Trial, finding: Finding) {
        let (name, word) = (trial.variant.name(), finding.word(trial));
        if self.json {
            let killed = trial.killed.as_ref();
            return line(format_args!(
                "{}",
                serde_json::json!({
                    "variant": name, "verdict": word,
                    "place": trial.variant.place(), "removes": trial.variant.removes(),
                    "scenario": killed.map(|killed| killed.scenario.name), "found": killed.map(|killed| &killed.found),
                    "executions_to_failure": killed.map(|killed| killed.executions),
                    "scenarios": trial.scenarios, "undecided": trial.undecided, "executions": trial.executions,
                    "unnoticed_because": reason(trial.variant), "seconds": trial.elapsed.as_secs_f64(),
                })
            ));
        }
        match &trial.killed {
            Some(killed) => {
                let (scenario, executions) = (killed.scenario.name, killed.executions);
                let found = killed.found.lines().next().unwrap_or_default();
                line(format_args!("{name:<21}{word:<10}{scenario:<24}{executions:>10}  {found}"));
            }
            None => {
                let (of, executions) = (format!("none of {}", trial.scenarios), trial.executions);
                let why = reason(trial.variant).unwrap_or("and nobody knows why");
                line(format_args!("{name:<21}{word:<10}{of:<24}{executions:>10}  {why}"));
                if trial.undecided > 0 {
                    let (undecided, budget) = (trial.undecided, self.budget);
                    line(format_args!("{:<31}{undecided} of them have more than {budget} executions", ""));
                }
            }
        }
    }

    fn conclude(&self, chosen: usize, findings: &[Finding]) -> Exit {
        let count = |wanted: fn(&Finding) -> bool| findings.iter().filter(|finding| wanted(finding)).count();
        let killed = count(|finding| *finding == Finding::Killed);
        let explained = count(|finding| matches!(finding, Finding::Explained(_)));
        let unexplained = count(|finding| *finding == Finding::Unexplained);
        if !self.json {
            line(format_args!(
                "{killed} of {chosen} killed, {explained} survive for a known reason, {unexplained} without one"
            ));
        }
        match (unexplained, killed + explained == chosen) {
            (0, true) => Exit::Holds,
            (0, false) => Exit::Interrupted,
            _ => Exit::Violated,
        }
    }
}

/// What kind of thing is removed, as a word.
fn kind(variant: Variant) -> &'static str {
    match variant.kind() {
        Kind::Recheck => "re-check",
        Kind::Step => "step",
        Kind::Ordering => "ordering",
    }
}

/// Why nothing notices, if that is known.
fn reason(variant: Variant) -> Option<&'static str> {
    match shown_by(variant) {
        Shown::By { .. } | Shown::OnLoom { .. } => None,
        Shown::Never { because } => Some(because),
    }
}

fn judge(trial: &Trial, stop: &AtomicBool) -> Finding {
    // ORDER none: a flag.
    let stopped = stop.load(Ordering::Relaxed);
    match (&trial.killed, reason(trial.variant)) {
        (Some(_), None) => Finding::Killed,
        (None, _) if stopped => Finding::Stopped,
        (None, Some(because)) => Finding::Explained(because),
        (Some(_), Some(_)) | (None, None) => Finding::Unexplained,
    }
}

impl Finding {
    fn word(self, trial: &Trial) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Explained(_) => "survived",
            Self::Unexplained if trial.killed.is_some() => "NOTICED",
            Self::Unexplained => "SURVIVED",
            Self::Stopped => "stopped",
        }
    }
}

/// The bar: which variant, and how many executions so far.
struct Bar {
    bar: ProgressBar,
    now: Arc<Mutex<(u64, &'static str, Watch)>>,
}

impl Bar {
    fn new(variants: usize) -> Self {
        let now = Arc::new(Mutex::new((0, "", Watch::default())));
        let looked_at = Arc::clone(&now);
        let bar = show(ProgressBar::new(variants as u64), "{bar:20} {elapsed} {wide_msg}", move || {
            let (position, name, watch) = looked_at.lock().unwrap_or_else(PoisonError::into_inner).clone();
            progress::Shown { position, message: format!("{name}: {} executions", watch.executions()) }
        });
        Self { bar, now }
    }

    fn begin(&self, variant: Variant, watch: &Watch) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = if now.1.is_empty() { 0 } else { now.0 + 1 };
        *now = (begun, variant.name(), watch.clone());
    }
}
