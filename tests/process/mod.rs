//! The command as a process of its own.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs it to its end, with this on its standard input.
pub fn pagerace(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagerace"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the command runs");
    // A process that ends early reads nothing.
    let _ = process.stdin.take().expect("it is piped").write_all(input.as_bytes());
    process.wait_with_output().expect("the command ends")
}

/// What it printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}
