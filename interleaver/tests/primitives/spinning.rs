//! Spinning: by condition, and by hint.

use super::common::{check, fails, many, passes_in, results, two};
use interleaver::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use interleaver::sync::atomic::{AtomicBool, AtomicU64};
use interleaver::{Builder, RaceCell, hint, spin_until, thread};
use std::collections::BTreeSet;

#[test]
fn a_condition_that_takes_a_lock_by_cas_excludes() {
    let report = check(|| {
        many(3, (AtomicBool::new(false), RaceCell::new(0)), |(held, cell), _| {
            spin_until(|| held.compare_exchange(false, true, Acquire, Relaxed).is_ok());
            cell.set(cell.get() + 1);
            held.store(false, Release);
        });
    });
    report.expect_pass();
    assert!(report.is_complete() && report.blocked == 0, "{report}");
}

#[test]
fn a_condition_may_read_more_than_the_search_compares_one_by_one() {
    for by_hint in [false, true] {
        let seen = results(&Builder::new(), move || {
            let x: std::sync::Arc<[AtomicU64; 5]> = std::sync::Arc::default();
            let other = x.clone();
            let writer = thread::spawn(move || {
                other.iter().for_each(|x| x.store(1, SeqCst));
                other[0].store(2, SeqCst);
            });
            let all_set = || x.iter().all(|x| x.load(SeqCst) > 0);
            if by_hint {
                while !all_set() {
                    hint::spin_loop();
                }
            } else {
                spin_until(all_set);
            }
            let seen = x[0].load(SeqCst);
            writer.join().expect("no thread panics");
            seen
        });
        assert_eq!(seen, BTreeSet::from([1, 2]));
    }
}

#[test]
fn a_relaxed_condition_publishes_nothing() {
    let report = check(|| {
        two(
            (AtomicBool::new(false), RaceCell::new(0)),
            |w| {
                w.1.set(1);
                w.0.store(true, Release);
            },
            |w| {
                spin_until(|| w.0.load(Relaxed));
                w.1.get();
            },
        );
    });
    fails("data race", &report);
}

#[test]
fn a_condition_that_holds_at_once_and_reads_nothing_is_no_step() {
    let report = check(|| spin_until(|| true));
    passes_in(1, &report);
    assert_eq!(report.steps, 0);
}

#[test]
fn a_condition_that_reads_nothing_and_fails_is_a_deadlock() {
    fails("deadlock", &check(|| spin_until(|| false)));
}

#[test]
fn spinning_for_what_never_comes_is_found() {
    let spin = check(|| {
        let flag = AtomicBool::new(false);
        while !flag.load(Acquire) {
            interleaver::hint::spin_loop();
        }
    });
    assert_eq!(spin.expect_failure().reason.kind(), "livelock");
    let wait = check(|| {
        let flag = AtomicBool::new(false);
        spin_until(|| flag.load(Acquire));
    });
    assert_eq!(wait.expect_failure().reason.kind(), "deadlock");
}

#[test]
fn spinning_for_what_comes_ends() {
    let report = check(|| {
        two(
            (AtomicBool::new(false), RaceCell::new(0)),
            |w| {
                w.1.set(1);
                w.0.store(true, Release);
            },
            |w| {
                while !w.0.load(Acquire) {
                    thread::yield_now();
                }
                assert_eq!(w.1.get(), 1);
            },
        );
    });
    report.expect_pass();
    assert!(report.is_complete());
    assert_eq!(report.blocked, 0);
}

#[test]
fn a_condition_costs_one_execution() {
    let report = check(|| {
        two(
            (AtomicU64::new(0), RaceCell::new(0)),
            |w| {
                w.1.set(1);
                w.0.store(1, Release);
            },
            |w| {
                spin_until(|| w.0.load(Acquire) == 1);
                assert_eq!(w.1.get(), 1);
            },
        );
    });
    report.expect_pass();
    assert_eq!(report.executions, 1);
}
