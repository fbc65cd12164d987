//! `pagerace check`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use crate::oracle::Evaluated;
use crate::platform::Arc;
use crate::scenario::{CheckReport, Limits, Scenario, Verdict, check, library};

use super::interrupt::stop_flag;
use super::progress::show;
use super::{Exit, usage};

/// Run the scenario library under a model checker.
///
/// Each scenario is a small world with two or three threads. The checker runs it under every schedule
/// within the bound that its line shows, evaluates the invariants at the end of each execution, and
/// compares the outcomes with those that the scenario declares.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenarios to run; all if none is named
    #[arg(value_name = "SCENARIO")]
    names: Vec<String>,
    /// List the scenarios with what they claim, and run nothing
    #[arg(long)]
    list: bool,
    /// Preemptions in one execution, in place of each scenario's own bound
    #[arg(long, value_name = "N")]
    preemptions: Option<usize>,
    /// Show every outcome and how often it was reached, and how often each invariant was evaluated
    #[arg(short, long)]
    verbose: bool,
    /// Print one JSON object for each scenario instead of the table
    #[arg(long)]
    json: bool,
}

type Checked = (&'static Scenario, CheckReport);

impl Check {
    pub(super) fn run(self) -> Exit {
        let unknown = self.names.iter().find(|name| !library().any(|scenario| scenario.name == **name));
        if let Some(unknown) = unknown {
            return usage(&format!("there is no scenario '{unknown}'"), "`pagerace check --list` names them all");
        }
        let chosen: Vec<_> =
            library().filter(|it| self.names.is_empty() || self.names.iter().any(|name| name == it.name)).collect();
        if self.list {
            chosen.iter().for_each(|scenario| self.list_one(scenario));
            return Exit::Holds;
        }
        let checked = self.check_all(&chosen);
        self.conclude(&chosen, &checked)
    }

    fn list_one(&self, scenario: &Scenario) {
        if self.json {
            let line = serde_json::json!({
                "scenario": scenario.name, "family": scenario.family, "claim": scenario.claim,
                "actors": scenario.actors.len(), "outcomes": scenario.outcomes,
            });
            anstream::println!("{line}");
        } else {
            anstream::println!("{:<24}{}", scenario.name, scenario.claim);
        }
    }

    /// Checks on all cores, and prints each line as soon as those before it are printed.
    fn check_all(&self, chosen: &[&'static Scenario]) -> Vec<Checked> {
        if !self.json {
            anstream::println!(
                "{:<24}{:<10}{:>11}{:>9}  {:<16}outcomes",
                "scenario",
                "verdict",
                "executions",
                "time",
                "loom explored"
            );
        }
        let limits = Limits { stop: stop_flag(), preemptions: self.preemptions, ..Limits::default() };
        let counters = Counters::new(chosen.len());
        let bar = counters.show();
        let (sender, finished) = mpsc::channel();
        let checked = thread::scope(|scope| {
            let printer = scope.spawn(|| self.print_in_order(finished, &bar));
            chosen.par_iter().enumerate().with_max_len(1).for_each_with(sender, |sender, (index, scenario)| {
                let limits = Limits { executions: Arc::clone(&counters.0[index]), ..limits.clone() };
                let report = check(scenario, &limits);
                sender.send((index, (*scenario, report))).expect("the printer outlives all senders");
            });
            printer.join().expect("printing does not panic")
        });
        bar.finish_and_clear();
        checked
    }

    fn print_in_order(&self, finished: Receiver<(usize, Checked)>, bar: &ProgressBar) -> Vec<Checked> {
        let mut waiting = BTreeMap::new();
        let mut printed = Vec::new();
        for (index, checked) in finished {
            waiting.insert(index, checked);
            while let Some(checked) = waiting.remove(&printed.len()) {
                bar.suspend(|| self.print(&checked));
                printed.push(checked);
            }
        }
        printed
    }

    fn print(&self, (scenario, report): &Checked) {
        if self.json {
            let line = serde_json::to_string(&Line::of(scenario, report)).expect("a line of plain data is JSON");
            return anstream::println!("{line}");
        }
        let reached = scenario.outcomes.iter().filter(|outcome| report.reached.contains_key(**outcome)).count();
        anstream::println!(
            "{:<24}{:<10}{:>11}{:>8.2}s  {:<16}{reached} of {}",
            scenario.name,
            word(&report.verdict),
            report.executions,
            report.elapsed.as_secs_f64(),
            explored(report),
            scenario.outcomes.len()
        );
        self.explain(scenario, report);
    }

    fn explain(&self, scenario: &Scenario, report: &CheckReport) {
        match &report.verdict {
            Verdict::Holds | Verdict::Stopped => {}
            Verdict::Violated(words) => {
                anstream::println!("    claim: {}\n    found: {words}", scenario.claim);
                anstream::println!("    in execution {}; again: pagerace check {}", report.executions, scenario.name);
            }
            Verdict::Unreached(outcomes) => {
                let hint = if report.preemptions.is_some() { "; a larger --preemptions may reach it" } else { "" };
                outcomes.iter().for_each(|outcome| anstream::println!("    never reached{hint}: {outcome}"));
            }
            Verdict::Undeclared(outcomes) => {
                outcomes.iter().for_each(|outcome| anstream::println!("    not declared: {outcome}"));
            }
        }
        if self.verbose {
            report.reached.iter().for_each(|(outcome, count)| anstream::println!("    {count:>9}  {outcome}"));
            let facts: Vec<_> = report.evaluated.iter().map(|(id, facts)| format!("{id} {facts}")).collect();
            anstream::println!("    facts checked: {}", facts.join(", "));
        }
    }

    fn conclude(&self, chosen: &[&'static Scenario], checked: &[Checked]) -> Exit {
        let count = |wanted: &str| checked.iter().filter(|(_, report)| word(&report.verdict) == wanted).count();
        let (holds, stopped) = (count("holds"), count("stopped"));
        let failed = checked.len() - holds - stopped;
        if !self.json {
            let executions: u64 = checked.iter().map(|(_, report)| report.executions).sum();
            let (total, all) = (checked.len(), chosen.len());
            anstream::println!("{holds} of {all} scenarios hold, {failed} fail; {executions} executions");
            if stopped > 0 || total < all {
                anstream::println!("stopped early: {stopped} scenarios are not decided");
            }
        }
        match (failed, stopped) {
            (0, 0) => Exit::Holds,
            (0, _) => Exit::Interrupted,
            _ => Exit::Violated,
        }
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Violated(_) => "VIOLATED",
        Verdict::Unreached(_) => "UNREACHED",
        Verdict::Undeclared(_) => "UNDECLARED",
        Verdict::Stopped => "stopped",
    }
}

/// How far loom went: everything, or everything within a bound.
fn explored(report: &CheckReport) -> String {
    match (&report.verdict, report.preemptions) {
        (Verdict::Stopped | Verdict::Violated(_), _) => "until then".to_owned(),
        (_, None) => "all (no bound)".to_owned(),
        (_, Some(bound)) => format!("{bound} preemptions"),
    }
}

/// What `--json` prints of one scenario.
#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    family: &'a str,
    engine: &'a str,
    verdict: &'a str,
    violation: Option<&'a str>,
    executions: u64,
    seconds: f64,
    preemption_bound: Option<usize>,
    reached: &'a BTreeMap<String, u64>,
    unreached: &'a [String],
    undeclared: &'a [String],
    facts_checked: &'a Evaluated,
}

impl<'a> Line<'a> {
    fn of(scenario: &'a Scenario, report: &'a CheckReport) -> Self {
        let verdict = &report.verdict;
        Self {
            scenario: scenario.name,
            family: scenario.family,
            engine: "loom",
            verdict: word(verdict),
            violation: if let Verdict::Violated(words) = verdict { Some(words) } else { None },
            executions: report.executions,
            seconds: report.elapsed.as_secs_f64(),
            preemption_bound: report.preemptions,
            reached: &report.reached,
            unreached: if let Verdict::Unreached(outcomes) = verdict { outcomes } else { &[] },
            undeclared: if let Verdict::Undeclared(outcomes) = verdict { outcomes } else { &[] },
            facts_checked: &report.evaluated,
        }
    }
}

/// Executions of all scenarios so far.
#[derive(Clone)]
struct Counters(Arc<[Arc<AtomicU64>]>);

impl Counters {
    fn new(scenarios: usize) -> Self {
        Self((0..scenarios).map(|_| Arc::default()).collect())
    }

    fn sum(&self) -> u64 {
        // ORDER none: a statistic.
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn show(&self) -> ProgressBar {
        let (counters, started) = (self.clone(), Instant::now());
        show(ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}", move |bar| {
            let sum = counters.sum();
            let rate = sum as f64 / started.elapsed().as_secs_f64().max(0.001);
            bar.set_message(format!("{sum} executions, {rate:.0}/s"));
        })
    }
}
