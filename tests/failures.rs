//! What failures look like: found by a check, made simpler, replayed, and shown in each form.

use std::collections::{BTreeMap, BTreeSet};

use pagerace::failure::{
    Detail, Failure, NoReplay, Phase, ReplayToken, Replayed, Subject, WIDTH, mermaid, page, perfetto, replay,
};
use pagerace::platform::interleaved::{Part, Search};
use pagerace::platform::{Variant, Watch};
use pagerace::scenario::{
    Engine, Form, LockScenario, Reality, Scenario, Shown, check_lock_order, check_without, library, lock_scenarios,
    shown_by,
};

const EVERYTHING: Engine = Engine::Interleaver { search: Search::Everything };

fn scenario(name: &str) -> &'static Scenario {
    library().find(|scenario| scenario.name == name).expect("the library has it")
}

/// The tokens of the first failure of a scenario without something: as found, and made simpler.
fn tokens(name: &str, removed: Variant) -> Vec<ReplayToken> {
    let scenario = scenario(name);
    let part = Part { budget: Some(50_000), ..Part::whole(1) };
    let report = check_without(scenario, Some(removed), EVERYTHING, part, &Watch::default());
    let subject = Subject::Scenario { scenario, removed: Some(removed) };
    report.failing.iter().flat_map(|failing| ReplayToken::of(subject, failing)).collect()
}

/// The same of the broken form of a lock-order scenario.
fn tokens_of_locks(scenario: &'static LockScenario) -> Vec<ReplayToken> {
    let report = check_lock_order(scenario, Form::Broken, None, &Watch::default());
    let subject = Subject::LockOrder { scenario, form: Form::Broken };
    report.failing.iter().flat_map(|failing| ReplayToken::of(subject, failing)).collect()
}

fn failure(token: &ReplayToken) -> Failure {
    match replay(token) {
        Ok(Replayed::Violated(failure)) => *failure,
        other => panic!("{token}: {other:?}"),
    }
}

/// The simplest failure that is known of a variant.
fn simplest(name: &str, removed: Variant) -> Failure {
    failure(tokens(name, removed).last().expect("the variant is noticed"))
}

fn plain(failure: &Failure, detail: Detail) -> String {
    anstream::adapter::strip_str(&page(failure, detail).to_string()).to_string()
}

/// The same without what changes with every line of the kernel: numbers of steps, lines of the source, the schedule.
fn steady(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let length = letters[at..].iter().take_while(|letter| letter.is_ascii_digit()).count();
        let before: String = letters[at.saturating_sub(4)..at].iter().collect();
        let alone = !before.ends_with(|letter: char| letter.is_alphanumeric() || "#~_/.[".contains(letter));
        if length > 0 && (before == ".rs:" || length >= 3 && alone) {
            letters[at..at + length].fill('_');
        }
        at += length.max(1);
    }
    let text: String = letters.into_iter().collect();
    let without_schedule = |line: &str| match line.split_once("p1~") {
        Some((before, token)) => {
            let names: Vec<&str> = token.split('~').take(2).collect();
            format!("{before}p1~{}~...", names.join("~"))
        }
        None => line.to_owned(),
    };
    text.lines().map(without_schedule).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_threads_race_for_a_pte() {
    insta::assert_snapshot!(steady(&plain(&simplest("same-pte", Variant::M14), Detail::WhatMatters)));
}

#[test]
fn three_threads_race_for_a_pte() {
    insta::assert_snapshot!(steady(&plain(&simplest("same-pte-three", Variant::M14), Detail::WhatMatters)));
}

#[test]
fn a_data_race_shows_both_accesses() {
    let failure = simplest("same-pte-new-table", Variant::M5);
    let racing = failure.steps.iter().filter(|step| step.matters && serde_json::json!(step.what)["kind"] == "plain");
    assert_eq!(racing.map(|step| step.thread).collect::<Vec<_>>(), [1, 2]);
    insta::assert_snapshot!(steady(&plain(&failure, Detail::WhatMatters)));
}

#[test]
fn a_deadlock_says_who_waits_for_what() {
    insta::assert_snapshot!(steady(&plain(&simplest("fault-munmap", Variant::M68), Detail::WhatMatters)));
}

