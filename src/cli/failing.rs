//! A failing execution: among the lines of a command that found it, or in a file.

use std::fs;
use std::path::Path;

use clap::ValueEnum;

use crate::failure::{Detail, Failure, ReplayToken, Replayed, mermaid, page, perfetto, replay};

use super::output::{line, text};
use super::{Exit, usage};

/// How a failing execution is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A column for each actor, at most 100 characters wide
    Text,
    /// The failure as one JSON object: every step, with functions, object, values, place and locks
    Json,
    /// A mermaid sequence diagram
    Mermaid,
    /// Chrome trace events, for ui.perfetto.dev: the number of the step for the time
    Perfetto,
}

impl Format {
    pub(super) fn of(self, failure: &Failure, detail: Detail) -> String {
        match self {
            Self::Text => page(failure, detail).to_string(),
            Self::Json => pretty(failure),
            Self::Mermaid => mermaid(failure),
            Self::Perfetto => pretty(&perfetto(failure)),
        }
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data is JSON") + "\n"
}

/// Writes what is shown to a file, which has no colours; `Err` is how the command ends if that cannot be done.
pub(super) fn write(file: &Path, shown: &str) -> Result<(), Exit> {
    let name = file.display();
    fs::write(file, anstream::adapter::strip_str(shown).to_string())
        .map_err(|error| usage(&format!("{name} cannot be written: {error}"), "name a file in a folder that exists"))?;
    anstream::eprintln!("written to {name}");
    Ok(())
}

/// Shows what the tokens lead to: the execution as it was found, and then, if there is one, a simpler one.
pub(super) fn show(tokens: &[ReplayToken], detail: Detail) {
    let first = if tokens.len() == 1 { "As it was found; nothing simpler is known:" } else { "As it was found:" };
    for (token, title) in tokens.iter().zip([first, "Made simpler:"]) {
        match replay(token) {
            Ok(Replayed::Violated(failure)) => {
                line(format_args!("\n{title}\n"));
                text(&page(&failure, detail).to_string());
            }
            // Both are defects of the engine or of the scenario: the schedule was followed a moment ago.
            Ok(Replayed::Holds) => {
                line(format_args!("    {token} does not fail again: it depends on more than its schedule"));
            }
            Err(error) => line(format_args!("    {token} cannot be replayed: {error}")),
        }
    }
    line(format_args!(""));
}
