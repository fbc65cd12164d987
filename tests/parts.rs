//! `pagerace check` in parts: what is left behind is taken up, and the sums are those of the whole.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn check(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagerace"));
    command.current_dir(folder).arg("check").args(arguments.split(' ')).output().expect("it runs")
}

/// Executions of the one scenario that was checked, and the exit code.
fn counted(folder: &Path, arguments: &str) -> (u64, i32) {
    let output = check(folder, &format!("{arguments} --json"));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else");
    let executions = line["executions"].as_u64().expect("a count");
    (executions, output.status.code().expect("no signal ended it"))
}

const UNDECIDED: i32 = 3;

/// What one run counts.
fn whole(folder: &Path) -> u64 {
    let (executions, code) = counted(folder, "same-pte-four-levels");
    assert_eq!(code, 0);
    executions
}

#[test]
fn a_search_goes_on_where_its_budget_ended() {
    let folder = folder("goes_on");
    assert_eq!(counted(&folder, "same-pte-four-levels --budget 150 --left rest"), (150, UNDECIDED));
    assert_eq!(counted(&folder, "--prefix rest --budget 150 --left rest"), (150, UNDECIDED));
    assert_eq!(counted(&folder, "--prefix rest"), (whole(&folder) - 300, 0));
}

#[test]
fn shards_sum_up_to_the_whole() {
    let folder = folder("shards");
    let mut sum = counted(&folder, "same-pte-four-levels --budget 10 --left all --shards 3").0;
    loop {
        for shard in 1..=3 {
            let (executions, code) = counted(&folder, &format!("--prefix all.{shard} --budget 60 --left done.{shard}"));
            assert_eq!(code, UNDECIDED);
            sum += executions;
        }
        let (executions, code) = counted(&folder, "--prefix done.1 done.2 done.3 --budget 1 --left all --shards 3");
        sum += executions;
        if code == 0 {
            break;
        }
    }
    assert_eq!(sum, whole(&folder));
}

#[test]
fn people_are_told_how_to_go_on() {
    let folder = folder("told");
    let output = check(&folder, "same-pte-four-levels --budget 5 --left rest");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("written to rest: go on with `pagerace check --prefix rest`"), "{text}");
    let output = check(&folder, "--prefix rest");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains(&format!("with the parts before: {} executions", whole(&folder))), "{text}");
    assert!(text.contains("1 of 1 scenarios hold"), "{text}");
}

/// What it says of wrong arguments.
fn refused(folder: &Path, arguments: &str) -> String {
    let output = check(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn mistakes_are_named() {
    let folder = folder("mistakes");
    std::fs::write(folder.join("text"), "hello").expect("the folder can be written");
    assert!(refused(&folder, "--prefix nowhere").contains("cannot read nowhere"));
    assert!(refused(&folder, "--prefix text").contains("this is not a file that `pagerace check --left` wrote"));
    assert!(refused(&folder, "--budget 3 --left rest").contains("name the scenario"));
    assert!(refused(&folder, "--budget 3 --engine loom").contains("leave out --engine"));
    assert!(refused(&folder, "same-pte --budget 0").contains("--budget"));
    assert_eq!(counted(&folder, "same-pte-four-levels --budget 5 --left a --shards 2").1, UNDECIDED);
    assert!(refused(&folder, "--prefix a.1 a.1").contains("a shard is missing or stands there twice"));
    assert!(refused(&folder, "--prefix a.1 --budget 1 --left b --shards 2").contains("before it is merged"));
}
