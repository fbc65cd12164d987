//! Standard output that may end before we do.

use std::fmt;
use std::io::{self, Write as _};
use std::process;

use crate::failure::{WIDTH, wrap};

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

/// Prints a text in lines that fit, `margin` characters from the left; where one must go on below, `hang` further. A
/// text of several lines keeps its shape.
pub(super) fn paragraph(words: &str, (margin, hang): (usize, usize)) {
    for words in words.lines() {
        let room = WIDTH - margin;
        if words.chars().count() <= room {
            line(format_args!("{}", format!("{:margin$}{words}", "").trim_end()));
            continue;
        }
        let indent = (words.len() - words.trim_start().len()).min(WIDTH / 2);
        let wrapped = wrap(words, room - indent, hang);
        wrapped.iter().for_each(|words| line(format_args!("{:margin$}{:indent$}{words}", "", "")));
    }
}

fn give_up(error: &io::Error) -> ! {
    if error.kind() == io::ErrorKind::BrokenPipe {
        process::exit(BROKEN_PIPE);
    }
    let _ = writeln!(anstream::stderr(), "error: cannot write the results: {error}");
    process::exit(2)
}
