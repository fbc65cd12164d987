//! Choices of the environment.

use super::common::{check, fails, many, passes_in, results};
use interleaver::{Builder, choose};
use std::collections::BTreeSet;

#[test]
fn every_combination_of_choices_is_explored_once() {
    let code = || (choose(2), choose(3), choose(1));
    passes_in(6, &check(move || _ = code()));
    let all = (0..6).map(|i| (i / 3, i % 3, 0));
    assert_eq!(results(&Builder::new(), code), BTreeSet::from_iter(all));
}

#[test]
fn choices_of_two_threads_have_no_order() {
    passes_in(9, &check(|| many(2, (), |(), _| _ = choose(3))));
}

#[test]
fn a_choice_may_follow_from_another() {
    // 0 ends it; 1 and 2 are followed by as many.
    passes_in(
        1 + 1 + 2,
        &check(|| {
            let first = choose(3);
            if first > 0 {
                choose(first);
            }
        }),
    );
}

#[test]
fn nothing_to_choose_from_is_a_panic() {
    let report = check(|| _ = choose(0));
    fails("panic", &report);
    assert!(report.to_string().contains("choose wants 1 to 65535 possibilities, got 0"), "{report}");
}

#[test]
fn a_failing_choice_is_in_the_replay_token() {
    let code = || assert_ne!(choose(4), 2, "the third");
    let report = check(code);
    let token = report.expect_failure().token.clone();
    assert!(token.to_string().ends_with(":0.2"), "{token}");
    fails("panic", &Builder::new().replay(&token, code));
}
