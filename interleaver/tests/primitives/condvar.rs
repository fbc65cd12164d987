//! Condition variables: who is woken, time that runs out, and waking for no reason.

use super::common::{check, fails, many, results, two};
use interleaver::sync::{Condvar, Mutex};
use interleaver::{Builder, Report};
use std::collections::BTreeSet;
use std::time::Duration;

type Flag = (Mutex<bool>, Condvar);

fn flag() -> Flag {
    (Mutex::new(false), Condvar::new())
}

fn set((ready, changed): &Flag) {
    *ready.lock().expect("not poisoned") = true;
    changed.notify_one();
}

fn wait_if((ready, changed): &Flag) {
    let mut guard = ready.lock().expect("not poisoned");
    if !*guard {
        guard = changed.wait(guard).expect("not poisoned");
    }
    assert!(*guard, "woken up for no reason");
}

fn wait_while((ready, changed): &Flag) {
    let guard = ready.lock().expect("not poisoned");
    let guard = changed.wait_while(guard, |ready| !*ready).expect("not poisoned");
    assert!(*guard);
}

fn spuriously(times: u32, wait: fn(&Flag)) -> Report {
    Builder::new().spurious_wakeups(times).check(move || two(flag(), set, wait))
}

#[test]
fn a_wait_that_does_not_look_again_is_broken_by_a_spurious_wakeup_only() {
    for times in [0, 1, 2] {
        spuriously(times, wait_while).expect_pass();
    }
    spuriously(0, wait_if).expect_pass();
    fails("panic", &spuriously(1, wait_if));
}

/// As if it were sure to come, a wait that nobody ends would pass for one that ends.
#[test]
fn a_spurious_wakeup_may_come_and_need_not() {
    let nobody_notifies = || {
        let (ready, changed) = flag();
        let guard = ready.lock().expect("not poisoned");
        drop(changed.wait(guard).expect("not poisoned"));
    };
    for (times, executions) in [(0, 1), (1, 2), (3, 2)] {
        let report = Builder::new().spurious_wakeups(times).count_failures().check(nobody_notifies);
        assert_eq!((report.deadlocks, report.executions), (1, executions), "{report}");
    }
}

#[test]
fn a_timed_wait_ends_by_notification_or_by_itself() {
    let wait = || {
        let world = std::sync::Arc::new(flag());
        let other = world.clone();
        let handle = interleaver::thread::spawn(move || set(&other));
        let guard = world.0.lock().expect("not poisoned");
        let (guard, over) = world.1.wait_timeout(guard, Duration::from_secs(1)).expect("not poisoned");
        let seen = (*guard, over.timed_out());
        drop(guard);
        handle.join().expect("no thread panics");
        seen
    };
    let all = BTreeSet::from([(false, true), (true, false), (true, true)]);
    assert_eq!(results(&Builder::new(), wait), all);
    let and_for_no_reason = BTreeSet::from_iter(all.into_iter().chain([(false, false)]));
    assert_eq!(results(&Builder::new().spurious_wakeups(1), wait), and_for_no_reason);
}

#[test]
fn time_that_runs_out_is_no_deadlock() {
    let report = check(|| {
        let (ready, changed) = flag();
        let guard = ready.lock().expect("not poisoned");
        let (_guard, over) = changed.wait_timeout(guard, Duration::ZERO).expect("not poisoned");
        assert!(over.timed_out());
    });
    super::common::passes_in(1, &report);
}

type Queue = (Mutex<Vec<usize>>, Condvar);

/// Two threads wait, as the list shows; then main notifies, and they leave in the order in which they are woken.
fn leave_in_order(notify: fn(&Condvar)) -> impl Fn() -> Vec<usize> + Send + Sync {
    move || {
        let world = std::sync::Arc::new(((Mutex::new(0), Condvar::new()), (Mutex::new(Vec::new()), Condvar::new())));
        let (waiting, left): (&(Mutex<usize>, Condvar), &Queue) = (&world.0, &world.1);
        let spawn = |i| {
            let world = world.clone();
            interleaver::thread::spawn(move || {
                let mut guard = world.0.0.lock().expect("not poisoned");
                *guard += 1;
                drop(world.0.1.wait(guard).expect("not poisoned"));
                world.1.0.lock().expect("not poisoned").push(i);
            })
        };
        let handles: Vec<_> = (0..2).map(spawn).collect();
        interleaver::spin_until(|| !waiting.0.is_locked() && *waiting.0.lock().expect("not poisoned") == 2);
        notify(&waiting.1);
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
        left.0.lock().expect("not poisoned").clone()
    }
}

#[test]
fn notifications_wake_the_waiters_in_any_order() {
    let any = BTreeSet::from([vec![0, 1], vec![1, 0]]);
    assert_eq!(results(&Builder::new(), leave_in_order(Condvar::notify_all)), any);
    let one_by_one = |changed: &Condvar| {
        changed.notify_one();
        changed.notify_one();
    };
    assert_eq!(results(&Builder::new(), leave_in_order(one_by_one)), any);
}

#[test]
fn one_notification_for_two_waiters_leaves_one_of_them() {
    let report = Builder::new().count_failures().check(|| {
        many(3, flag(), |(ready, changed), i| {
            if i == 2 {
                changed.notify_one();
            } else {
                let guard = ready.lock().expect("not poisoned");
                drop(changed.wait(guard).expect("not poisoned"));
            }
        });
    });
    assert!(report.deadlocks > 0 && report.deadlocks == report.executions, "{report}");
}

#[test]
fn a_lost_wakeup_is_a_deadlock() {
    let report = check(|| {
        two(
            (Mutex::new(false), Condvar::new()),
            |w| {
                *w.0.lock().expect("not poisoned") = true;
                w.1.notify_one();
            },
            |w| {
                let ready = *w.0.lock().expect("not poisoned");
                if !ready {
                    let guard = w.0.lock().expect("not poisoned");
                    drop(w.1.wait(guard).expect("not poisoned"));
                }
            },
        );
    });
    assert_eq!(report.expect_failure().reason.kind(), "deadlock", "{report}");
}
