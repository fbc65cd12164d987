//! The scenario library of pagerace under loom; see `tests/`.
//!
//! loom's own variables are respected: `LOOM_MAX_PREEMPTIONS` replaces every scenario's bound,
//! `LOOM_MAX_PERMUTATIONS` and `LOOM_MAX_DURATION` cap it. A test that was capped, or given a smaller bound than its
//! scenario asks for, says so and cannot show that every declared outcome is reached.

use pagerace::scenario::{CheckReport, Limits, Scenario, Verdict, check, library};

/// Checks the scenario `name` and prints how far loom went.
///
/// # Panics
/// If there is no such scenario, or if its check does not hold.
pub fn assert_holds(name: &str) {
    let scenario = library().find(|scenario| scenario.name == name).expect("the library has the scenario");
    let report = check(scenario, &Limits::default());
    println!("{name}: {} executions, preemptions at most {:?}", report.executions, report.preemptions);
    if let Err(words) = judge(scenario, &report) {
        panic!("{name}: {words}; again: pagerace check {name}");
    }
}

fn judge(scenario: &Scenario, report: &CheckReport) -> Result<(), String> {
    let asked_less = match (report.preemptions, scenario.loom_preemptions) {
        (Some(bound), Some(wanted)) => bound < wanted,
        (bound, None) => bound.is_some(),
        (None, Some(_)) => false,
    };
    match &report.verdict {
        Verdict::Holds => Ok(()),
        Verdict::Stopped => {
            println!("capped by a LOOM_ variable: it held as far as it was run");
            Ok(())
        }
        Verdict::Unreached(outcomes) if asked_less => {
            println!("{} outcomes lie beyond the bound that LOOM_MAX_PREEMPTIONS asks for", outcomes.len());
            Ok(())
        }
        Verdict::Unreached(outcomes) => Err(format!("never reached {outcomes:?}")),
        Verdict::Undeclared(outcomes) => Err(format!("reached {outcomes:?}, which nobody declared")),
        Verdict::Violated(words) => Err(words.clone()),
    }
}