/// Of every lock order that really deadlocks: the columns, and at the end who waits for whom.
#[test]
fn a_lock_order_that_deadlocks_is_shown_in_columns() {
    let mut pages = Vec::new();
    for scenario in lock_scenarios().filter(|scenario| scenario.reality == Reality::Deadlocks) {
        let simplest = failure(tokens_of_locks(scenario).last().expect("it deadlocks"));
        assert_eq!(simplest.violation.kind, "deadlock", "{}", scenario.name);
        let stuck: BTreeSet<usize> = simplest.waiting.iter().map(|waiting| waiting.thread).collect();
        for waiting in &simplest.waiting {
            assert!(!waiting.waits_for.is_empty(), "{}: {waiting:?}", scenario.name);
            assert!(waiting.waits_for.iter().all(|thread| stuck.contains(thread)), "{}: {waiting:?}", scenario.name);
        }
        // The others have more of the fault path in them, and change with it.
        if ["two-ptls", "mmap-vma-mmap"].contains(&scenario.name) {
            pages.push(plain(&simplest, Detail::WhatMatters));
        }
    }
    insta::assert_snapshot!(steady(&pages.join("\n")));
}

/// A failure is played again and again to make it simpler. That is no part of what the search did.
#[test]
fn what_a_failing_check_counts_is_what_it_searched() {
    for (name, removed) in
        [("same-pte", Variant::M14), ("same-pte-three", Variant::M14), ("fault-munmap", Variant::M68)]
    {
        let watch = Watch::default();
        let report = check_without(scenario(name), Some(removed), EVERYTHING, Part::whole(1), &watch);
        assert!(report.failing.is_some(), "{name}");
        // The one that failed came to no outcome.
        assert_eq!(report.reached.values().sum::<u64>() + 1, report.executions, "{name}");
        assert_eq!(watch.executions(), report.executions, "{name}");
    }
}

#[test]
fn an_undeclared_outcome_is_shown_like_a_violation() {
    let failure = simplest("hugetlb-dontneed", Variant::HugetlbVmaLock);
    assert_eq!(failure.violation.kind, "undeclared outcome");
    insta::assert_snapshot!(steady(&plain(&failure, Detail::WhatMatters)));
}

#[test]
fn a_mermaid_diagram() {
    insta::assert_snapshot!(steady(&mermaid(&simplest("same-pte", Variant::M14))));
}

#[test]
fn json_has_everything() {
    let failure = simplest("same-pte", Variant::M14);
    let mut value = serde_json::to_value(&failure).expect("plain data");
    let steps = value["steps"].as_array_mut().expect("a list");
    assert_eq!(steps.len(), failure.steps.len());
    // All of it would be long: the snapshot has what matters of the actor that came last.
    steps.retain(|step| step["matters"] == true && step["thread"] == 2);
    insta::assert_snapshot!(steady(&serde_json::to_string_pretty(&value).expect("plain data")));
}

