//! The first failure of a check in a file.

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Replayed, replay};

use super::super::failing::{Format, write};
use super::super::{Exit, usage};
use super::Checked;
use super::report::Style;

/// What the command line says of that file.
#[derive(Debug, Args)]
pub(super) struct FileArgs {
    /// Write the first failure, made as simple as it could be, to a file
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    output: Option<PathBuf>,
    /// In which form it is written
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "output")]
    format: Format,
}

impl FileArgs {
    pub(super) fn is_asked_for(&self) -> bool {
        self.output.is_some()
    }

    /// Writes it, or says that there is none; `Err` is how the command ends if it cannot be written.
    pub(super) fn write(&self, style: &Style, checked: &[Checked]) -> Result<(), Exit> {
        let Some(file) = &self.output else { return Ok(()) };
        let token = checked.iter().find_map(|(scenario, report)| style.tokens(scenario, report).pop());
        let Some(token) = token else {
            anstream::eprintln!("no execution failed, so {} is not written", file.display());
            return Ok(());
        };
        match replay(&token) {
            Ok(Replayed::Violated(failure)) => write(file, &self.format.of(&failure, style.detail())),
            // A defect of the engine or of the scenario: the schedule was followed a moment ago.
            Ok(Replayed::Holds) => Err(usage(
                &format!("{token} does not fail again: it depends on more than its schedule"),
                "leave --output away",
            )),
            Err(error) => Err(usage(&error.to_string(), error.hint())),
        }
    }
}
