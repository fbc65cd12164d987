//! The scenario library of pagerace under loom; see `tests/`.
//!
//! loom's own variables are respected: `LOOM_MAX_PREEMPTIONS` replaces every scenario's bound,
//! `LOOM_MAX_PERMUTATIONS` and `LOOM_MAX_DURATION` cap it. A test that was capped, or given a smaller bound than its
//! scenario asks for, says so and cannot show that every declared outcome is reached.

use pagerace::platform::Watch;
use pagerace::scenario::{Engine, Verdict, check, library};

/// Checks the scenario `name` and prints how far loom went.
///
/// # Panics
/// If there is no such scenario, or if its check does not hold.
pub fn assert_holds(name: &str) {
    let scenario = library().find(|scenario| scenario.name == name).expect("the library has the scenario");
    let report = check(scenario, Engine::Loom { preemptions: None }, &Watch::default());
    println!("{name}: {:?}, {} executions of {:?}", report.verdict, report.executions, report.extent);
    match report.verdict {
        Verdict::Holds | Verdict::HoldsPartly => {}
        Verdict::Stopped => println!("capped by a LOOM_ variable: it held as far as it was run"),
        Verdict::Unreached(outcomes) => panic!("{name} never reached {outcomes:?}"),
        Verdict::Undeclared(outcomes) => panic!("{name} reached {outcomes:?}, which nobody declared"),
        Verdict::Violated(words) => panic!("{name}: {words}; again: pagerace check --engine loom {name}"),
    }
}
