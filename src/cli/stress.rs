//! `pagerace stress`.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::platform::Variant;
use crate::stress::{Programs, Stress, Stressed, stress};

use super::Exit;
use super::flood::seconds;
use super::interrupt::stop_flag;
use super::output::line;
use super::parse::variant;
use super::progress::{Shown, show};

/// Play random programs of the actors on real threads, and ask the oracle between their phases.
///
/// A checker goes through every schedule of a small world; this goes through few schedules of many
/// worlds. The seed decides the programs, and the host the schedule: a failure names the seed of its
/// program, and --same plays that one again and again.
#[derive(Debug, Args)]
pub(super) struct StressArgs {
    /// Threads that play each program
    #[arg(long, value_name = "N", default_value = "2", value_parser = threads)]
    threads: NonZeroUsize,
    /// How long
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    seconds: Duration,
    /// The seed of the first program; the others have the next ones. Without it, the clock decides
    #[arg(long, value_name = "K")]
    seed: Option<u64>,
    /// Play the program of --seed again and again
    #[arg(long, requires = "seed")]
    same: bool,
    /// Remove a re-check, step or ordering from the kernel: `pagerace variants` names them
    #[arg(long, value_name = "NAME", value_parser = variant)]
    variant: Option<Variant>,
    /// Print one JSON object instead of words
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Line<'a> {
    threads: usize,
    seed: u64,
    variant: Option<&'a str>,
    programs: u64,
    operations: u64,
    seconds: f64,
    facts_checked: u64,
    failed_seed: Option<u64>,
    failure: Option<String>,
    doing: &'a [String],
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let count: Option<NonZeroUsize> = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= MOST_THREADS);
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}

/// Each thread has a CPU of the modelled machine, and frames in store there.
const MOST_THREADS: usize = 64;

impl StressArgs {
    pub(super) fn run(self) -> Exit {
        let stop = stop_flag();
        let seed = self.seed.unwrap_or_else(seed_of_the_clock);
        let settings = Stress {
            threads: self.threads.get(),
            duration: self.seconds,
            seed,
            programs: if self.same { Programs::Same } else { Programs::Ascending },
            removed: self.variant,
        };
        let played = Arc::new(AtomicU64::new(0));
        let progress = progress(&settings, &played);
        let stressed = stress(&settings, &stop, &played);
        progress.finish_and_clear();
        if self.json {
            print_json(&settings, &stressed);
        } else {
            print(&settings, &stressed);
        }
        // ORDER none: a flag.
        match &stressed.failure {
            Some(_) => Exit::Violated,
            None if stop.load(Ordering::Relaxed) => Exit::Interrupted,
            None => Exit::Holds,
        }
    }
}

fn seed_of_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn print(settings: &Stress, stressed: &Stressed) {
    let Stressed { programs, operations, elapsed, evaluated, failure } = stressed;
    let Stress { threads, seed, .. } = settings;
    let facts: u64 = evaluated.values().sum();
    let seconds = elapsed.as_secs_f64();
    if let Some((failed, failure)) = failure {
        line(format_args!("VIOLATED by the program of seed {failed}\n  {}", failure.fate));
        for (thread, doing) in failure.doing.iter().enumerate() {
            line(format_args!("  thread {thread} in {doing}"));
        }
        let removed = settings.removed.map_or(String::new(), |variant| format!(" --variant {}", variant.name()));
        line(format_args!(
            "again, as often as it takes: pagerace stress --threads {threads} --seed {failed} --same{removed}"
        ));
    }
    let verdict = if failure.is_some() { "until then" } else { "every invariant holds" };
    line(format_args!(
        "{verdict}: {programs} programs from seed {seed}, {operations} operations on {threads} threads, {facts} facts \
         checked in {seconds:.1} s"
    ));
}

fn print_json(settings: &Stress, stressed: &Stressed) {
    let numbers = Line {
        threads: settings.threads,
        seed: settings.seed,
        variant: settings.removed.map(Variant::name),
        programs: stressed.programs,
        operations: stressed.operations,
        seconds: stressed.elapsed.as_secs_f64(),
        facts_checked: stressed.evaluated.values().sum(),
        failed_seed: stressed.failure.as_ref().map(|(seed, _)| *seed),
        failure: stressed.failure.as_ref().map(|(_, failure)| failure.fate.to_string()),
        doing: stressed.failure.as_ref().map_or(&[], |(_, failure)| &failure.doing),
    };
    line(format_args!("{}", serde_json::to_string(&numbers).expect("a line of numbers and words is JSON")));
}

/// A bar that fills with time.
fn progress(settings: &Stress, played: &Arc<AtomicU64>) -> ProgressBar {
    let bar = ProgressBar::new(settings.duration.as_millis() as u64);
    let (started, played, threads) = (Instant::now(), Arc::clone(played), settings.threads);
    show(bar, "{msg} {bar:40} {elapsed}", move || Shown {
        position: started.elapsed().as_millis() as u64,
        // ORDER none: a number for the screen.
        message: format!("{} programs on {threads} threads", played.load(Ordering::Relaxed)),
    })
}
