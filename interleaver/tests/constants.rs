//! Objects that the checker meets at their first use, because they were made in a constant: the search counts the same
//! as for others, or says that it cannot.

use interleaver::raw::RawMutex;
use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::{Builder, Reason, thread};
use lock_api::Mutex;
use std::sync::Arc;

type Words = [AtomicU64; 2];

/// Three accesses of the first word, all in conflict, and two of the second: 3! × 2! traces.
fn five_steps(words: impl std::ops::Deref<Target = Words> + Clone + Send + 'static) {
    let spawn = |f: fn(&Words)| {
        let words = words.clone();
        thread::spawn(move || f(&words))
    };
    let handles = [
        spawn(|w| w[0].store(2, SeqCst)),
        spawn(|w| _ = w[1].fetch_add(1, SeqCst)),
        spawn(|w| {
            w[0].load(SeqCst);
            w[1].store(1, SeqCst);
        }),
        spawn(|w| w[0].store(2, SeqCst)),
    ];
    handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
}

static WORDS: Words = [AtomicU64::const_new(0), AtomicU64::const_new(0)];

/// A search that took two objects for one, to be on the safe side, lost one of these.
#[test]
fn every_trace_is_explored_wherever_the_objects_were_made() {
    let inside = Builder::new().check(|| five_steps(Arc::new(Words::default())));
    let constant = Builder::new().check(|| five_steps(Arc::new([AtomicU64::const_new(0), AtomicU64::const_new(0)])));
    let outside = Builder::new().check(|| five_steps(&WORDS));
    for report in [inside, constant, outside] {
        report.expect_pass();
        assert_eq!((report.executions, report.blocked), (12, 0), "{report}");
    }
}

static SECOND: AtomicU64 = AtomicU64::const_new(7);

#[test]
fn a_static_that_is_found_late_starts_anew_in_each_execution() {
    let report = Builder::new().check(|| {
        let first = Arc::new(AtomicU64::new(0));
        let spawn = |_| {
            let first = first.clone();
            thread::spawn(move || {
                first.fetch_add(1, SeqCst);
                SECOND.fetch_add(1, SeqCst);
            })
        };
        let handles: Vec<_> = (0..2).map(spawn).collect();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
        assert_eq!(SECOND.load(SeqCst), 9);
    });
    report.expect_pass();
    // The additions to each word come in two orders, whatever the order of the others.
    assert_eq!((report.executions, report.blocked), (4, 0), "{report}");
}

fn two_locks(first: Mutex<RawMutex, ()>, second: Mutex<RawMutex, u32>) {
    let locks = Arc::new((first, second));
    let spawn = |_| {
        let locks = locks.clone();
        thread::spawn(move || {
            let _first = locks.0.lock();
            *locks.1.lock() += 1;
        })
    };
    let handles: Vec<_> = (0..2).map(spawn).collect();
    handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
}

#[test]
fn a_lock_made_in_a_constant_and_used_at_once_is_recognized() {
    let report = Builder::new().check(|| two_locks(Mutex::new(()), Mutex::from_raw(RawMutex::new(), 0)));
    report.expect_pass();
    assert_eq!((report.executions, report.blocked), (2, 0), "{report}");
}

#[test]
fn a_lock_made_in_a_constant_and_used_late_is_refused() {
    let report = Builder::new().check(|| two_locks(Mutex::new(()), Mutex::new(0)));
    let Reason::Misuse { message } = &report.expect_failure().reason else { panic!("{report}") };
    assert!(message.contains("constants.rs") && message.contains("from_raw"), "{message}");
    let sampled = Builder::new().preemptions(1).check(|| two_locks(Mutex::new(()), Mutex::new(0)));
    sampled.expect_pass();
}
#[test]
fn locks_made_in_a_const_work() {
    let report = Builder::new().check(|| {
        let lock: Arc<lock_api::Mutex<RawMutex, u32>> = Arc::new(lock_api::Mutex::new(0));
        let other = lock.clone();
        let handle = thread::spawn(move || *other.lock() += 1);
        *lock.lock() += 1;
        handle.join().expect("no thread panics");
        assert_eq!(*lock.lock(), 2);
    });
    report.expect_pass();
    assert_eq!(report.executions, 2);
}
