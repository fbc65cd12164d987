//! The way that `docs/reading-a-counterexample.md` goes: from a check to its token, and from the token to every form.
//! The page itself leaves the tokens out, since they change with the kernel's code.

use super::process::{pagerace, printed as text};

const PAGE: &str = include_str!("../../docs/reading-a-counterexample.md");

/// The commands of the page in which a token stands for itself.
fn commands_with_a_token() -> Vec<&'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("pagerace replay TOKEN")).collect()
}

/// The token, taken from the JSON as the page says.
fn token() -> String {
    let check = ["check", "--jobs", "1", "--variant", "M14", "--json", "same-pte"];
    assert!(PAGE.contains(&format!("$ pagerace {}", check[..5].join(" "))), "the page shows this check");
    let checked = pagerace(&check, "");
    assert_eq!(checked.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("it is JSON");
    report["replay"].as_str().expect("a check that fails has a token").to_owned()
}

#[test]
fn every_replay_on_the_page_shows_the_failure() {
    let token = token();
    let expected = [
        ("", ">>>>> here, when all actors are done: D15"),
        (" --step", ">>>>> here, when all actors are done: D15"),
        (" -v", "pcp->lock"),
        (" --format json", "\"invariant\": \"D15\""),
        (" --format mermaid", "sequenceDiagram"),
        (" --format perfetto", "\"traceEvents\""),
    ];
    assert_eq!(commands_with_a_token(), expected.map(|(options, _)| options));
    for (options, words) in expected {
        let arguments: Vec<&str> = ["replay", &token].into_iter().chain(options.split_whitespace()).collect();
        let replayed = pagerace(&arguments, &"\n".repeat(1000));
        assert_eq!(replayed.status.code(), Some(1), "{options}");
        assert!(text(&replayed).contains(words), "{options}: {}", text(&replayed));
    }
}

#[test]
fn the_replay_is_what_the_check_showed() {
    let checked = text(&pagerace(&["check", "--jobs", "1", "--variant", "M14", "same-pte"], ""));
    assert!(checked.contains(&text(&pagerace(&["replay", &token()], ""))));
}
