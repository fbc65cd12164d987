//! The scenario library on the interleaver: every interleaving of every scenario but the largest, and every outcome
//! that it declares.

use std::collections::BTreeMap;

use pagerace::platform::interleaved::Search;
use pagerace::platform::{Extent, Watch};
use pagerace::scenario::{CheckReport, Engine, Scenario, Verdict, check, library};

fn on_interleaver(scenario: &'static Scenario, search: Search) -> CheckReport {
    check(scenario, Engine::Interleaver { search }, &Watch::default())
}

/// Half a million executions: `pagerace check --engine interleaver` runs it, a debug build takes minutes.
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
    assert_eq!(evaluated.len(), 29);
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
        }
    }
}

#[test]
fn a_bound_on_preemptions_explores_less() {
    let scenario = library().find(|scenario| scenario.name == "same-pte").expect("it is in the library");
    let none = on_interleaver(scenario, Search::Preemptions(0));
    assert_eq!((none.verdict, none.extent), (Verdict::HoldsPartly, Extent::Preemptions(0)));
    let two = on_interleaver(scenario, Search::Preemptions(2));
    assert_eq!(two.extent, Extent::Preemptions(2));
    assert!(two.reached.len() > none.reached.len());
}
