//! Ctrl-C: what was done is reported, and a pipe never sees a progress bar.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

#[test]
fn an_interrupted_check_reports_what_it_did() {
    let mut check = Command::new(env!("CARGO_BIN_EXE_pagerace"))
        .args(["check", "--jobs", "1"])
        .args(["same-pte", "same-pte-three-four-levels", "same-pte-three"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut lines = BufReader::new(check.stdout.take().expect("it is piped")).lines();
    // When the first scenario is done, the second is under way for long.
    let head: Vec<String> = lines.by_ref().take(2).map(|line| line.expect("text")).collect();
    assert!(head[1].starts_with("same-pte  "), "{head:?}");
    let interrupt = Command::new("kill").args(["-INT", &check.id().to_string()]).status().expect("kill is there");
    assert!(interrupt.success());
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    let mut errors = String::new();
    check.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("text");
    assert_eq!(check.wait().expect("it ends").code(), Some(130), "{rest:?}");
    assert!(rest[0].contains(" stopped "), "{rest:?}");
    assert!(rest[1].contains(" not begun "), "{rest:?}");
    assert_eq!(rest.last().map(String::as_str), Some("stopped early: 2 scenarios are not decided"));
    assert_eq!(errors, "", "a pipe is no place for a progress bar");
}
