//! Lock orders that went wrong, in both forms.

use crate::failure::{Detail, ReplayToken, Subject};
use crate::platform::{Arc, Ordering, Verdict, Watch};
use crate::scenario::{Answer, Form, LockReport, LockScenario, Reality, check_lock_order};

use super::super::interrupt::stop_flag;
use super::super::output::line;
use super::super::{Exit, failing};
use super::LockdepArgs;

pub(super) fn list(scenario: &LockScenario, json: bool) {
    let LockScenario { name, breaks, mended_by, .. } = scenario;
    if json {
        line(format_args!("{}", serde_json::json!({ "scenario": name, "breaks": breaks, "mended_by": mended_by })));
    } else {
        line(format_args!("{name:<22}{breaks}"));
    }
}

/// Plays them, and says whether each broken form was found to be what it is, and each fixed one is clean.
pub(super) fn play(chosen: &[&'static LockScenario], args: &LockdepArgs) -> Exit {
    let stop = stop_flag();
    let watch = Watch::new(Arc::clone(&stop));
    let mut exit = Exit::Holds;
    for scenario in chosen {
        for form in Form::ALL {
            let report = check_lock_order(scenario, form, Some(args.budget), &watch);
            // ORDER none: a flag.
            if stop.load(Ordering::Relaxed) {
                return Exit::Interrupted;
            }
            if args.json {
                json(scenario, form, &report);
            } else {
                tell(scenario, form, &report, args);
            }
            exit = worse(exit, judge(scenario, form, &report));
        }
    }
    if !args.json {
        let verdict = match exit {
            Exit::Holds => "every broken order was found, and every mended one is clean",
            Exit::Undecided => "not all of it was decided within the budget",
            Exit::Violated | Exit::Usage | Exit::Interrupted => "something is not what it should be",
        };
        line(format_args!("{verdict}"));
    }
    exit
}

fn worse(known: Exit, new: Exit) -> Exit {
    match (known, new) {
        (Exit::Violated, _) | (_, Exit::Violated) => Exit::Violated,
        (Exit::Holds, new) => new,
        (known, _) => known,
    }
}

/// Whether a form is what it is meant to be.
fn judge(scenario: &LockScenario, form: Form, report: &LockReport) -> Exit {
    let answer = report.finding.as_ref().and_then(|finding| finding.circle.as_ref()).map(|(_, answer)| answer);
    match (form, answer, scenario.reality) {
        (Form::Broken, Some(Answer::Deadlocks { .. }), Reality::Deadlocks) => Exit::Holds,
        (Form::Broken, Some(Answer::CannotHappen { guard: Some(guard), .. }), Reality::GuardedBy(class))
            if guard.class == class =>
        {
            Exit::Holds
        }
        (Form::Broken, Some(Answer::NotDecided), _) => Exit::Undecided,
        (Form::Broken, _, _) => Exit::Violated,
        (Form::Fixed, _, _) if report.finding.is_some() => Exit::Violated,
        (Form::Fixed, _, _) => match report.verdict {
            Verdict::Holds => Exit::Holds,
            Verdict::Stopped => Exit::Undecided,
            Verdict::Violated(_) => Exit::Violated,
        },
    }
}

fn tell(scenario: &'static LockScenario, form: Form, report: &LockReport, args: &LockdepArgs) {
    let LockScenario { name, breaks, mended_by, .. } = scenario;
    let executions = report.executions;
    match form {
        Form::Broken => {
            line(format_args!("{name}: {breaks}"));
            if let Some(first) = &report.first {
                let ended = match report.first_verdict {
                    Verdict::Holds | Verdict::Stopped => "which went well",
                    Verdict::Violated(_) => "which did not go well",
                };
                line(format_args!("  lockdep, from the first execution, {ended}:\n"));
                let words = first.what().join("\n\n");
                line(format_args!("    {}\n", words.replace('\n', "\n    ").replace("\n    \n", "\n\n")));
            }
            let answer = report.finding.as_ref().and_then(|finding| finding.circle.as_ref());
            match answer {
                Some((_, answer)) => line(format_args!("  the interleaver: {answer}")),
                None => line(format_args!("  no lock is taken in a circle")),
            }
            show(scenario, form, report, args);
        }
        Form::Fixed => {
            line(format_args!("  mended: {mended_by}"));
            match (&report.finding, &report.verdict) {
                (Some(finding), _) => line(format_args!("  but: {finding}")),
                (None, Verdict::Holds) => line(format_args!("  clean in every interleaving: {executions} executions")),
                (None, Verdict::Stopped) => line(format_args!("  clean in the first {executions} executions")),
                (None, Verdict::Violated(words)) => line(format_args!("  but: {words}")),
            }
            show(scenario, form, report, args);
            line(format_args!(""));
        }
    }
}

/// The execution that failed, if one did.
fn show(scenario: &'static LockScenario, form: Form, report: &LockReport, args: &LockdepArgs) {
    let tokens = tokens(scenario, form, report);
    if !tokens.is_empty() {
        failing::show(&tokens, if args.verbose { Detail::Everything } else { Detail::WhatMatters });
    }
}

fn tokens(scenario: &'static LockScenario, form: Form, report: &LockReport) -> Vec<ReplayToken> {
    let subject = Subject::LockOrder { scenario, form };
    report.failing.iter().flat_map(|failing| ReplayToken::of(subject, failing)).collect()
}

fn json(scenario: &'static LockScenario, form: Form, report: &LockReport) {
    let tokens = tokens(scenario, form, report);
    let answer = report.finding.as_ref().and_then(|finding| finding.circle.as_ref());
    line(format_args!(
        "{}",
        serde_json::json!({
            "scenario": scenario.name,
            "form": form.name(),
            "found_in_first_execution": report.first.as_ref().map(|finding| finding.what()),
            "found": report.finding.as_ref().map(|finding| finding.what()),
            "answer": answer.map(|(_, answer)| answer.to_string()),
            "complete": report.verdict == Verdict::Holds,
            "executions": report.executions,
            "seconds": report.elapsed.as_secs_f64(),
            "replay": tokens.last().map(ToString::to_string),
            "replay_found": tokens.first().map(ToString::to_string),
        })
    ));
}
