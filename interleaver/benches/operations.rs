//! What a step costs: operations a second on one long execution, and executions a second where there are many.
//!
//! `cargo bench -p interleaver --bench operations`. It measures this crate alone, without a statistics package, so that
//! somebody who works on the engine waits seconds for an answer. The comparison with other checkers is the workspace's
//! bench `engines`.

use interleaver::sync::atomic::{AtomicU64, Ordering};
use interleaver::{Builder, Report, thread};
use std::hint::black_box;
use std::sync::Arc;

const OPERATIONS: u64 = 1_000_000;
/// The best of so many runs: whatever else the machine does can only make one slower.
const RUNS: usize = 5;

fn long_execution() -> Report {
    let builder = Builder { max_steps: 10_000_000, budget: Some(1), ..Builder::default() };
    builder.check(|| {
        let x = AtomicU64::new(0);
        let y = AtomicU64::new(0);
        for i in 0..OPERATIONS / 2 {
            // ORDER none: one thread.
            x.store(i, Ordering::Relaxed);
            y.load(Ordering::Relaxed);
        }
    })
}

/// 4 threads with 3 additions each whose results are used: 12! / (3!)^4 executions.
fn additions() -> Report {
    Builder::new().check(|| {
        let x = Arc::new(AtomicU64::new(0));
        let add = |_| {
            let x = x.clone();
            thread::spawn(move || {
                for _ in 0..3 {
                    black_box(x.fetch_add(1, Ordering::SeqCst));
                }
            })
        };
        let handles: Vec<_> = (0..4).map(add).collect();
        for handle in handles {
            handle.join().expect("no thread panics");
        }
    })
}

fn best(run: fn() -> Report, count: fn(&Report) -> u64) -> f64 {
    let rate = |report: Report| count(&report) as f64 / report.elapsed.as_secs_f64();
    (0..RUNS).map(|_| rate(run())).fold(0.0, f64::max)
}

fn main() {
    let (steps, executions) = (long_execution().steps, additions().executions);
    let operations = best(long_execution, |report| report.steps) / 1e6;
    println!("one execution of one thread: {steps} operations, {operations:.1} million/s");
    let rate = best(additions, |report| report.executions);
    println!("4 threads x 3 used additions: {executions} executions, {rate:.0}/s");
}
