//! The checker is checked: without each named re-check, step or ordering, the scenario that should notice does.

use pagerace::platform::interleaved::{Part, Search};
use pagerace::platform::{Variant, Watch};
use pagerace::scenario::{Engine, Shown, Verdict, check_without, library, shown_by};

const EVERYTHING: Engine = Engine::Interleaver { search: Search::Everything };
const LOOM: Engine = Engine::Loom { preemptions: None };

fn found(name: &str, removed: Option<Variant>, engine: Engine) -> Option<String> {
    let scenario = library().find(|scenario| scenario.name == name).expect("the library has it");
    match check_without(scenario, removed, engine, Part::whole(1), &Watch::default()).verdict {
        Verdict::Holds => None,
        Verdict::Violated(words) => Some(words),
        Verdict::Unreached(_) => Some("never reached".to_owned()),
        Verdict::Undeclared(_) => Some("not declared".to_owned()),
        verdict @ (Verdict::HoldsPartly | Verdict::Stopped) => panic!("the whole of {name} is searched: {verdict:?}"),
    }
}

#[test]
fn what_is_removed_is_missed_by_the_scenario_that_should() {
    let mut wrong = Vec::new();
    for variant in Variant::ALL.iter().copied() {
        let (scenario, falls, engine) = match shown_by(variant) {
            Shown::By { scenario, falls } => (scenario, falls, EVERYTHING),
            Shown::OnLoom { scenario, falls } => (scenario, falls, LOOM),
            Shown::Never { .. } => continue,
        };
        let found = found(scenario, Some(variant), engine);
        if !found.as_ref().is_some_and(|words| words.contains(falls)) {
            wrong.push(format!("{} in {scenario}: {falls} should fall; found {found:?}", variant.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_unique_and_found_again() {
    for variant in Variant::ALL.iter().copied() {
        assert_eq!(Variant::find(variant.name()), Some(variant));
    }
}

#[test]
fn nothing_is_called_unnoticed_without_a_reason() {
    for variant in Variant::ALL.iter().copied() {
        if let Shown::Never { because } = shown_by(variant) {
            assert!(because.len() > 20, "{}: {because:?}", variant.name());
        }
    }
}

/// A variant stays with its execution: the next one has the whole kernel again.
#[test]
fn nothing_stays_removed() {
    assert!(found("same-pte", Some(Variant::M14), EVERYTHING).is_some());
    assert_eq!(found("same-pte", None, EVERYTHING), None);
}
