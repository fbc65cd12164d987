//! The same seven programs on interleaver, loom and shuttle, in one process: executions, seconds, and ratios.
//!
//! `cargo bench --bench engines`; `-- --seconds 5` changes the time that each engine gets for each program. A run
//! that did not finish in that time says so, and its rate is that of what it did.

#[path = "engines/programs.rs"]
mod programs;

use programs::{interleaved, loomed, shuttled};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one engine did with one program.
struct Run {
    executions: u64,
    elapsed: Duration,
    finished: bool,
}

impl Run {
    fn rate(&self) -> f64 {
        self.executions as f64 / self.elapsed.as_secs_f64()
    }

    fn show(&self) -> String {
        let capped = if self.finished { "complete" } else { "capped" };
        let (count, seconds) = (self.executions, self.elapsed.as_secs_f64());
        format!("{count:>10} {capped:<8} {seconds:>9.4} s {:>9.0}/s", self.rate())
    }
}

/// Repeats an exhaustive check until it has taken long enough to be timed.
fn on_interleaver(program: fn(), cap: Duration) -> Run {
    let start = Instant::now();
    let mut rounds = 0;
    let builder = interleaver::Builder { stack_bytes: 64 * 1024, ..interleaver::Builder::default() };
    let first = builder.check(program);
    let mut executions = first.executions;
    let finished = first.is_complete();
    while start.elapsed() < cap / 4 {
        executions += builder.check(program).executions;
        rounds += 1;
    }
    let elapsed = start.elapsed();
    println!("  interleaver {} ({} checks)", Run { executions, elapsed, finished }.show(), rounds + 1);
    let share = elapsed.div_f64(f64::from(rounds + 1));
    Run { executions: first.executions, elapsed: share, finished }
}

fn on_loom(program: fn(), cap: Duration) -> Run {
    let count = Arc::new(AtomicU64::new(0));
    let mut builder = loom::model::Builder::new();
    builder.max_duration = Some(cap);
    builder.max_branches = 10_000;
    let start = Instant::now();
    let counter = count.clone();
    builder.check(move || {
        // ORDER none: read after the check.
        counter.fetch_add(1, Ordering::Relaxed);
        program();
    });
    let elapsed = start.elapsed();
    // ORDER none: as above.
    Run { executions: count.load(Ordering::Relaxed), elapsed, finished: elapsed < cap }
}

fn on_shuttle(program: fn(), cap: Duration) -> Run {
    let count = Arc::new(AtomicU64::new(0));
    let mut config = shuttle::Config::new();
    config.max_time = Some(cap);
    config.silence_warnings = true;
    let scheduler = shuttle::scheduler::DfsScheduler::new(None, false);
    let runner = shuttle::Runner::new(scheduler, config);
    let start = Instant::now();
    let counter = count.clone();
    runner.run(move || {
        // ORDER none: read after the check.
        counter.fetch_add(1, Ordering::Relaxed);
        program();
    });
    let elapsed = start.elapsed();
    // ORDER none: as above.
    Run { executions: count.load(Ordering::Relaxed), elapsed, finished: elapsed < cap }
}

fn seconds() -> f64 {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|a| a == "--seconds");
    at.and_then(|i| args.get(i + 1)).and_then(|s| s.parse().ok()).unwrap_or(2.0)
}

/// One long execution: how many operations a second.
fn long_execution() {
    let builder = interleaver::Builder { max_steps: 10_000_000, budget: Some(1), ..interleaver::Builder::default() };
    let operations = 1_000_000;
    let report = builder.check(move || {
        let x = interleaver::sync::atomic::AtomicU64::new(0);
        let y = interleaver::sync::atomic::AtomicU64::new(0);
        for i in 0..operations / 2 {
            x.store(i, Ordering::Relaxed);
            y.load(Ordering::Relaxed);
        }
    });
    let rate = report.steps as f64 / report.elapsed.as_secs_f64() / 1e6;
    println!("long execution, one thread: {} operations, {rate:.1} million/s", report.steps);
}

/// Shuttle comes last: the panic hook that it leaves behind does not go with the way in which loom ends its coroutines.
fn main() {
    let cap = Duration::from_secs_f64(seconds());
    let mut runs = Vec::new();
    for index in 0..interleaved::PROGRAMS.len() {
        println!("{}", interleaved::PROGRAMS[index].0);
        let ours = on_interleaver(interleaved::PROGRAMS[index].1, cap);
        let loom = on_loom(loomed::PROGRAMS[index].1, cap);
        println!("  loom        {}", loom.show());
        runs.push((ours, loom));
    }
    let start = Instant::now();
    let report = interleaver::Builder::new().check(interleaved::adds);
    let elapsed = start.elapsed();
    let rate = report.executions as f64 / elapsed.as_secs_f64();
    println!(
        "4 threads x 3 used additions: {} executions, {:.2} s, {rate:.0}/s",
        report.executions,
        elapsed.as_secs_f64()
    );
    long_execution();
    for (index, (ours, loom)) in runs.iter().enumerate() {
        println!("{}", interleaved::PROGRAMS[index].0);
        let shuttle = on_shuttle(shuttled::PROGRAMS[index].1, cap);
        println!("  shuttle     {}", shuttle.show());
        let ratio = |other: &Run| {
            let at_least = if other.finished { "" } else { "at least " };
            let by = other.elapsed.as_secs_f64() / ours.elapsed.as_secs_f64();
            format!("{at_least}{by:.0}x the time, {:.2}x the rate", other.rate() / ours.rate())
        };
        println!("  to interleaver: loom {}; shuttle {}", ratio(loom), ratio(&shuttle));
    }
}
