//! Standard output that may end before we do.

use std::fmt;
use std::io::{self, Write as _};
use std::process;

/// What a shell reports of a process that SIGPIPE ended.
const BROKEN_PIPE: i32 = 141;

/// Prints a line at once. If nobody can read it, the process ends: there is nothing left to say and nobody to say it
/// to.
pub(super) fn line(words: fmt::Arguments<'_>) {
    let mut out = anstream::stdout();
    if let Err(error) = writeln!(out, "{words}").and_then(|()| out.flush()) {
        give_up(&error);
    }
}

/// Prints text that ends its own lines, in the same way.
pub(super) fn text(words: &str) {
    let mut out = anstream::stdout();
    if let Err(error) = write!(out, "{words}").and_then(|()| out.flush()) {
        give_up(&error);
    }
}

fn give_up(error: &io::Error) -> ! {
    if error.kind() == io::ErrorKind::BrokenPipe {
        process::exit(BROKEN_PIPE);
    }
    let _ = writeln!(anstream::stderr(), "error: cannot write the results: {error}");
    process::exit(2)
}
