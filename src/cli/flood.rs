//! `pagerace flood`.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::flood::{Flood, FloodError, Flooded, flood};

use super::interrupt::stop_flag;
use super::output::line;
use super::progress::{Shown, show};
use super::{Exit, usage};

/// Fault anonymous memory from many threads and measure the throughput.
///
/// Every thread maps a region of its own in one shared address space, writes to every page of it,
/// unmaps it and begins again. Afterwards the invariants are checked over the whole address space.
#[derive(Debug, Args)]
pub(super) struct FloodArgs {
    /// Thread counts to measure, one after the other
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1,2", value_parser = threads)]
    threads: Vec<NonZeroUsize>,
    /// Seconds for each thread count
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// Pages of each thread's region (4 KiB each)
    #[arg(long, value_name = "PAGES", default_value = "4096", value_parser = pages)]
    pages: NonZeroUsize,
    /// Print one JSON object for each thread count instead of the table
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of one thread count.
#[derive(Serialize)]
struct Line {
    threads: usize,
    faults: u64,
    seconds: f64,
    faults_per_second: f64,
    scaling: f64,
    pages_checked: usize,
    facts_checked: u64,
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    count(text, 1024)
}

fn pages(text: &str) -> Result<NonZeroUsize, String> {
    count(text, 1 << 32)
}

fn count(text: &str, most: usize) -> Result<NonZeroUsize, String> {
    let count: Option<NonZeroUsize> = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= most);
    count.ok_or_else(|| format!("expected a whole number from 1 to {most}"))
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds, like 2 or 0.5".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > A_DAY {
        return Err("expected more than 0 seconds and at most a day".to_owned());
    }
    Ok(duration)
}

impl FloodArgs {
    pub(super) fn run(self) -> Exit {
        let stop = stop_flag();
        if !self.json {
            line(format_args!("{:>7}  {:>12}  {:>12}  {:>7}  invariants", "threads", "faults", "faults/s", "scaling"));
        }
        let mut base = None;
        for threads in &self.threads {
            let threads = threads.get();
            let settings = Flood { threads, duration: self.seconds, pages: self.pages.get() };
            let progress = progress(self.seconds, threads);
            let flooded = flood(&settings, &stop);
            progress.finish_and_clear();
            let flooded = match flooded {
                Ok(flooded) => flooded,
                Err(FloodError::Broken(broken)) => {
                    anstream::eprintln!("VIOLATED after a flood of {threads} threads\n  {broken}");
                    return Exit::Violated;
                }
                Err(error @ (FloodError::Machine { .. } | FloodError::Threads(_))) => {
                    return usage(&error.to_string(), "try fewer --pages or --threads");
                }
            };
            let base = *base.get_or_insert(flooded.faults_per_second() / threads as f64);
            self.print(threads, &flooded, flooded.faults_per_second() / base);
            // ORDER none: a flag.
            if stop.load(std::sync::atomic::Ordering::Relaxed) {
                anstream::eprintln!("interrupted; what was measured until then stands above");
                return Exit::Interrupted;
            }
        }
        Exit::Holds
    }

    fn print(&self, threads: usize, flooded: &Flooded, scaling: f64) {
        let facts_checked = flooded.evaluated.values().sum();
        let numbers = Line {
            threads,
            faults: flooded.faults,
            seconds: flooded.elapsed.as_secs_f64(),
            faults_per_second: flooded.faults_per_second(),
            scaling,
            pages_checked: flooded.pages_checked,
            facts_checked,
        };
        if self.json {
            line(format_args!("{}", serde_json::to_string(&numbers).expect("a line of numbers is JSON")));
        } else {
            let (rules, pages) = (flooded.evaluated.len(), numbers.pages_checked);
            let rate = numbers.faults_per_second;
            let faults = numbers.faults;
            line(format_args!(
                "{threads:>7}  {faults:>12}  {rate:>12.0}  {scaling:>6.2}x  {rules} hold over {pages} pages"
            ));
        }
    }
}

/// A bar that fills with time.
fn progress(duration: Duration, threads: usize) -> ProgressBar {
    let bar = ProgressBar::new(duration.as_millis() as u64);
    let started = Instant::now();
    show(bar, "{msg} {bar:40} {elapsed}", move || Shown {
        position: started.elapsed().as_millis() as u64,
        message: format!("flooding with {threads} threads"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive_numbers() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "soon", "1e300", "NaN"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
