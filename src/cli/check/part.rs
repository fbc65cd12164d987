//! Checking a search in parts: what is taken up, and what is left behind.

use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::platform::interleaved::Part;
use crate::scenario::Left;

use super::super::{Exit, usage};
use super::Checked;
use super::report::Style;

/// What the command line says of parts.
#[derive(Debug, Args)]
#[command(next_help_heading = "In parts")]
pub(super) struct PartArgs {
    /// Executions of each scenario, at most (interleaver)
    #[arg(long, value_name = "N")]
    budget: Option<NonZeroU64>,
    /// Write down what a search that stopped has left; give it to --prefix
    #[arg(long, value_name = "FILE")]
    left: Option<PathBuf>,
    /// Deal what is left out to N files, FILE.1 to FILE.N, that can be checked at the same time
    #[arg(long, value_name = "N", requires = "left")]
    shards: Option<NonZeroUsize>,
    /// Take up what an earlier check left; several files are all the shards of one
    ///
    /// Each file carries what was counted before it, so that sums over parts equal the whole. The last
    /// part, which leaves nothing, judges the scenario.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["names", "families", "patterns"])]
    prefix: Vec<PathBuf>,
}

impl PartArgs {
    pub(super) fn is_asked_for(&self) -> bool {
        self.budget.is_some() || self.left.is_some() || !self.prefix.is_empty()
    }

    /// The search that is to be taken up, if one is.
    pub(super) fn taken_up(&self) -> Result<Option<Left>, Exit> {
        if self.prefix.is_empty() {
            return Ok(None);
        }
        let parts = self.prefix.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        let merged = Left::merge(parts).map_err(|error| {
            usage(&error.to_string(), "give --prefix one file, or each of the files that --shards wrote, once")
        })?;
        Ok(Some(merged))
    }

    /// The part of one scenario's search that is checked now.
    pub(super) fn of(&self, jobs: usize, taken_up: Option<&Left>) -> (Part, BTreeMap<String, u64>) {
        let budget = self.budget.map(NonZeroU64::get);
        let from = taken_up.map(|left| left.frontier.clone());
        (Part { jobs, budget, from }, taken_up.map_or_else(BTreeMap::new, |left| left.reached.clone()))
    }

    /// What may not stand beside these options.
    pub(super) fn refuse(&self, scenarios: usize) -> Option<Exit> {
        (self.left.is_some() && scenarios != 1).then(|| {
            usage(
                "--left writes down what is left of one scenario",
                "name the scenario: `pagerace check --left FILE NAME`",
            )
        })
    }

    /// Says what was counted and what is left, and writes it down if that is asked for.
    pub(super) fn conclude(&self, style: &Style, (scenario, report): &Checked, before: u64) -> Result<(), Exit> {
        let executions = before + report.executions;
        if before > 0 {
            style.say(format_args!("with the parts before: {executions} executions"));
        }
        let Some(frontier) = report.left.clone() else { return Ok(()) };
        let of = if frontier.is_shard() { "of this shard, to be merged with the others" } else { "in all" };
        style.say(format_args!("left: {} branches {of}; each is one execution or more", frontier.branches()));
        let Some(path) = &self.left else { return Ok(()) };
        let left = Left { scenario, executions, reached: report.reached.clone(), frontier };
        match self.shards {
            None => write(style, path, &left),
            Some(_) if left.frontier.is_shard() => Err(usage(
                "a shard cannot be dealt out again before it is merged with the others",
                "take all shards up together: `pagerace check --prefix FILE.1 FILE.2 ...`",
            )),
            Some(shards) => {
                let files = (1..).map(|number| format!("{}.{number}", path.display()));
                let mut each = left.split(shards.get()).into_iter().zip(files);
                each.try_for_each(|(shard, file)| write(style, Path::new(&file), &shard))
            }
        }
    }
}

fn read(path: &Path) -> Result<Left, Exit> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| usage(&format!("cannot read {name}: {error}"), "--prefix takes a file that --left wrote"))?;
    Left::from_text(&text)
        .map_err(|error| usage(&format!("{name}: {error}"), "--prefix takes a file that --left wrote, unchanged"))
}

fn write(style: &Style, path: &Path, left: &Left) -> Result<(), Exit> {
    let name = path.display();
    fs::write(path, left.to_text())
        .map_err(|error| usage(&format!("cannot write {name}: {error}"), "give --left a place that can be written"))?;
    style.say(format_args!("written to {name}: go on with `pagerace check --prefix {name}`"));
    Ok(())
}
