//! `pagerace variants`.

use clap::Args;

use crate::platform::{Variant, Watch};
use crate::scenario::{Shown, shown_by, try_variant};

use super::interrupt::stop_flag;
use super::output::line;
use super::{Exit, usage};

/// Remove re-checks and orderings of the fault path by name, and see whether the library notices.
#[derive(Debug, Args)]
pub(super) struct VariantsArgs {
    /// Variants to try; without --all, those that are named are tried, and without names all are listed
    #[arg(value_name = "VARIANT")]
    names: Vec<String>,
    /// Try them all
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Executions of each scenario, at most
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    budget: u64,
}

impl VariantsArgs {
    pub(super) fn run(self) -> Exit {
        let mut chosen = Vec::new();
        for name in &self.names {
            match Variant::find(name) {
                Some(variant) => chosen.push(variant),
                None => return usage(&format!("there is no variant '{name}'"), "`pagerace variants` names them all"),
            }
        }
        if chosen.is_empty() && !self.all {
            list();
            return Exit::Holds;
        }
        let chosen = if self.all { Variant::ALL.to_vec() } else { chosen };
        for variant in chosen {
            let trial = try_variant(variant, self.budget, 2, &Watch::new(stop_flag()));
            let name = variant.name();
            match trial.killed {
                Some(killed) => {
                    let found = killed.found.lines().next().unwrap_or_default().chars().take(70).collect::<String>();
                    line(format_args!(
                        "{name:<18}killed    {:<24}{:>8}  {found}",
                        killed.scenario.name, killed.executions
                    ));
                }
                None => line(format_args!(
                    "{name:<18}survived  {} scenarios, {} undecided, {} executions, {:.1}s",
                    trial.scenarios,
                    trial.undecided,
                    trial.executions,
                    trial.elapsed.as_secs_f64()
                )),
            }
        }
        Exit::Holds
    }
}

fn list() {
    for variant in Variant::ALL {
        let shown = match shown_by(*variant) {
            Shown::By { falls, .. } => falls,
            Shown::Never { .. } => "-",
        };
        line(format_args!("{:<18}{:<8}{}: {}", variant.name(), shown, variant.place(), variant.removes()));
    }
}
