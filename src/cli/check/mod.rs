//! `pagerace check`.

mod bar;
mod file;
mod part;
mod report;
mod selection;
mod windows;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use crate::platform::Variant;
use crate::platform::interleaved::{Part, Search};
use crate::scenario::{CheckReport, Engine, Left, Scenario, check, check_part, check_without};

use super::parse::{jobs, variant};
use super::{Exit, usage};
use bar::Watches;
use file::FileArgs;
use part::PartArgs;
use report::Style;
use selection::{NoneChosen, Selection};
use windows::{AllLost, Of};

/// Run the scenario library under a model checker.
///
/// Each scenario is a small world with two or three threads. The checker runs it under every schedule
/// within the extent that its line shows, evaluates the invariants at the end of each execution, and
/// compares the outcomes with those that the scenario declares. Ctrl-C ends it early: what was done is
/// reported, with an estimate of the whole from the branches that were known by then.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    selection: Selection,
    /// List the chosen scenarios with their families and what they claim, and run nothing
    #[arg(long)]
    list: bool,
    /// Who schedules the threads
    #[arg(long, value_enum, default_value_t = EngineName::Interleaver)]
    engine: EngineName,
    /// Threads of this process; as many as there are cores if not given
    ///
    /// The interleaver's threads share the search of one scenario after the other. Other engines check so
    /// many scenarios at a time.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Preemptions in one execution, at most
    ///
    /// The interleaver takes the bounds 0, 1, 2 .. N in turn, says of each whether it reached a new
    /// outcome, and ends at the first failure, which so has the fewest preemptions. It then enumerates
    /// schedules one by one: its reduction does not go with a bound, so that 3 can take longer than no
    /// bound at all. For loom, N stands in place of each scenario's own bound.
    #[arg(long, value_name = "N")]
    preemptions: Option<u8>,
    /// Executions of each scenario, for pct and random
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    executions: u64,
    /// Seed, for pct and random; the same seed gives the same schedules
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Depth of the bug that pct aims at
    #[arg(long, value_name = "DEPTH", default_value_t = 3)]
    depth: u32,
    /// Remove a re-check, a step or an ordering by name; `pagerace variants` lists them
    #[arg(long, value_name = "VARIANT", value_parser = variant)]
    #[arg(conflicts_with_all = ["budget", "left", "shards", "prefix"])]
    variant: Option<Variant>,
    /// Show how often each re-check held and how often it lost its race
    ///
    /// Over the whole library, one that was never lost is an error, unless there is a known reason.
    #[arg(long)]
    windows: bool,
    /// Show every outcome and how often it was reached, and how often each invariant was evaluated
    #[arg(short, long)]
    verbose: bool,
    /// Print one JSON object for each scenario instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    part: PartArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// The model checker of this project: every interleaving, once each
    Interleaver,
    /// The loom crate: stale reads too, within a bound on preemptions where the world is too large for it
    Loom,
    /// Random priorities: a sample that finds a bug of a given depth with a known probability
    Pct,
    /// Random walks: a sample
    Random,
}

