//! Threads: results, panics, names, scopes, families, and locals.

use super::common::{check, fails, passes_in};
use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::{Builder, Panics, Reason, choose, thread};
use std::cell::RefCell;
use std::sync::Arc;

#[test]
fn a_thread_that_starts_threads_hands_their_results_on() {
    let report = check(|| {
        let x = Arc::new(AtomicU64::new(0));
        let family = |x: Arc<AtomicU64>| {
            move || {
                let add = |x: Arc<AtomicU64>| thread::spawn(move || x.fetch_add(1, SeqCst));
                let children = [add(x.clone()), add(x.clone())];
                children.map(|c| c.join().expect("no thread panics")).into_iter().sum::<u64>()
            }
        };
        let parents = [thread::spawn(family(x.clone())), thread::spawn(family(x.clone()))];
        let sums = parents.map(|p| p.join().expect("no thread panics"));
        assert_eq!(sums.into_iter().sum::<u64>(), 1 + 2 + 3);
    });
    // Four additions in any order.
    passes_in(24, &report);
}

#[test]
fn a_thread_that_nobody_joins_runs_to_its_end() {
    let report = check(|| {
        let x = Arc::new(AtomicU64::new(0));
        let other = x.clone();
        drop(thread::spawn(move || other.store(1, SeqCst)));
        x.load(SeqCst);
    });
    passes_in(2, &report);
}

#[test]
fn which_threads_there_are_may_depend_on_the_schedule() {
    let report = check(|| {
        let x = Arc::new(AtomicU64::new(0));
        let other = x.clone();
        let handle = thread::spawn(move || other.store(1, SeqCst));
        if x.load(SeqCst) == 1 {
            let (a, b) = (x.clone(), x.clone());
            let more = [thread::spawn(move || a.fetch_add(1, SeqCst)), thread::spawn(move || b.fetch_add(1, SeqCst))];
            more.into_iter().for_each(|h| _ = h.join().expect("no thread panics"));
        }
        handle.join().expect("no thread panics");
    });
    passes_in(1 + 2, &report);
}

#[test]
fn names_head_the_columns_of_a_failure() {
    let report = check(|| {
        let named = thread::Builder::new().name("reader".to_owned()).stack_size(1);
        let handle = named.spawn(|| {
            assert_eq!(thread::current().name(), Some("reader"));
            panic!("on purpose");
        });
        let handle = handle.expect("there is room for a thread");
        assert_eq!(handle.thread().name(), Some("reader"));
        assert_ne!(handle.thread().id(), thread::current().id());
        handle.join().expect("no thread panics");
    });
    let failure = report.expect_failure();
    assert_eq!(failure.threads, ["thread 0 `main`", "thread 1 `reader`"]);
    assert!(matches!(&failure.reason, Reason::Panic { thread, .. } if thread == "thread 1 `reader`"), "{report}");
}

#[test]
fn a_scope_waits_for_all_its_threads() {
    let report = check(|| {
        let x = AtomicU64::new(0);
        thread::scope(|s| {
            s.spawn(|| x.fetch_add(1, SeqCst));
            s.spawn(|| x.fetch_add(1, SeqCst));
        });
        assert_eq!(x.load(SeqCst), 2);
    });
    passes_in(2, &report);
}

#[test]
fn a_scope_passes_on_a_panic_that_nobody_joined() {
    let report = Builder::new().panics(Panics::Join).check(|| {
        let outcome = std::panic::catch_unwind(|| {
            thread::scope(|s| {
                s.spawn(|| panic!("on purpose"));
            });
        });
        assert!(outcome.is_err());
        let joined = thread::scope(|s| s.spawn(|| -> u32 { panic!("on purpose") }).join().is_err());
        assert!(joined);
    });
    report.expect_pass();
}

