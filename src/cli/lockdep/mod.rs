//! `pagerace lockdep`.

mod orders;
mod scenarios;

use clap::Args;

use crate::locks::Graph;
use crate::platform::Watch;
use crate::platform::interleaved::Search;
use crate::scenario::{Engine, LockScenario, Verdict, check, library, lock_scenarios};

use super::interrupt::stop_flag;
use super::output::line;
use super::{Exit, usage};

/// Compare the order in which locks are taken with the documented one.
///
/// Without names, the scenario library is played, a sample of each scenario, and every order in which two
/// locks were taken is learned. It is printed beside the documented order, each step of which names the
/// function of Linux that does it. An order that was learned and does not follow from the documented one
/// is an error, and so is a documented one that was not seen though the functions are modelled.
///
/// With names or --scenarios, lock orders that went wrong are played in two forms. Of the broken one it
/// says what lockdep finds in an execution that went well, and whether an interleaving deadlocks: here it
/// is, with a column for each task and a token for `pagerace replay`; it cannot happen, and which lock
/// prevents it; or not decided within the budget.
#[derive(Debug, Args)]
pub(super) struct LockdepArgs {
    /// Lock-order scenarios to play
    #[arg(value_name = "SCENARIO")]
    names: Vec<String>,
    /// Play every lock-order scenario
    #[arg(long, conflicts_with_all = ["names", "list"])]
    scenarios: bool,
    /// List the lock-order scenarios, and play nothing
    #[arg(long)]
    list: bool,
    /// Executions of each scenario of the library that are learned from
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u64).range(1..))]
    executions: u64,
    /// Seed of the sample; the same seed gives the same schedules
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Executions of each lock-order scenario, at most
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u64).range(1..))]
    budget: u64,
    /// Print the order as a graph, for `dot -Tsvg`
    #[arg(long, conflicts_with_all = ["json", "scenarios", "names", "list"])]
    dot: bool,
    /// Print JSON: one object for each order, or for each form of a scenario
    #[arg(long)]
    json: bool,
    /// Print the orders that follow from others, too; of a deadlock, every step
    #[arg(short, long)]
    verbose: bool,
}

impl LockdepArgs {
    pub(super) fn run(self) -> Exit {
        if self.list {
            lock_scenarios().for_each(|scenario| scenarios::list(scenario, self.json));
            return Exit::Holds;
        }
        let mut chosen: Vec<&'static LockScenario> = Vec::new();
        for name in &self.names {
            match lock_scenarios().find(|scenario| scenario.name == *name) {
                Some(scenario) => chosen.push(scenario),
                None => {
                    let error = format!("there is no lock-order scenario '{name}'");
                    return usage(&error, "`pagerace lockdep --list` names them all");
                }
            }
        }
        if self.scenarios {
            chosen.extend(lock_scenarios());
        }
        if chosen.is_empty() { self.compare() } else { scenarios::play(&chosen, &self) }
    }

    /// Learns from the library and compares.
    fn compare(&self) -> Exit {
        let mut learned = Learning::default();
        let watch = Watch::new(stop_flag());
        let search = Search::Random { executions: self.executions, seed: self.seed };
        for scenario in library() {
            let report = check(scenario, Engine::Interleaver { search }, &watch);
            learned.order.merge(&report.lock_order);
            learned.executions += report.executions;
            learned.scenarios += 1;
            match report.verdict {
                Verdict::Stopped => return Exit::Interrupted,
                Verdict::Violated(words) => {
                    line(format_args!("{}: {words}\n", scenario.name));
                    learned.failed += 1;
                }
                Verdict::Holds | Verdict::HoldsPartly | Verdict::Unreached(_) | Verdict::Undeclared(_) => {}
            }
        }
        orders::tell(&learned, self)
    }
}

/// What was learned from the library.
#[derive(Debug, Default)]
struct Learning {
    order: Graph,
    executions: u64,
    scenarios: usize,
    /// Scenarios that were violated.
    failed: usize,
}