type Checked = (&'static Scenario, CheckReport);

impl Check {
    pub(super) fn run(self) -> Exit {
        let chosen = match self.selection.scenarios() {
            Ok(chosen) => chosen,
            Err(NoneChosen { error, hint }) => return usage(&error, &hint),
        };
        if self.preemptions.is_some() && matches!(self.engine, EngineName::Pct | EngineName::Random) {
            return usage("a sample has no bound on preemptions", "use --executions N with this engine");
        }
        if self.part.is_asked_for() && (self.engine != EngineName::Interleaver || self.preemptions.is_some()) {
            return usage(
                "only the whole search of the interleaver can be checked in parts",
                "leave out --engine and --preemptions, or --budget, --left and --prefix",
            );
        }
        if self.engine == EngineName::Loom && self.variant.is_some_and(Variant::guards_host_memory) {
            return usage(
                "under loom a reader without this ordering could read memory that the checker has freed",
                "remove it from the interleaver's executions: leave out --engine",
            );
        }
        if self.file.is_asked_for() && self.engine == EngineName::Loom {
            return usage("loom does not tell the execution that failed", "use another engine, or leave --output away");
        }
        if let Some(error) = self.bad_environment() {
            return usage(&error, "unset the variable, or give it a whole number");
        }
        match self.part.taken_up() {
            Ok(Some(left)) => self.check_and_conclude(&[left.scenario], Some(&left)),
            Ok(None) => self.check_and_conclude(&chosen, None),
            Err(exit) => exit,
        }
    }

    fn check_and_conclude(&self, chosen: &[&'static Scenario], taken_up: Option<&Left>) -> Exit {
        if self.list {
            let style = self.style();
            chosen.iter().for_each(|scenario| style.list(scenario));
            return Exit::Holds;
        }
        if let Some(exit) = self.part.refuse(chosen.len()) {
            return exit;
        }
        let checked = self.check_all(chosen, taken_up);
        let mut exit = self.style().conclude(chosen.len(), &checked);
        if self.windows {
            let is_library = self.selection.is_everything() && taken_up.is_none();
            let of = if is_library { Of::TheLibrary } else { Of::SomeScenarios };
            let lost = windows::tell(&checked, of, self.json);
            if is_library && lost == AllLost::No && exit == Exit::Holds {
                self.style().say(format_args!("a window that is never lost: no scenario looks at that race"));
                exit = Exit::Violated;
            }
        }
        if let Err(failed) = self.file.write(&self.style(), &checked) {
            return failed;
        }
        let before = taken_up.map_or(0, |left| left.executions);
        match checked.as_slice() {
            [only] if self.part.is_asked_for() => self.part.conclude(&self.style(), only, before).err().unwrap_or(exit),
            _ => exit,
        }
    }

    /// loom reads these itself, and panics at what it does not understand.
    fn bad_environment(&self) -> Option<String> {
        const NUMBERS: [&str; 5] = [
            "LOOM_MAX_PREEMPTIONS",
            "LOOM_MAX_BRANCHES",
            "LOOM_MAX_PERMUTATIONS",
            "LOOM_MAX_DURATION",
            "LOOM_CHECKPOINT_INTERVAL",
        ];
        if self.engine != EngineName::Loom {
            return None;
        }
        let is_wrong = |name: &str, value: &str| match name {
            "LOOM_MAX_PREEMPTIONS" => value.parse::<u8>().is_err(),
            _ => value.parse::<u32>().is_err(),
        };
        NUMBERS.into_iter().find_map(|name| {
            let value = std::env::var(name).ok().filter(|value| is_wrong(name, value))?;
            Some(format!("{name} is '{value}', which loom cannot use"))
        })
    }

    fn style(&self) -> Style {
        let undecided = if self.part.is_asked_for() { Exit::Undecided } else { Exit::Interrupted };
        Style {
            json: self.json,
            verbose: self.verbose,
            engine: self.engine.name(),
            removed: self.variant,
            again: self.again(),
            undecided,
        }
    }

    /// The command that does the same with one scenario.
    fn again(&self) -> String {
        let mut words = format!("pagerace check --engine {}", self.engine.name());
        if let Some(preemptions) = self.preemptions {
            words += &format!(" --preemptions {preemptions}");
        }
        if let Some(variant) = self.variant {
            words += &format!(" --variant {}", variant.name());
        }
        let (executions, seed, depth) = (self.executions, self.seed, self.depth);
        match self.engine {
            EngineName::Interleaver | EngineName::Loom => {}
            EngineName::Random => words += &format!(" --executions {executions} --seed {seed}"),
            EngineName::Pct => words += &format!(" --executions {executions} --seed {seed} --depth {depth}"),
        }
        words
    }

    fn jobs(&self) -> usize {
        jobs(self.jobs)
    }

    fn engine(&self) -> Engine {
        let (executions, seed, depth) = (self.executions, self.seed, self.depth);
        let search = match self.engine {
            EngineName::Loom => return Engine::Loom { preemptions: self.preemptions },
            EngineName::Interleaver => {
                self.preemptions.map_or(Search::Everything, |most| Search::Preemptions(usize::from(most)))
            }
            EngineName::Random => Search::Random { executions, seed },
            EngineName::Pct => Search::Pct { executions, seed, depth },
        };
        Engine::Interleaver { search }
    }

    /// Checks all, and prints each line as soon as those before it are printed.
    fn check_all(&self, chosen: &[&'static Scenario], taken_up: Option<&Left>) -> Vec<Checked> {
        let engine = self.engine();
        let shared = engine == Engine::Interleaver { search: Search::Everything };
        let (side_by_side, sharing) = if shared { (1, self.jobs()) } else { (self.jobs(), 1) };
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(side_by_side).build().expect("the host has a few threads");
        let watches = Watches::on(chosen);
        let bar = watches.show();
        let style = self.style();
        style.head();
        let (sender, finished) = mpsc::channel();
        let checked = thread::scope(|scope| {
            let printer = scope.spawn(|| print_in_order(&style, finished, &bar));
            pool.install(|| {
                let each = chosen.par_iter().enumerate().with_max_len(1);
                each.for_each_with(sender, |sender, (index, scenario)| {
                    let watch = watches.of(index);
                    let report = if self.variant.is_some() {
                        check_without(scenario, self.variant, engine, Part::whole(sharing), watch)
                    } else if shared {
                        let (part, reached) = self.part.of(sharing, taken_up);
                        check_part(scenario, engine, part, &reached, watch)
                    } else {
                        check(scenario, engine, watch)
                    };
                    watches.of(index).finish();
                    sender.send((index, (*scenario, report))).expect("the printer outlives all senders");
                });
            });
            printer.join().expect("printing does not panic")
        });
        bar.finish_and_clear();
        checked
    }
}

impl EngineName {
    fn name(self) -> &'static str {
        match self {
            Self::Interleaver => "interleaver",
            Self::Loom => "loom",
            Self::Pct => "pct",
            Self::Random => "random",
        }
    }
}

fn print_in_order(style: &Style, finished: Receiver<(usize, Checked)>, bar: &ProgressBar) -> Vec<Checked> {
    let mut waiting = BTreeMap::new();
    let mut printed = Vec::new();
    for (index, checked) in finished {
        waiting.insert(index, checked);
        while let Some(checked) = waiting.remove(&printed.len()) {
            bar.suspend(|| style.line(&checked));
            printed.push(checked);
        }
    }
    printed
}
