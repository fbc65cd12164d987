//! The command `pagerace`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pagerace::cli::main()
}
