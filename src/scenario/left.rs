//! What is left of a scenario's search, as a file that another run takes up.
//!
//! ```text
//!   run --budget--> file --take up--> file --take up--> ... nothing left: the whole is judged
//!                     \--split--> shards, each taken up by itself, anywhere
//!                                   \--merge--> file
//! ```
//!
//! A file carries what was counted before it: the sums over shards equal the whole, and so do the outcomes, on which
//! the last run judges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::platform::interleaved::{BadFrontier, BadMerge, Frontier};

use super::definition::Scenario;
use super::library::library;

/// The part of a search that is left, and what was counted by then.
#[derive(Clone, Debug)]
pub struct Left {
    /// Whose search it is.
    pub scenario: &'static Scenario,
    /// Executions counted so far.
    pub executions: u64,
    /// How often each outcome was reached so far.
    pub reached: BTreeMap<String, u64>,
    /// What is left.
    pub frontier: Frontier,
}

/// Why a text is not what is left of a search, or texts do not belong together.
#[derive(Debug, Error)]
pub enum BadLeft {
    /// It is no such file.
    #[error("this is not a file that `pagerace check --left` wrote: {0}")]
    Format(#[from] serde_json::Error),
    /// It was written by another version.
    #[error("the file has format {0}, and this version of pagerace reads format {FORMAT}")]
    Version(u32),
    /// The scenario is not in the library.
    #[error("the file is about a scenario '{0}', which this version of pagerace does not have")]
    Scenario(String),
    /// What is left is unreadable.
    #[error(transparent)]
    Frontier(#[from] BadFrontier),
    /// Files of two scenarios.
    #[error("the files are about two scenarios, '{0}' and '{1}'")]
    Scenarios(&'static str, &'static str),
    /// Files that do not belong together.
    #[error(transparent)]
    Merge(#[from] BadMerge),
}

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    pagerace_left: u32,
    scenario: String,
    executions: u64,
    reached: BTreeMap<String, u64>,
    frontier: Vec<String>,
}

impl Left {
    /// As the text of a file.
    ///
    /// # Panics
    /// Never: plain data is JSON.
    pub fn to_text(&self) -> String {
        let file = File {
            pagerace_left: FORMAT,
            scenario: self.scenario.name.to_owned(),
            executions: self.executions,
            reached: self.reached.clone(),
            frontier: self.frontier.to_string().lines().map(str::to_owned).collect(),
        };
        serde_json::to_string_pretty(&file).expect("plain data is JSON")
    }

    /// From the text of a file.
    ///
    /// # Errors
    /// If it is none that [`Left::to_text`] gave.
    pub fn from_text(text: &str) -> Result<Self, BadLeft> {
        let file: File = serde_json::from_str(text)?;
        if file.pagerace_left != FORMAT {
            return Err(BadLeft::Version(file.pagerace_left));
        }
        let scenario = library().find(|scenario| scenario.name == file.scenario);
        Ok(Self {
            scenario: scenario.ok_or(BadLeft::Scenario(file.scenario))?,
            executions: file.executions,
            reached: file.reached,
            frontier: file.frontier.join("\n").parse()?,
        })
    }

    /// Deals what is left out to so many shards. The first one carries what was counted.
    ///
    /// # Panics
    /// If `shards` is 0, or this is a shard.
    pub fn split(self, shards: usize) -> Vec<Self> {
        let part = |(index, frontier)| match index {
            0 => Self { frontier, reached: self.reached.clone(), ..self },
            _ => Self { frontier, reached: BTreeMap::new(), executions: 0, ..self },
        };
        self.frontier.split(shards).into_iter().enumerate().map(part).collect()
    }

    /// One file, or the shards of one split put together.
    ///
    /// # Errors
    /// If they do not belong together, or some are missing.
    pub fn merge(parts: Vec<Self>) -> Result<Self, BadLeft> {
        let Some(first) = parts.first() else { return Err(BadMerge::Nothing.into()) };
        if let [only] = parts.as_slice() {
            return Ok(only.clone());
        }
        if let Some(other) = parts.iter().find(|part| part.scenario.name != first.scenario.name) {
            return Err(BadLeft::Scenarios(first.scenario.name, other.scenario.name));
        }
        let frontiers: Vec<_> = parts.iter().map(|part| part.frontier.clone()).collect();
        let mut reached = BTreeMap::new();
        for (outcome, count) in parts.iter().flat_map(|part| &part.reached) {
            *reached.entry(outcome.clone()).or_default() += count;
        }
        let executions = parts.iter().map(|part| part.executions).sum();
        Ok(Self { scenario: first.scenario, executions, reached, frontier: Frontier::merge(&frontiers)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Watch;
    use crate::platform::interleaved::{Part, Search};
    use crate::scenario::{Engine, Verdict, check, check_part};

    const EVERYTHING: Engine = Engine::Interleaver { search: Search::Everything };

    /// Runs a part; what is left with the sums, or the judgement on the whole.
    fn run(part: Left, budget: u64) -> Result<Left, (Verdict, u64)> {
        let Left { scenario, executions, reached, frontier } = part;
        let part = Part { jobs: 1, budget: Some(budget), from: Some(frontier) };
        let report = check_part(scenario, EVERYTHING, part, &reached, &Watch::default());
        let executions = executions + report.executions;
        match report.left {
            Some(frontier) => Ok(Left { scenario, executions, reached: report.reached, frontier }),
            None => Err((report.verdict, executions)),
        }
    }

    fn scenario() -> &'static Scenario {
        library().find(|scenario| scenario.name == "same-pte-four-levels").expect("it is in the library")
    }

    /// What one run counts.
    fn whole() -> u64 {
        check(scenario(), EVERYTHING, &Watch::default()).executions
    }

    fn begun() -> Left {
        let scenario = scenario();
        let part = Part { jobs: 1, budget: Some(3), from: None };
        let report = check_part(scenario, EVERYTHING, part, &BTreeMap::new(), &Watch::default());
        assert_eq!((report.verdict, report.executions), (Verdict::Stopped, 3));
        let frontier = report.left.expect("there are hundreds");
        Left { scenario, executions: 3, reached: report.reached, frontier }
    }

    fn written_and_read(left: &Left) -> Left {
        Left::from_text(&left.to_text()).expect("we wrote it")
    }

    #[test]
    fn parts_taken_up_one_after_the_other_come_to_the_judgement_on_the_whole() {
        let mut left = begun();
        let (verdict, executions) = loop {
            match run(written_and_read(&left), 90) {
                Ok(rest) => left = rest,
                Err(judged) => break judged,
            }
        };
        assert_eq!((verdict, executions), (Verdict::Holds, whole()));
    }

    #[test]
    fn shards_come_to_the_judgement_on_the_whole() {
        let mut left = begun();
        while left.frontier.branches() > 0 {
            let explore = |shard: Left| run(written_and_read(&shard), 50).expect("a shard leaves what it deferred");
            let shards = left.split(3).into_iter().map(explore).collect();
            left = Left::merge(shards).expect("they are the shards of one split");
        }
        let judged = run(left, 1).expect_err("nothing is left");
        assert_eq!(judged, (Verdict::Holds, whole()));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let left = begun();
        let text = left.to_text();
        let refused = |text: &str| Left::from_text(text).expect_err("it is wrong").to_string();
        assert!(refused("{}").contains("pagerace check --left"));
        let other = text.replace("\"pagerace_left\": 1", "\"pagerace_left\": 9");
        assert_eq!(refused(&other), "the file has format 9, and this version of pagerace reads format 1");
        assert!(refused(&text.replace("same-pte-four-levels", "no-such")).contains("'no-such'"));
        assert!(refused(&text.replace("ilf2", "ilf7")).contains("version ilf2"));
        let mut shards = left.split(2);
        shards.pop();
        shards.push(shards[0].clone());
        assert!(matches!(Left::merge(shards), Err(BadLeft::Merge(BadMerge::Incomplete))));
    }
}