#[test]
fn a_perfetto_trace_is_well_formed() {
    let failure = simplest("same-pte", Variant::M14);
    let trace = perfetto(&failure);
    let events = trace["traceEvents"].as_array().expect("a list");
    let (mut open, mut last): (BTreeMap<u64, Vec<String>>, u64) = Default::default();
    for event in events.iter().filter(|event| event["ph"] != "M") {
        let (tid, ts) = (event["tid"].as_u64().expect("a number"), event["ts"].as_u64().expect("a number"));
        assert!(ts >= last, "time goes on: {event}");
        last = ts;
        let stack = open.entry(tid).or_default();
        match event["ph"].as_str() {
            Some("B") => stack.push(event["name"].as_str().expect("a name").to_owned()),
            Some("E") => {
                let begun = stack.pop().expect("what ends was begun");
                assert!(event["name"].is_null() || event["name"] == begun.as_str(), "{event} ends {begun}");
            }
            Some("i") => {}
            other => panic!("{other:?}: {event}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "{open:?}");
    let named = |name: &str| events.iter().filter(|event| event["name"] == name).count();
    assert_eq!((named("do_anonymous_page"), named("thread_name")), (6, 6));
    let of_b: Vec<_> = events.iter().filter(|event| event["tid"] == 2 || event["tid"] == 102).take(12).collect();
    insta::assert_snapshot!(steady(&serde_json::to_string_pretty(&of_b).expect("plain data")));
}

/// Every variant that interleaver notices within a budget: as found and made simpler.
fn known_failures() -> Vec<ReplayToken> {
    let mut all = Vec::new();
    for variant in Variant::ALL.iter().copied() {
        if let Shown::By { scenario, .. } = shown_by(variant) {
            all.extend(tokens(scenario, variant));
        }
    }
    all.extend(lock_scenarios().flat_map(tokens_of_locks));
    all
}

/// Of all failures that are known: a token that was printed leads to the same failure, however often; what is made
/// simpler falls for the same reason and is no longer than before; and no line is wider than it may be.
#[test]
fn every_token_replays_its_failure_1000_times_of_1000() {
    let tokens = known_failures();
    assert!(tokens.len() > 80, "{} failures are known", tokens.len());
    let printed: Vec<(String, Failure)> = tokens.iter().map(|token| (token.to_string(), failure(token))).collect();
    let short: Vec<_> = printed.iter().filter(|(_, failure)| failure.steps.len() < 10_000).collect();
    for (text, first) in short.iter().cycle().take(1000) {
        let token: ReplayToken = text.parse().expect("a printed token can be read");
        assert_eq!(failure(&token), *first, "{text}");
    }
    for (_, failure) in &short {
        for detail in [Detail::WhatMatters, Detail::Everything] {
            let shown = plain(failure, detail);
            let wide = shown.lines().find(|line| line.chars().count() > WIDTH && !line.contains("pagerace replay"));
            assert_eq!(wide, None, "{}", failure.token);
        }
        let words = serde_json::to_string(failure).expect("plain data");
        assert!(!words.contains("0x7f") && !words.contains("/home"), "{}: an address of the host", failure.token);
        // What fails in the set-up has no race to show.
        let mut race = failure.steps_of(Phase::Race).peekable();
        assert!(race.peek().is_none() || race.any(|step| step.matters), "{}: nothing matters", failure.token);
    }
}

#[test]
fn what_is_made_simpler_fails_for_the_same_reason_with_no_more_preemptions() {
    let pairs = [("cow-parent-child", Variant::M22), ("same-pte-three", Variant::M14), ("file-readers", Variant::M29)];
    for (name, variant) in pairs {
        let all = tokens(name, variant);
        let [found, simpler] = all.as_slice() else { panic!("{name}: {} tokens", all.len()) };
        let (found, simpler) = (failure(found), failure(simpler));
        assert_eq!(found.violation.invariant, simpler.violation.invariant);
        let size = |failure: &Failure| (failure.preemptions, failure.steps.len());
        assert!(size(&simpler) < size(&found), "{name}: {:?} and {:?}", size(&simpler), size(&found));
    }
}

/// A schedule of another scenario or another build does not lead to where it was made, and that is said.
#[test]
fn a_schedule_that_does_not_fit_is_an_error() {
    let token = tokens("same-pte", Variant::M14).remove(0);
    let of = |name: &str, removed| Subject::Scenario { scenario: scenario(name), removed };
    let elsewhere = ReplayToken { subject: of("fault-munmap", Some(Variant::M14)), ..token.clone() };
    assert!(matches!(replay(&elsewhere), Err(NoReplay::DoesNotFit { .. })), "{:?}", replay(&elsewhere));
    let mut other_build = token.clone();
    other_build.recipe.fingerprint ^= 1;
    assert!(matches!(replay(&other_build), Err(NoReplay::OtherSteps { .. })));
    // The same schedule in the whole kernel: the re-check makes other steps of it.
    let mended = ReplayToken { subject: of("same-pte", None), ..token };
    assert!(!matches!(replay(&mended), Ok(Replayed::Violated(_))));
    // Nor does the order of locks that was mended deadlock.
    for scenario in lock_scenarios() {
        for token in tokens_of_locks(scenario) {
            let mended = ReplayToken { subject: Subject::LockOrder { scenario, form: Form::Fixed }, ..token };
            assert!(!matches!(replay(&mended), Ok(Replayed::Violated(_))), "{}", scenario.name);
        }
    }
}
