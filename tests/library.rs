//! The scenario library on the interleaver: every interleaving of every scenario but the largest, and every outcome
//! that it declares.

use std::collections::{BTreeMap, BTreeSet};

use pagerace::platform::interleaved::Search;
use pagerace::platform::{Extent, Watch};
use pagerace::scenario::{CheckReport, Engine, Scenario, Verdict, check, library};

fn on_interleaver(scenario: &'static Scenario, search: Search) -> CheckReport {
    check(scenario, Engine::Interleaver { search }, &Watch::default())
}

/// More than a million executions: `pagerace check` runs it, a debug build takes minutes.
const LARGEST: &str = "same-pte-three-four-levels";

#[test]
fn every_scenario_but_the_largest_holds_in_every_interleaving() {
    let mut evaluated = BTreeMap::<_, u64>::new();
    for scenario in library().filter(|scenario| scenario.name != LARGEST) {
        let report = on_interleaver(scenario, Search::Everything);
        assert_eq!(report.verdict, Verdict::Holds, "{}", scenario.name);
        assert_eq!(report.extent, Extent::Everything, "{}", scenario.name);
        assert_eq!(report.reached.values().sum::<u64>(), report.executions, "{}", scenario.name);
        for (id, facts) in report.evaluated {
            *evaluated.entry(id).or_default() += facts;
        }
    }
    assert_eq!(evaluated.len(), 32);
    let unused: Vec<_> = evaluated.iter().filter(|(_, facts)| **facts == 0).collect();
    assert!(unused.is_empty(), "the library never puts these invariants to the test: {unused:?}");
}

#[test]
fn samples_reach_nothing_that_is_not_declared() {
    for search in [Search::Random { executions: 300, seed: 7 }, Search::Pct { executions: 300, seed: 7, depth: 3 }] {
        for scenario in library() {
            let report = on_interleaver(scenario, search);
            assert!(matches!(report.verdict, Verdict::Holds | Verdict::HoldsPartly), "{} {report:?}", scenario.name);
            assert_eq!((report.extent, report.executions), (Extent::Sample, 300), "{}", scenario.name);
            assert_eq!(report.pct.is_some(), matches!(search, Search::Pct { .. }), "only PCT promises something");
        }
    }
}

fn same_pte() -> &'static Scenario {
    library().find(|scenario| scenario.name == "same-pte").expect("it is in the library")
}

#[test]
fn bounds_on_preemptions_are_tried_in_turn() {
    let report = on_interleaver(same_pte(), Search::Preemptions(2));
    assert_eq!((&report.verdict, report.extent), (&Verdict::Holds, Extent::Preemptions(2)));
    let bounds: Vec<_> = report.bounds.iter().map(|bound| bound.preemptions).collect();
    assert_eq!(bounds, [0, 1, 2]);
    assert!(report.bounds.is_sorted_by(|a, b| a.executions < b.executions), "{:?}", report.bounds);
    assert_eq!(report.bounds[2].executions, report.executions);
    let outcomes: BTreeSet<_> = report.bounds.iter().flat_map(|bound| &bound.new_outcomes).collect();
    assert_eq!(outcomes, report.reached.keys().collect());
    assert!(report.bounds[2].new_outcomes.is_empty(), "two preemptions reach nothing that one does not");
}

/// Which outcomes need a preemption is what makes them the interesting ones.
#[test]
fn the_first_bound_that_fails_is_the_last_that_is_tried() {
    let without = on_interleaver(same_pte(), Search::Preemptions(0));
    let reached: Vec<&str> = without.reached.keys().map(|outcome| outcome.clone().leak() as &str).collect();
    let declares_too_little = Scenario { outcomes: reached.leak(), ..*same_pte() };
    let report = on_interleaver(Box::leak(Box::new(declares_too_little)), Search::Preemptions(5));
    assert!(matches!(&report.verdict, Verdict::Undeclared(_)), "{:?}", report.verdict);
    assert_eq!(report.bounds.len(), 2, "no preemption does not fail, one does");
}
