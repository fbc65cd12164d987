//! What `pagerace check` prints.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::oracle::Evaluated;
use crate::platform::Extent;
use crate::scenario::{CheckReport, Scenario, Verdict};

use super::super::Exit;
use super::super::output::line;
use super::Checked;

/// How it is printed.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) json: bool,
    pub(super) verbose: bool,
    pub(super) engine: &'static str,
}

impl Style {
    pub(super) fn list(self, scenario: &Scenario) {
        if self.json {
            let object = serde_json::json!({
                "scenario": scenario.name, "family": scenario.family, "claim": scenario.claim,
                "actors": scenario.actors.len(), "outcomes": scenario.outcomes,
            });
            line(format_args!("{object}"));
        } else {
            line(format_args!("{:<28}{}", scenario.name, scenario.claim));
        }
    }

    pub(super) fn head(self) {
        if !self.json {
            let [scenario, verdict, executions, time] = ["scenario", "verdict", "executions", "time"];
            let explored = format!("{} explored", self.engine);
            line(format_args!("{scenario:<28}{verdict:<10}{executions:>11}{time:>9}  {explored:<22}outcomes"));
        }
    }

    pub(super) fn line(self, (scenario, report): &Checked) {
        if self.json {
            let object = Line::of(self.engine, scenario, report);
            return line(format_args!("{}", serde_json::to_string(&object).expect("a line of plain data is JSON")));
        }
        let (name, verdict, executions) = (scenario.name, word(&report.verdict), report.executions);
        let (time, explored, all) =
            (report.elapsed.as_secs_f64(), explored(self.engine, report), scenario.outcomes.len());
        let reached = scenario.outcomes.iter().filter(|outcome| report.reached.contains_key(**outcome)).count();
        line(format_args!("{name:<28}{verdict:<10}{executions:>11}{time:>8.2}s  {explored:<22}{reached} of {all}"));
        self.explain(scenario, report);
    }

    fn explain(self, scenario: &Scenario, report: &CheckReport) {
        match &report.verdict {
            Verdict::Holds | Verdict::HoldsPartly | Verdict::Stopped => {}
            Verdict::Violated(words) => {
                let (name, engine) = (scenario.name, self.engine);
                line(format_args!("    claim: {}\n    found: {}", scenario.claim, words.replace('\n', "\n    ")));
                line(format_args!(
                    "    in execution {}; again: pagerace check --engine {engine} {name}",
                    report.executions
                ));
                if let Some(counterexample) = &report.counterexample {
                    line(format_args!("\n{counterexample}\n"));
                }
            }
            Verdict::Unreached(outcomes) => {
                outcomes.iter().for_each(|outcome| line(format_args!("    never reached: {outcome}")));
            }
            Verdict::Undeclared(outcomes) => {
                outcomes.iter().for_each(|outcome| line(format_args!("    not declared: {outcome}")));
            }
        }
        if self.verbose {
            report.reached.iter().for_each(|(outcome, count)| line(format_args!("    {count:>9}  {outcome}")));
            let facts: Vec<_> = report.evaluated.iter().map(|(id, facts)| format!("{id} {facts}")).collect();
            line(format_args!("    facts checked: {}", facts.join(", ")));
        }
    }

    pub(super) fn conclude(self, chosen: usize, checked: &[Checked]) -> Exit {
        let count = |wanted: &[&str]| checked.iter().filter(|it| wanted.contains(&word(&it.1.verdict))).count();
        let (holds, partly, stopped) = (count(&["holds"]), count(&["partly"]), count(&["stopped"]));
        let failed = checked.len() - holds - partly - stopped;
        if !self.json {
            let executions: u64 = checked.iter().map(|(_, report)| report.executions).sum();
            line(format_args!("{holds} of {chosen} scenarios hold, {failed} fail; {executions} executions"));
            if partly > 0 {
                line(format_args!("{partly} hold as far as was explored, which does not reach every outcome"));
            }
            if stopped > 0 {
                line(format_args!("stopped early: {stopped} scenarios are not decided"));
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
        Verdict::HoldsPartly => "partly",
        Verdict::Violated(_) => "VIOLATED",
        Verdict::Unreached(_) => "UNREACHED",
        Verdict::Undeclared(_) => "UNDECLARED",
        Verdict::Stopped => "stopped",
    }
}

/// How far the engine went: everything, everything within a bound, or a sample.
fn explored(engine: &str, report: &CheckReport) -> String {
    match (&report.verdict, report.extent) {
        (Verdict::Stopped | Verdict::Violated(_), _) => "until then".to_owned(),
        // loom loses outcomes by itself; what cures that here is tested, not proved.
        (_, Extent::Everything) if engine == "loom" => "no bound".to_owned(),
        (_, Extent::Everything) => "every interleaving".to_owned(),
        (_, Extent::Preemptions(1)) => "1 preemption".to_owned(),
        (_, Extent::Preemptions(bound)) => format!("{bound} preemptions"),
        (_, Extent::Sample) => "a sample".to_owned(),
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
    counterexample: Option<&'a str>,
    executions: u64,
    seconds: f64,
    explored: String,
    reached: &'a BTreeMap<String, u64>,
    unreached: &'a [String],
    undeclared: &'a [String],
    facts_checked: &'a Evaluated,
}

impl<'a> Line<'a> {
    fn of(engine: &'a str, scenario: &'a Scenario, report: &'a CheckReport) -> Self {
        let verdict = &report.verdict;
        Self {
            scenario: scenario.name,
            family: scenario.family,
            engine,
            verdict: word(verdict),
            violation: if let Verdict::Violated(words) = verdict { Some(words) } else { None },
            counterexample: report.counterexample.as_deref(),
            executions: report.executions,
            seconds: report.elapsed.as_secs_f64(),
            explored: explored(engine, report),
            reached: &report.reached,
            unreached: if let Verdict::Unreached(outcomes) = verdict { outcomes } else { &[] },
            undeclared: if let Verdict::Undeclared(outcomes) = verdict { outcomes } else { &[] },
            facts_checked: &report.evaluated,
        }
    }
}