#[test]
fn a_panic_that_depends_on_the_schedule_can_be_joined() {
    let report = Builder::new().panics(Panics::Join).check(|| {
        let broken = choose(2) == 1;
        let result = thread::spawn(move || assert!(!broken, "on purpose")).join();
        assert_eq!(result.is_err(), broken);
    });
    passes_in(2, &report);
}

#[test]
fn joining_each_other_is_a_deadlock() {
    let report = check(|| {
        let slot: Arc<std::sync::Mutex<Option<thread::JoinHandle<()>>>> = Arc::default();
        let (mine, gate) = (slot.clone(), Arc::new(AtomicU64::new(0)));
        let open = gate.clone();
        let first = thread::spawn(move || {
            interleaver::spin_until(|| open.load(SeqCst) == 1);
            let second = mine.lock().expect("not poisoned").take().expect("it was put there");
            second.join().expect("no thread panics");
        });
        let second = thread::spawn(move || first.join().expect("no thread panics"));
        *slot.lock().expect("not poisoned") = Some(second);
        gate.store(1, SeqCst);
    });
    fails("deadlock", &report);
    assert!(report.to_string().contains("a cycle of 2"), "{report}");
}

/// Says when it is dropped.
struct Farewell(Arc<AtomicU64>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

interleaver::thread_local! {
    static FAREWELL: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

#[test]
fn thread_locals_are_dropped_before_the_thread_is_joined() {
    let report = check(|| {
        let x = Arc::new(AtomicU64::new(0));
        let other = x.clone();
        let handle = thread::spawn(move || FAREWELL.with(|slot| *slot.borrow_mut() = Some(Farewell(other))));
        handle.join().expect("no thread panics");
        assert_eq!(x.load(SeqCst), 1);
    });
    passes_in(1, &report);
}

#[test]
fn a_panic_can_be_joined() {
    let report = Builder::new().panics(Panics::Join).check(|| {
        let result = thread::spawn(|| -> u32 { panic!("on purpose") }).join();
        assert!(result.is_err());
    });
    report.expect_pass();
}

#[test]
fn scoped_threads_borrow() {
    let report = check(|| {
        let x = AtomicU64::new(0);
        let sum = thread::scope(|s| {
            let handles: Vec<_> = (1..=2).map(|i| s.spawn(|| x.fetch_add(1, SeqCst)).join().map(|v| v + i)).collect();
            handles.into_iter().map(|h| h.expect("no thread panics")).sum::<u64>()
        });
        assert_eq!((sum, x.load(SeqCst)), (4, 2));
    });
    report.expect_pass();
    let failing = check(|| {
        let x = AtomicU64::new(0);
        thread::scope(|s| {
            s.spawn(|| x.store(1, SeqCst));
            s.spawn(|| assert_eq!(x.load(SeqCst), 0));
        });
    });
    assert_eq!(failing.expect_failure().reason.kind(), "panic");
}

#[test]
fn more_than_sixty_threads() {
    let report = check(|| {
        let handles: Vec<_> = (0..63).map(|i| thread::spawn(move || i)).collect();
        let sum: u32 = handles.into_iter().map(|h| h.join().expect("no thread panics")).sum();
        assert_eq!(sum, 63 * 62 / 2);
    });
    report.expect_pass();
    assert_eq!((report.executions, report.threads), (1, 64));
}

interleaver::thread_local! {
    static NUMBER: std::cell::Cell<u32> = std::cell::Cell::new(7);
}

#[test]
fn thread_locals_start_anew_in_each_thread_and_execution() {
    check(|| {
        let bump = || NUMBER.with(|n| n.replace(n.get() + 1));
        let handle = thread::spawn(bump);
        assert_eq!(bump(), 7);
        assert_eq!(handle.join().expect("no thread panics"), 7);
        assert_eq!(bump(), 8);
        assert_eq!(NUMBER.try_with(std::cell::Cell::get), Some(9));
    })
    .expect_pass();
    assert_eq!(NUMBER.try_with(std::cell::Cell::get), None, "outside a model there is none");
}
