//! `pagerace bugs`.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Args;

use crate::failure::{Detail, Replayed, page, replay};
use crate::history::{Bug, BugReport, Half, Reproduction, bugs, check_bug};
use crate::platform::Watch;

use super::interrupt::stop_flag;
use super::output::{line, paragraph, text};
use super::parse::jobs;
use super::{Exit, usage};

/// Bring back races and lock orders that Linux had, find them, and show that their fixes are clean.
///
/// Without names and --all the bugs are listed. With a name, one is told, found in a small world, and shown
/// with its counterexample; then the same world is checked with the fix in place, in every interleaving.
/// With --all each gets a line. The exit code is 1 if a bug is not found or a fix is not clean.
#[derive(Debug, Args)]
pub(super) struct BugsArgs {
    /// Bugs to play
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Play all of them
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Threads that share each search; as many as there are cores if not given
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print one JSON object for each bug
    #[arg(long)]
    json: bool,
}

impl BugsArgs {
    pub(super) fn run(self) -> Exit {
        let mut chosen = Vec::new();
        for id in &self.ids {
            match bugs().find(|bug| bug.id.eq_ignore_ascii_case(id)) {
                Some(bug) => chosen.push(bug),
                None => return usage(&format!("there is no bug '{id}'"), "`pagerace bugs` lists them all"),
            }
        }
        if self.all {
            chosen = bugs().collect();
        }
        if chosen.is_empty() {
            bugs().for_each(|bug| self.list(bug));
            return Exit::Holds;
        }
        self.play(&chosen)
    }

    fn list(&self, bug: &Bug) {
        let Bug { id, title, cve, fixed_by, fixed_in, year, .. } = bug;
        if self.json {
            return line(format_args!("{}", about(bug)));
        }
        line(format_args!("{id}  {title}"));
        let cve = cve.map_or(String::new(), |cve| format!("{cve}, "));
        line(format_args!("     {cve}mended in {fixed_in} ({year}) by {}", &fixed_by[..fixed_by.len().min(12)]));
    }

    fn play(&self, chosen: &[&'static Bug]) -> Exit {
        let stop = stop_flag();
        let jobs = jobs(self.jobs);
        if !self.json && self.all {
            line(format_args!("{:<5}{:<10}{:>10}  {:<28}fix", "bug", "found as", "executions", "in"));
        }
        let mut exit = Exit::Holds;
        for bug in chosen {
            let report = check_bug(bug, jobs, &Watch::new(Arc::clone(&stop)));
            // ORDER none: a flag.
            if stop.load(Ordering::Relaxed) {
                anstream::eprintln!("interrupted; what was played until then stands above");
                return Exit::Interrupted;
            }
            if self.json {
                line(format_args!("{}", json(&report)));
            } else if self.all {
                line(format_args!("{}", row(&report)));
            } else {
                tell(&report);
            }
            if !report.is_found() || !report.is_clean() {
                exit = Exit::Violated;
            }
        }
        exit
    }
}

/// The scenario in which a bug shows.
fn place(bug: &Bug) -> &'static str {
    match bug.reproduction {
        Reproduction::Removed { scenario, .. } | Reproduction::LockOrder { scenario } => scenario,
    }
}

fn row(report: &BugReport) -> String {
    let BugReport { bug, broken, mended, .. } = report;
    let found = match (&broken.found, report.is_found()) {
        (Some(_), true) => bug.falls,
        (Some(_), false) => "OTHERWISE",
        (None, _) => "NOT FOUND",
    };
    let fix = fix(report, mended);
    format!("{:<5}{found:<10}{:>10}  {:<28}{fix}", bug.id, broken.executions, place(bug))
}

fn fix(report: &BugReport, mended: &Half) -> String {
    match &mended.found {
        _ if report.is_clean() => format!("clean in every interleaving, {} executions", mended.executions),
        Some(words) => format!("NOT CLEAN: {words}"),
        None => format!("not decided after {} executions", mended.executions),
    }
}

fn tell(report: &BugReport) {
    let BugReport { bug, broken, mended, tokens } = report;
    let Bug { id, title, cve, fixed_by, fixed_in, year, mechanics, mended_by, .. } = bug;
    line(format_args!("{id}: {title}"));
    let cve = cve.map_or(String::new(), |cve| format!("{cve}; "));
    line(format_args!("  {cve}mended in Linux {fixed_in} ({year}) by commit {fixed_by}\n"));
    tell_apart(mechanics);
    tell_apart(&format!("The fix: {mended_by}"));
    line(format_args!("the kernel without the fix: {}", bug.reproduction.command()));
    match &broken.found {
        Some(words) => tell_apart(&format!("found in execution {}: {}", broken.executions, first_lines(words))),
        None => tell_apart(&format!("NOT FOUND in {} executions", broken.executions)),
    }
    if let Some(token) = tokens.last()
        && let Ok(Replayed::Violated(failure)) = replay(token)
    {
        text(&page(&failure, Detail::WhatMatters).to_string());
    }
    line(format_args!("\nthe kernel with the fix, in the same world: {}", fix(report, mended)));
}

fn first_lines(words: &str) -> String {
    words.lines().take_while(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" ")
}

/// A paragraph of what is told of a bug, and the line that parts it from the next.
fn tell_apart(words: &str) {
    paragraph(words, (2, 0));
    line(format_args!(""));
}

fn about(bug: &Bug) -> serde_json::Value {
    serde_json::json!({
        "id": bug.id, "title": bug.title, "cve": bug.cve, "fixed_by": bug.fixed_by, "fixed_in": bug.fixed_in,
        "year": bug.year, "mechanics": bug.mechanics, "mended_by": bug.mended_by, "falls": bug.falls,
        "scenario": place(bug), "command": bug.reproduction.command(),
    })
}

fn json(report: &BugReport) -> serde_json::Value {
    let mut all = about(report.bug);
    let half = |half: &Half| {
        serde_json::json!({
            "found": half.found, "executions": half.executions, "decided": half.is_decided,
            "seconds": half.elapsed.as_secs_f64(),
        })
    };
    all["broken"] = half(&report.broken);
    all["mended"] = half(&report.mended);
    all["is_found"] = report.is_found().into();
    all["is_clean"] = report.is_clean().into();
    all
}
