//! A search that is stopped and taken up again counts what one run counts.

use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::sync::{Condvar, Mutex};
use interleaver::{Builder, Frontier, choose, thread};
use std::sync::Arc;

fn adds() {
    let x = Arc::new(AtomicU64::new(0));
    let spawn = |_| {
        let x = x.clone();
        thread::spawn(move || (0..3).for_each(|_| _ = x.fetch_add(1, SeqCst)))
    };
    let handles: Vec<_> = (0..3).map(spawn).collect();
    handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
}

/// Threads that spawn threads, wait, choose and use weak CAS: everything that sequences of a wakeup tree can hold.
fn mixed() {
    let world = Arc::new((Mutex::new(0), Condvar::new(), AtomicU64::new(0)));
    let spawn = |i: u64| {
        let world = world.clone();
        thread::spawn(move || {
            let inner = world.clone();
            let child = thread::spawn(move || _ = inner.2.compare_exchange_weak(i, i + 1, SeqCst, SeqCst));
            let mut guard = world.0.lock().expect("not poisoned");
            *guard += choose(2);
            world.1.notify_one();
            drop(guard);
            child.join().expect("no thread panics");
        })
    };
    let handles: Vec<_> = (0..2).map(spawn).collect();
    let guard = world.0.lock().expect("not poisoned");
    drop(world.1.wait_timeout(guard, std::time::Duration::ZERO).expect("not poisoned"));
    handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
}

#[test]
fn shards_sum_up_to_the_whole() {
    for program in [adds, mixed] {
        let whole = Builder::new().check(program).executions;
        for budget in [1, 7, 100] {
            let mut report = Builder::new().budget(budget).check(program);
            let mut sum = report.executions;
            while let Some(left) = report.frontier {
                let text = left.to_string();
                let left: Frontier = text.parse().expect("it was printed by us");
                assert!(left.branches() > 0);
                report = Builder::new().budget(budget).resume(left).check(program);
                sum += report.executions;
                assert_eq!(report.blocked, 0);
            }
            assert!(report.is_complete());
            assert_eq!(sum, whole, "budget {budget}");
        }
    }
}

#[test]
fn a_stop_flag_interrupts() {
    let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let raise = flag.clone();
    let report = Builder::new()
        .stop_flag(flag)
        // ORDER none: a flag that says stop.
        .on_progress(10, move |p| raise.store(p.executions >= 50, std::sync::atomic::Ordering::Relaxed))
        .check(adds);
    assert_eq!(report.stopped, Some(interleaver::Stop::Interrupted));
    assert_eq!(report.executions, 50);
    assert!(report.to_string().contains("incomplete"), "{report}");
}
