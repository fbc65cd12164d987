//! `compare_exchange_weak`, with as many failures for no reason as the check permits.

use super::common::{check, fails, many, passes_in};
use interleaver::sync::atomic::AtomicUsize;
use interleaver::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};
use interleaver::{Builder, Report};

fn check_with(failures: u32, f: impl Fn() + Send + Sync + 'static) -> Report {
    Builder::new().weak_failures(failures).check(f)
}

#[test]
fn a_loop_fails_as_often_as_it_may_and_no_more() {
    for failures in 0..4 {
        let report = check_with(failures, move || {
            let x = AtomicUsize::new(0);
            let mut tries = 1;
            while x.compare_exchange_weak(0, 1, AcqRel, Acquire).is_err() {
                tries += 1;
            }
            assert!(tries <= failures + 1);
        });
        passes_in(u64::from(failures) + 1, &report);
    }
}

#[test]
fn a_single_try_must_not_be_relied_upon() {
    let code = || {
        let x = AtomicUsize::new(0);
        x.compare_exchange_weak(0, 1, AcqRel, Acquire).expect("nobody else is there");
    };
    check_with(0, code).expect_pass();
    fails("panic", &check_with(1, code));
    let strong = || {
        let x = AtomicUsize::new(0);
        x.compare_exchange(0, 1, AcqRel, Acquire).expect("nobody else is there");
    };
    fails("panic", &check_with(1, code));
    check(strong).expect_pass();
}

#[test]
fn a_failure_for_no_reason_shows_the_value_that_is_there() {
    let report = check(|| {
        let x = AtomicUsize::new(5);
        if let Err(seen) = x.compare_exchange_weak(5, 6, AcqRel, Acquire) {
            assert_eq!((seen, x.load(SeqCst)), (5, 5));
        }
    });
    passes_in(2, &report);
}

#[test]
fn two_loops_that_add_lose_nothing_however_often_they_fail() {
    // Counted by brute force (`Family::Nested` of the oracle has such programs).
    for failures in 0..3 {
        let report = check_with(failures, || {
            many(2, AtomicUsize::new(0), |x, _| _ = x.fetch_update(AcqRel, Acquire, |v| Some(v + 1)));
        });
        report.expect_pass();
        assert!(report.is_complete() && report.blocked == 0, "{report}");
    }
}
