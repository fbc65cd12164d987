//! What main does before it spawns is no event, and counts all the same.

use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::{Relaxed, SeqCst};
use interleaver::{Builder, RaceCell, spin_until, thread};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

#[test]
fn races_begin_with_what_main_made_of_a_value() {
    let finals: Arc<Mutex<HashSet<u64>>> = Arc::default();
    let seen = finals.clone();
    let report = Builder::new().check(move || {
        let x = Arc::new(AtomicU64::new(0));
        x.store(3, SeqCst);
        x.fetch_add(2, SeqCst);
        assert_eq!(x.compare_exchange(9, 1, SeqCst, SeqCst), Err(5));
        assert_eq!(x.swap(5, SeqCst), 5);
        let threads = [6, 7].map(|new| {
            let x = x.clone();
            thread::spawn(move || x.compare_exchange(5, new, SeqCst, SeqCst).is_ok())
        });
        let won = threads.map(|t| t.join().expect("no thread panics"));
        assert_ne!(won[0], won[1], "one CAS finds the five");
        seen.lock().expect("not poisoned").insert(x.load(SeqCst));
    });
    report.expect_pass();
    assert_eq!((report.executions, report.blocked), (2, 0));
    assert_eq!(*finals.lock().expect("not poisoned"), HashSet::from([6, 7]));
}

#[test]
fn a_condition_that_main_made_true_holds() {
    let report = Builder::new().check(|| {
        let x = Arc::new(AtomicU64::new(0));
        x.store(1, SeqCst);
        let other = x.clone();
        let waiter = thread::spawn(move || spin_until(|| other.load(SeqCst) == 1));
        waiter.join().expect("it does not panic");
    });
    report.expect_pass();
    assert_eq!(report.executions, 1);
}

#[test]
fn a_relaxed_flag_set_before_the_spawn_publishes_nothing_by_itself() {
    let racy = |order| {
        Builder::new().check(move || {
            let world = Arc::new((RaceCell::new(0), AtomicU64::new(0), AtomicU64::new(0)));
            world.1.store(0, Relaxed);
            let other = world.clone();
            let writer = thread::spawn(move || {
                other.0.set(1);
                other.2.store(1, order);
            });
            if world.2.load(SeqCst) == 1 {
                assert_eq!(world.0.get(), 1);
            }
            writer.join().expect("it does not panic");
        })
    };
    racy(SeqCst).expect_pass();
    assert_eq!(racy(Relaxed).expect_failure().reason.kind(), "data race");
}

#[test]
fn main_alone_may_spin_for_ever_and_is_found() {
    let report = Builder::new().max_steps(50).check(|| {
        let x = AtomicU64::new(0);
        while x.load(SeqCst) == 0 {
            x.store(0, SeqCst);
        }
    });
    assert_eq!(report.expect_failure().reason.kind(), "livelock");
}
