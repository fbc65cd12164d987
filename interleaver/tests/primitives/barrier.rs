//! Barriers. The order of arrival shows in who leads, so each order is an execution.

use super::common::{check, deadlocks_in, fails, many, passes_in};
use interleaver::sync::Barrier;
use interleaver::{Counter, RaceCell};

#[test]
fn each_order_of_arrival_is_explored_and_one_thread_leads() {
    for (threads, orders) in [(1, 1), (2, 2), (3, 6), (4, 24)] {
        let report = check(move || {
            let leaders = std::sync::Arc::new(Counter::new());
            let count = leaders.clone();
            many(threads, Barrier::new(threads), move |barrier, _| {
                leaders.add(u64::from(barrier.wait().is_leader()));
            });
            assert_eq!(count.sum(), 1);
        });
        passes_in(orders, &report);
    }
}

#[test]
fn a_barrier_can_be_used_again() {
    // In each of two rounds either thread leads.
    passes_in(
        4,
        &check(|| {
            many(2, Barrier::new(2), |barrier, _| {
                barrier.wait();
                barrier.wait();
            });
        }),
    );
}

type Cells = (Barrier, [RaceCell<usize>; 2]);

fn exchange(meet: fn(&Barrier)) -> interleaver::Report {
    check(move || {
        let world: Cells = (Barrier::new(2), [RaceCell::new(0), RaceCell::new(0)]);
        many(2, world, move |(barrier, cells), i| {
            cells[i].set(i + 1);
            meet(barrier);
            assert_eq!(cells[1 - i].get(), 2 - i);
        });
    })
}

#[test]
fn what_was_done_before_the_barrier_is_seen_behind_it() {
    passes_in(2, &exchange(|barrier| _ = barrier.wait()));
    fails("panic", &exchange(|_| ()));
}

#[test]
fn a_barrier_that_is_never_full_is_a_deadlock() {
    deadlocks_in(2, 2, || many(2, Barrier::new(3), |barrier, _| _ = barrier.wait()));
    let report = check(|| many(2, Barrier::new(3), |barrier, _| _ = barrier.wait()));
    let text = report.expect_failure().reason.to_string();
    assert!(text.contains("wait at barrier") && text.contains("barrier.rs"), "{text}");
}

#[test]
fn one_thread_too_many_waits_for_ever_whichever_it_is() {
    deadlocks_in(6, 6, || many(3, Barrier::new(2), |barrier, _| _ = barrier.wait()));
}
