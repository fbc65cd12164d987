//! What `pagerace check` prints.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::failure::{Detail, ReplayToken, Subject, WIDTH};
use crate::oracle::Evaluated;
use crate::platform::interleaved::Frontier;
use crate::platform::{Extent, PctBound, Variant};
use crate::scenario::{CheckReport, Scenario, TriedBound, Verdict};

use super::super::numbers::{about, percent};
use super::super::output::{line, paragraph};
use super::super::{Exit, failing};
use super::Checked;

/// Where a paragraph below the line of a scenario begins, and how far what is continued hangs.
const BELOW: (usize, usize) = (4, 2);

/// How it is printed.
pub(super) struct Style {
    pub(super) json: bool,
    pub(super) verbose: bool,
    pub(super) engine: &'static str,
    /// What is removed from the kernel.
    pub(super) removed: Option<Variant>,
    /// The command that does the same with the scenario that is named behind it.
    pub(super) again: String,
    /// How the command ends when a scenario was not decided.
    pub(super) undecided: Exit,
}

impl Style {
    pub(super) fn list(&self, scenario: &Scenario) {
        if self.json {
            let object = serde_json::json!({
                "scenario": scenario.name, "family": scenario.family, "claim": scenario.claim,
                "actors": scenario.actors.len(), "outcomes": scenario.outcomes,
            });
            line(format_args!("{object}"));
        } else {
            line(format_args!("{:<14}{:<31}{}", scenario.family, scenario.name, scenario.claim));
        }
    }

    /// Says something to people; JSON is for machines.
    pub(super) fn say(&self, words: fmt::Arguments<'_>) {
        if !self.json {
            line(words);
        }
    }

    pub(super) fn head(&self) {
        if !self.json {
            let [scenario, verdict, executions, time] = ["scenario", "verdict", "executions", "time"];
            let explored = format!("{} explored", self.engine);
            line(format_args!("{scenario:<28}{verdict:<10}{executions:>11}{time:>9}  {explored:<22}outcomes"));
        }
    }

    /// The failing execution, as it was found and then made simpler; loom cannot tell it.
    fn show(&self, scenario: &'static Scenario, report: &CheckReport) {
        failing::show(&self.tokens(scenario, report), self.detail());
    }

    pub(super) fn detail(&self) -> Detail {
        if self.verbose { Detail::Everything } else { Detail::WhatMatters }
    }

    /// What leads to the failing execution again: as it was found, and then, if there is one, a simpler one.
    pub(super) fn tokens(&self, scenario: &'static Scenario, report: &CheckReport) -> Vec<ReplayToken> {
        let subject = Subject::Scenario { scenario, removed: self.removed };
        report.failing.iter().flat_map(|failing| ReplayToken::of(subject, failing)).collect()
    }

    pub(super) fn line(&self, (scenario, report): &Checked) {
        if self.json {
            let object = Line::of(self, scenario, report);
            return line(format_args!("{}", serde_json::to_string(&object).expect("a line of plain data is JSON")));
        }
        let (name, verdict, executions) = (scenario.name, word(report), report.executions);
        let (time, explored, all) =
            (report.elapsed.as_secs_f64(), explored(self.engine, report), scenario.outcomes.len());
        let reached = scenario.outcomes.iter().filter(|outcome| report.reached.contains_key(**outcome)).count();
        line(format_args!("{name:<28}{verdict:<10}{executions:>11}{time:>8.2}s  {explored:<22}{reached} of {all}"));
        report.bounds.iter().for_each(|bound| line(format_args!("    {}", bound_words(bound, report))));
        self.explain(scenario, report);
    }

