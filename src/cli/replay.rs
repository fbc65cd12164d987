//! `pagerace replay`.

use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::PathBuf;

use clap::Args;

use crate::failure::{Detail, Failure, Page, ReplayToken, Replayed, page, replay};

use super::failing::{Format, write};
use super::output::{line, text};
use super::{Exit, usage};

/// Play one failing execution again, exactly.
///
/// `pagerace check` prints a token with each failure, and `pagerace lockdep` with each deadlock. It holds
/// the scenario, what was removed from the kernel, and every choice of the schedule, so that the
/// execution is the same in any process of the same build. A token that does not fit this build is an
/// error.
///
/// The text has a column for each actor. Shown is what bears on the race: locks and words that several
/// actors use, and the functions on the way to them; -v shows everything.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing fails under this schedule, 1 it fails, 2 bad usage or a bad token.")]
pub(super) struct Replay {
    /// What `pagerace check` or `pagerace lockdep` printed: p1~scenario~variant~schedule~sums
    #[arg(value_name = "TOKEN")]
    token: String,
    /// Show one step after the other: Enter goes on, q ends
    #[arg(long, conflicts_with_all = ["output"])]
    step: bool,
    /// Show every step, with arguments, plain accesses, the set-up and the oracle
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    to: To,
}

/// In which form, and where to.
#[derive(Clone, Debug, Args)]
struct To {
    /// How a failure is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write it to a file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Replay {
    pub(super) fn run(self) -> Exit {
        let token: ReplayToken = match self.token.parse() {
            Ok(token) => token,
            Err(error) => return usage(&error.to_string(), error.hint()),
        };
        if self.step && self.to.format != Format::Text {
            return usage("--step shows text", "leave --format away");
        }
        let failure = match replay(&token) {
            Ok(Replayed::Violated(failure)) => failure,
            Ok(Replayed::Holds) => {
                line(format_args!("nothing fails under this schedule"));
                return Exit::Holds;
            }
            Err(error) => return usage(&error.to_string(), error.hint()),
        };
        let detail = if self.verbose { Detail::Everything } else { Detail::WhatMatters };
        if self.step {
            walk(&page(&failure, detail));
            return Exit::Violated;
        }
        self.to.show(&failure, detail).err().unwrap_or(Exit::Violated)
    }
}

impl To {
    /// Shows the failure; `Err` is how the command ends if it cannot be written.
    fn show(&self, failure: &Failure, detail: Detail) -> Result<(), Exit> {
        let shown = self.format.of(failure, detail);
        match &self.output {
            None => {
                text(&shown);
                Ok(())
            }
            Some(file) => write(file, &shown),
        }
    }
}

/// Shows row after row, as the reader asks for them.
fn walk(page: &Page) {
    let is_terminal = io::stdin().is_terminal();
    let mut lines = io::stdin().lock().lines();
    text(&page.head);
    for row in &page.rows {
        text(row);
        if is_terminal {
            let mut prompt = anstream::stderr();
            let _ = write!(prompt, "Enter: on, q: end ").and_then(|()| prompt.flush());
        }
        match lines.next() {
            Some(Ok(answer)) if answer.trim() != "q" => {}
            _ => return,
        }
    }
    text(&page.end);
}
