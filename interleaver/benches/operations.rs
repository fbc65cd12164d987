//! What a step costs: operations a second on long executions, and executions a second where there are many.
//!
//! `cargo bench -p interleaver --bench operations`. It measures this crate alone, without a statistics package, so that
//! somebody who works on the engine waits seconds for an answer. The comparison with other checkers is the workspace's
//! bench `engines`.

use interleaver::sync::atomic::{AtomicU64, Ordering};
use interleaver::{Builder, Report, thread};
use std::hint::black_box;
use std::sync::Arc;

const OPERATIONS: u64 = 1_000_000;
/// Operations of an execution among many.
const SHARED: u64 = 20_000;
/// The best of so many runs: whatever else the machine does can only make one slower.
const RUNS: usize = 5;

fn operations() {
    let x = AtomicU64::new(0);
    let y = AtomicU64::new(0);
    for i in 0..OPERATIONS / 2 {
        // ORDER none: one thread.
        x.store(i, Ordering::Relaxed);
        y.load(Ordering::Relaxed);
    }
}

fn once(code: fn()) -> Report {
    Builder { max_steps: 10_000_000, budget: Some(1), ..Builder::default() }.check(code)
}

/// Operations of main before it spawns: the search need not know them.
fn alone() -> Report {
    once(operations)
}

/// Operations that the search sees for the first time.
fn searched() -> Report {
    once(|| thread::spawn(operations).join().expect("it does not panic"))
}

/// Two threads whose long beginnings are independent: executions share them.
fn shared() -> Report {
    Builder::new().check(|| {
        let last = Arc::new(AtomicU64::new(0));
        let spawn = |_| {
            let last = last.clone();
            thread::spawn(move || {
                let own = AtomicU64::new(0);
                for i in 0..SHARED / 4 {
                    // ORDER none: one thread.
                    own.store(i, Ordering::Relaxed);
                    own.load(Ordering::Relaxed);
                }
                for _ in 0..4 {
                    black_box(last.fetch_add(1, Ordering::SeqCst));
                }
            })
        };
        let threads: Vec<_> = (0..2).map(spawn).collect();
        threads.into_iter().for_each(|t| t.join().expect("no thread panics"));
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
    let operations = |run: fn() -> Report| best(run, |report| OPERATIONS * report.executions) / 1e6;
    println!("{OPERATIONS} operations in one execution:");
    println!("  of main, before it spawns     {:.1} million/s", operations(alone));
    println!("  of another thread             {:.1} million/s", operations(searched));
    let replayed = best(shared, |report| SHARED * report.executions) / 1e6;
    println!("{} executions that share {SHARED} operations: {replayed:.1} million/s", shared().executions);
    let (executions, rate) = (additions().executions, best(additions, |report| report.executions));
    println!("4 threads x 3 used additions: {executions} executions, {rate:.0}/s");
}
