//! Futures, polled in a thread of the model.

use super::common::{check, fails};
use interleaver::future::block_on;
use interleaver::sync::atomic::AtomicBool;
use interleaver::sync::atomic::Ordering::{Acquire, Release};
use interleaver::thread;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// A future that is ready when a thread has set a flag; how that thread goes about it is given.
fn flagged(set: fn(&AtomicBool, Waker)) -> interleaver::Report {
    check(move || {
        let flag = Arc::new(AtomicBool::new(false));
        let mut setter = None;
        block_on(poll_fn(|context| {
            if setter.is_none() {
                let (flag, waker) = (flag.clone(), context.waker().clone());
                setter = Some(thread::spawn(move || set(&flag, waker)));
            }
            if flag.load(Acquire) { Poll::Ready(()) } else { Poll::Pending }
        }));
        setter.expect("it was polled").join().expect("no thread panics");
    })
}

#[test]
fn a_future_that_is_woken_is_polled_again() {
    let report = flagged(|flag, waker| {
        flag.store(true, Release);
        waker.wake();
    });
    report.expect_pass();
    assert!(report.is_complete() && report.blocked == 0, "{report}");
}

#[test]
fn a_future_that_is_woken_too_early_or_never_is_a_deadlock() {
    let too_early = flagged(|flag, waker| {
        waker.wake();
        flag.store(true, Release);
    });
    fails("deadlock", &too_early);
    fails("deadlock", &flagged(|flag, _| flag.store(true, Release)));
}
