//! What counts as a preemption: a switch away from a thread that could have gone on.

use interleaver::raw::RawMutex;
use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::{Builder, thread};
use lock_api::Mutex;
use std::collections::HashSet;
use std::sync::{Arc, Mutex as StdMutex};

#[test]
fn without_preemptions_threads_run_whole_in_every_order() {
    let orders: Arc<StdMutex<HashSet<Vec<usize>>>> = Arc::default();
    let seen = orders.clone();
    let report = Builder::new().preemptions(0).check(move || {
        let (turn, order) = (Arc::new(AtomicU64::new(0)), Arc::new(StdMutex::new(Vec::new())));
        let spawn = |i| {
            let (turn, order) = (turn.clone(), order.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    turn.fetch_add(1, SeqCst);
                    order.lock().expect("not poisoned").push(i);
                }
            })
        };
        let threads: Vec<_> = (0..3).map(spawn).collect();
        threads.into_iter().for_each(|t| t.join().expect("no thread panics"));
        seen.lock().expect("not poisoned").insert(std::mem::take(&mut *order.lock().expect("not poisoned")));
    });
    assert!(report.is_complete());
    let orders = orders.lock().expect("not poisoned");
    assert_eq!((report.executions, orders.len()), (6, 6));
    assert!(orders.iter().all(|o| o.chunks(2).all(|pair| pair[0] == pair[1])), "{orders:?}");
}

/// Fails only if the second thread runs between the first one's store and its lock, which is free then.
fn interrupted_before_a_lock() {
    let world = Arc::new((AtomicU64::new(0), Mutex::from_raw(RawMutex::new(), 0)));
    let other = world.clone();
    let first = thread::spawn(move || {
        other.0.store(1, SeqCst);
        *other.1.lock() = 1;
    });
    let saw = world.0.load(SeqCst);
    let locked = *world.1.lock();
    first.join().expect("it does not panic");
    assert!(saw == 0 || locked == 1, "between the store and the lock");
}

#[test]
fn a_switch_before_a_free_lock_is_a_preemption() {
    let report = Builder::new().check(interrupted_before_a_lock);
    assert_eq!(report.expect_failure().preemptions, 1, "{report}");
    assert!(Builder::new().preemptions(0).check(interrupted_before_a_lock).failure.is_none());
    assert!(Builder::new().preemptions(1).check(interrupted_before_a_lock).failure.is_some());
}
