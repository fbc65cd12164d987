//! `pagerace replay` as a process of its own: the token of one process in another, walking, files, and mistakes.

mod process;

use std::path::PathBuf;

use process::{pagerace, printed as out};

/// The tokens that a check prints: of the failure as found, and of a simpler one.
fn printed_tokens(scenario: &str, variant: &str) -> Vec<String> {
    let checked = pagerace(&["check", scenario, "--variant", variant, "--jobs", "1"], "");
    assert_eq!(checked.status.code(), Some(1), "{}", out(&checked));
    let text = out(&checked);
    let tokens = text.lines().filter_map(|line| line.split_once("pagerace replay ")).map(|(_, token)| token.to_owned());
    tokens.collect()
}

#[test]
fn a_token_that_one_process_printed_works_in_another() {
    let tokens = printed_tokens("same-pte-three", "M14");
    assert_eq!(tokens.len(), 2, "as it was found, and made simpler");
    let checked = out(&pagerace(&["check", "same-pte-three", "--variant", "M14", "--jobs", "1"], ""));
    for token in &tokens {
        let shown = pagerace(&["replay", token], "");
        assert_eq!(shown.status.code(), Some(1));
        assert!(checked.contains(&out(&shown)), "the check shows what the replay shows: {token}");
    }
    // Everything that is told, in two processes with memory at other addresses.
    let everything = || out(&pagerace(&["replay", &tokens[1], "--format", "json"], ""));
    assert_eq!(everything(), everything());
}

#[test]
fn the_reader_walks_at_their_own_pace() {
    let token = printed_tokens("same-pte", "M14").pop().expect("a token");
    let walked = |input: &str| out(&pagerace(&["replay", &token, "--step"], input));
    let (none, three, quit) = (walked(""), walked("\n\n\n"), walked("\nq\n\n\n\n"));
    let whole = out(&pagerace(&["replay", &token], ""));
    for part in [&none, &three, &quit] {
        assert!(whole.starts_with(part.as_str()) && part.len() < whole.len(), "{part}");
    }
    assert!(none.len() < quit.len() && quit.len() < three.len());
    assert_eq!(walked(&"\n".repeat(1000)), whole, "who goes on comes to the end");
}

#[test]
fn every_form_goes_to_a_file() {
    let token = printed_tokens("same-pte", "M14").pop().expect("a token");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let forms =
        [("text", ">>>>> here"), ("json", "\"token\""), ("mermaid", "sequenceDiagram"), ("perfetto", "traceEvents")];
    for (form, word) in forms {
        let file = folder.join(format!("replay.{form}"));
        let path = file.to_str().expect("UTF-8");
        let written = pagerace(&["replay", &token, "--format", form, "--output", path], "");
        assert_eq!((written.status.code(), out(&written)), (Some(1), String::new()));
        let text = std::fs::read_to_string(&file).expect("it was written");
        assert!(text.contains(word) && !text.contains('\u{1b}'), "{form}: {text}");
        assert_eq!(out(&pagerace(&["replay", &token, "--format", form], "")), text);
    }
    let nowhere = folder.join("no such folder").join("x");
    let refused = pagerace(&["replay", &token, "--output", nowhere.to_str().expect("UTF-8")], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot be written"));
}

#[test]
fn a_check_writes_its_first_failure_as_a_replay_does() {
    let token = printed_tokens("same-pte", "M14").pop().expect("a token");
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("check.json");
    let path = file.to_str().expect("UTF-8");
    let _ = std::fs::remove_file(&file);
    let check = |names: &[&str]| pagerace(&[&["check", "--jobs", "1", "--output", path], names].concat(), "");
    let holds = check(&["same-pte"]);
    assert_eq!(holds.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&holds.stderr).contains("no execution failed") && !file.exists());
    let fails = check(&["same-pte", "read-write", "--variant", "M14", "--format", "json"]);
    assert_eq!(fails.status.code(), Some(1));
    let text = std::fs::read_to_string(&file).expect("it was written");
    assert_eq!(out(&pagerace(&["replay", &token, "--format", "json"], "")), text);
}

/// What lockdep shows of a deadlock is what its token shows in another process.
#[test]
fn the_token_of_a_lock_order_works_in_another_process() {
    let played = out(&pagerace(&["lockdep", "--scenarios"], ""));
    let tokens = played.lines().filter_map(|line| Some(line.split_once("pagerace replay ")?.1));
    let mut shown = 0;
    for token in tokens {
        let replayed = pagerace(&["replay", token], "");
        assert_eq!(replayed.status.code(), Some(1), "{token}");
        assert!(played.contains(&out(&replayed)), "{token}");
        shown += 1;
    }
    assert!(shown >= 8, "{shown} of nine lock orders deadlock");
}

#[test]
fn a_bad_token_is_one_clear_error() {
    let token = printed_tokens("same-pte", "M14").pop().expect("a token");
    let altered = token.replace("same-pte", "same-ptf");
    let mistakes = [
        ("nonsense", "this is no replay token"),
        (&token[..token.len() - 3], "damaged or cut off"),
        (&token[..20], "cut off: wanted 5 parts"),
        (altered.as_str(), "damaged"),
        ("p1~same pte", "has ' ' as its character 8"),
        ("p9~same-pte~~0x3~123456780000", "of version 'p9'"),
    ];
    for (text, words) in mistakes {
        let refused = pagerace(&["replay", text], "");
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!((refused.status.code(), error.matches("error:").count()), (Some(2), 1), "{text}: {error}");
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn colours_are_left_out_when_nobody_sees_them() {
    let token = printed_tokens("same-pte", "M14").pop().expect("a token");
    assert!(!out(&pagerace(&["replay", &token, "-v"], "")).contains('\u{1b}'));
}
