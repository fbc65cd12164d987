//! Park and unpark: a token for each thread, of which there is one at most.

use super::common::{check, deadlocks_in, fails, passes_in};
use interleaver::sync::atomic::AtomicBool;
use interleaver::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use interleaver::{RaceCell, Report, thread};
use std::sync::Arc;

#[test]
fn an_unpark_is_kept_for_a_park_to_come_and_publishes() {
    let report = check(|| {
        let cell = Arc::new(RaceCell::new(0));
        let other = cell.clone();
        let handle = thread::spawn(move || {
            thread::park();
            assert_eq!(other.get(), 1);
        });
        cell.set(1);
        handle.thread().unpark();
        handle.join().expect("no thread panics");
    });
    passes_in(1, &report);
}

#[test]
fn two_unparks_in_a_row_are_one() {
    // The second unpark comes before the first park, and is lost, or after it.
    deadlocks_in(1, 2, || {
        let handle = thread::spawn(|| {
            thread::park();
            thread::park();
        });
        handle.thread().unpark();
        handle.thread().unpark();
        handle.join().expect("no thread panics");
    });
}

#[test]
fn unparks_by_two_threads_commute() {
    let report = check(|| {
        let sleeper = thread::spawn(thread::park);
        let sleeping = sleeper.thread().clone();
        let other = thread::spawn(move || sleeping.unpark());
        sleeper.thread().unpark();
        other.join().expect("no thread panics");
        sleeper.join().expect("no thread panics");
    });
    // Before the park come one unpark, the other, or both.
    passes_in(3, &report);
}

fn wait_for_flag(wake: fn(&AtomicBool, &thread::Thread)) -> Report {
    check(move || {
        let flag = Arc::new(AtomicBool::new(false));
        let other = flag.clone();
        let handle = thread::spawn(move || {
            while !other.load(Acquire) {
                thread::park();
            }
        });
        wake(&flag, handle.thread());
        handle.join().expect("no thread panics");
    })
}

#[test]
fn the_flag_comes_before_the_unpark() {
    let good = wait_for_flag(|flag, thread| {
        flag.store(true, Release);
        thread.unpark();
    });
    good.expect_pass();
    assert!(good.is_complete() && good.blocked == 0);
    fails(
        "deadlock",
        &wait_for_flag(|flag, thread| {
            thread.unpark();
            flag.store(true, Relaxed);
        }),
    );
}

#[test]
fn a_park_that_nobody_ends_is_a_deadlock() {
    let report = check(thread::park);
    fails("deadlock", &report);
    assert!(report.to_string().contains("waits to park"), "{report}");
}