    fn explain(&self, scenario: &'static Scenario, report: &CheckReport) {
        match &report.verdict {
            Verdict::Holds | Verdict::HoldsPartly | Verdict::Stopped => {}
            Verdict::Violated(words) => {
                paragraph(&format!("claim: {}", scenario.claim), BELOW);
                paragraph(&format!("found: {words}"), BELOW);
                let again = format!("    in execution {}; again: {} {}", report.executions, self.again, scenario.name);
                let fits = again.len() <= WIDTH;
                line(format_args!("{}", if fits { again } else { again.replacen("again: ", "again:\n      ", 1) }));
                self.show(scenario, report);
            }
            Verdict::Unreached(outcomes) => {
                outcomes.iter().for_each(|outcome| line(format_args!("    never reached: {outcome}")));
            }
            Verdict::Undeclared(outcomes) => {
                outcomes.iter().for_each(|outcome| line(format_args!("    not declared: {outcome}")));
                self.show(scenario, report);
            }
        }
        if self.verbose {
            report.reached.iter().for_each(|(outcome, count)| line(format_args!("    {count:>9}  {outcome}")));
            let facts: Vec<_> = report.evaluated.iter().map(|(id, facts)| format!("{id} {facts}")).collect();
            line(format_args!("    facts checked: {}", facts.join(", ")));
        }
    }

    pub(super) fn conclude(&self, chosen: usize, checked: &[Checked]) -> Exit {
        let count = |wanted: &str| checked.iter().filter(|it| word(&it.1) == wanted).count();
        let [holds, partly, sampled, stopped] = ["holds", "partly", "sampled", "stopped"].map(count);
        let failed = checked.len() - holds - partly - sampled - stopped;
        if !self.json {
            let executions: u64 = checked.iter().map(|(_, report)| report.executions).sum();
            if checked.iter().any(|(_, report)| report.extent == Extent::Sample) {
                line(format_args!("{sampled} of {chosen} scenarios sampled, {failed} fail; {executions} executions"));
                line(format_args!("a sample proves nothing about the executions that it left out"));
            } else {
                line(format_args!("{holds} of {chosen} scenarios hold, {failed} fail; {executions} executions"));
            }
            if partly > 0 {
                line(format_args!("{partly} hold as far as was explored, which does not reach every outcome"));
            }
            if let Some(words) = pct_words(checked) {
                line(format_args!("{words}"));
            }
            if stopped > 0 {
                let are = if stopped == 1 { "scenario is" } else { "scenarios are" };
                line(format_args!("stopped early: {stopped} {are} not decided"));
            }
        }
        match (failed, stopped) {
            (0, 0) => Exit::Holds,
            (0, _) => self.undecided,
            _ => Exit::Violated,
        }
    }
}

fn word(report: &CheckReport) -> &'static str {
    match (&report.verdict, report.extent) {
        // A sample that found nothing does not show that there is nothing.
        (Verdict::Holds | Verdict::HoldsPartly, Extent::Sample) => "sampled",
        (Verdict::Holds, _) => "holds",
        (Verdict::HoldsPartly, _) => "partly",
        (Verdict::Violated(_), _) => "VIOLATED",
        (Verdict::Unreached(_), _) => "UNREACHED",
        (Verdict::Undeclared(_), _) => "UNDECLARED",
        (Verdict::Stopped, _) => "stopped",
    }
}

/// How far the engine went: everything, everything within a bound, or a sample.
fn explored(engine: &str, report: &CheckReport) -> String {
    match (&report.verdict, report.extent) {
        (Verdict::Stopped, _) => stopped_words(report),
        (Verdict::Violated(_), _) => "until then".to_owned(),
        // loom loses outcomes by itself; what cures that here is tested, not proved.
        (_, Extent::Everything) if engine == "loom" => "no bound".to_owned(),
        (_, Extent::Everything) => "every interleaving".to_owned(),
        (_, Extent::Preemptions(bound)) => preemptions(bound),
        (_, Extent::Sample) => match report.pct {
            Some(bound) => format!("sampled, p >= {:.1e}", bound.of_one()),
            None => "sampled".to_owned(),
        },
    }
}

/// What was done until it was stopped, as a part of all that there is.
fn stopped_words(report: &CheckReport) -> String {
    match report.estimate {
        _ if report.executions == 0 => "not begun".to_owned(),
        Some(all) if all > 0 => {
            // The estimate counts the branches that are known so far; only a sample knows its size.
            let more = if report.extent == Extent::Sample { "" } else { " or more" };
            format!("{} of {}{more}", percent(report.executions as f64 / all as f64), about(all))
        }
        Some(_) | None => "until then".to_owned(),
    }
}

fn preemptions(bound: usize) -> String {
    if bound == 1 { "1 preemption".to_owned() } else { format!("{bound} preemptions") }
}

/// What a bound on preemptions brought, and what its last one came to.
fn bound_words(bound: &TriedBound, report: &CheckReport) -> String {
    let is_last = report.bounds.last().is_some_and(|last| last.preemptions == bound.preemptions);
    let brought = match (&report.verdict, bound.new_outcomes.len()) {
        (Verdict::Violated(_) | Verdict::Undeclared(_), _) if is_last => {
            "failed: no failure has fewer preemptions".to_owned()
        }
        (Verdict::Stopped, _) if is_last => "stopped".to_owned(),
        (_, 0) => "no new outcome".to_owned(),
        (_, 1) => "1 new outcome".to_owned(),
        (_, new) => format!("{new} new outcomes"),
    };
    format!("at most {:<26}{:>11} schedules, {brought}", preemptions(bound.preemptions), bound.executions)
}

/// PCT's promise for all executions of a scenario together, where it is weakest.
fn pct_words(checked: &[Checked]) -> Option<String> {
    let promise = |(_, report): &Checked| Some((report.pct?, report.executions));
    let promises = checked.iter().filter_map(promise);
    let (bound, executions) = promises.min_by(|a, b| a.0.of(a.1).total_cmp(&b.0.of(b.1)))?;
    let PctBound { depth, threads, steps } = bound;
    let (all, power) = (bound.of(executions) * 100.0, depth.saturating_sub(1));
    Some(format!(
        "p: if there is a bug of depth {depth}, one execution finds it with at least this probability, \
         1/(threads x steps^{power});\n   {executions} of them with {all:.2}% or more (the least here: {threads} \
         threads, {steps} steps)"
    ))
}

/// What `--json` prints of one scenario.
#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    family: &'a str,
    engine: &'a str,
    verdict: &'a str,
    violation: Option<&'a str>,
    replay: Option<String>,
    replay_found: Option<String>,
    executions: u64,
    seconds: f64,
    explored: String,
    estimated_executions: Option<u64>,
    branches_left: Option<usize>,
    pct: Option<Pct>,
    bounds: Vec<serde_json::Value>,
    reached: &'a BTreeMap<String, u64>,
    unreached: &'a [String],
    undeclared: &'a [String],
    facts_checked: &'a Evaluated,
}

impl<'a> Line<'a> {
    fn of(style: &Style, scenario: &'static Scenario, report: &'a CheckReport) -> Self {
        let (engine, tokens) = (style.engine, style.tokens(scenario, report));
        let verdict = &report.verdict;
        Self {
            scenario: scenario.name,
            family: scenario.family,
            engine,
            verdict: word(report),
            violation: if let Verdict::Violated(words) = verdict { Some(words) } else { None },
            replay: tokens.iter().last().map(ToString::to_string),
            replay_found: tokens.first().map(ToString::to_string),
            executions: report.executions,
            seconds: report.elapsed.as_secs_f64(),
            explored: explored(engine, report),
            estimated_executions: report.estimate,
            branches_left: report.left.as_ref().map(Frontier::branches),
            pct: report.pct.map(|bound| Pct::of(bound, report.executions)),
            bounds: report.bounds.iter().map(bound_json).collect(),
            reached: &report.reached,
            unreached: if let Verdict::Unreached(outcomes) = verdict { outcomes } else { &[] },
            undeclared: if let Verdict::Undeclared(outcomes) = verdict { outcomes } else { &[] },
            facts_checked: &report.evaluated,
        }
    }
}

/// What `--json` prints of PCT's promise.
#[derive(Serialize)]
struct Pct {
    depth: u32,
    threads: usize,
    steps: usize,
    probability_of_one: f64,
    probability_of_all: f64,
}

impl Pct {
    fn of(bound: PctBound, executions: u64) -> Self {
        let PctBound { depth, threads, steps } = bound;
        let (probability_of_one, probability_of_all) = (bound.of_one(), bound.of(executions));
        Self { depth, threads, steps, probability_of_one, probability_of_all }
    }
}

fn bound_json(bound: &TriedBound) -> serde_json::Value {
    serde_json::json!({
        "preemptions": bound.preemptions, "executions": bound.executions, "new_outcomes": bound.new_outcomes,
    })
}
