//! Poisoning, and who unwinds: all threads of a model run on one thread of the system.

use super::common::{many, passes_in};
use interleaver::sync::{Mutex, RwLock};
use interleaver::{Builder, Panics, Report, thread};
use std::sync::Arc;

fn check(f: impl Fn() + Send + Sync + 'static) -> Report {
    Builder::new().panics(Panics::Join).check(f)
}

#[test]
fn a_holder_that_panics_poisons_the_lock_and_a_reader_does_not() {
    let report = check(|| {
        let world = Arc::new((Mutex::new(1), RwLock::new(2), RwLock::new(3)));
        let other = world.clone();
        let broken = thread::spawn(move || {
            let _guards = (other.0.lock(), other.1.write(), other.2.read());
            panic!("on purpose");
        });
        assert!(broken.join().is_err());
        assert_eq!(*world.0.lock().expect_err("poisoned").into_inner(), 1);
        assert!(world.0.try_lock().is_err() && world.0.is_poisoned());
        assert!(world.1.read().is_err() && world.1.try_write().is_err());
        assert_eq!(*world.2.read().expect("only writers poison"), 3);
    });
    passes_in(1, &report);
}

/// The panicking thread takes a step while it unwinds, and another one releases a lock in the meantime.
#[test]
fn a_lock_that_is_released_while_another_thread_unwinds_is_not_poisoned() {
    let report = check(|| {
        let world = Arc::new((Mutex::new(()), Mutex::new(()), Mutex::new(())));
        let own = world.2.lock().expect("not poisoned");
        let other = world.clone();
        let broken = thread::spawn(move || {
            let _outer = other.0.lock();
            let _inner = other.1.lock();
            panic!("on purpose");
        });
        let inner = world.1.lock();
        let before = world.0.is_locked();
        assert!(!thread::panicking());
        drop((own, inner));
        assert!(broken.join().is_err());
        assert!(!world.2.is_poisoned(), "its holder did not panic; the other was locked: {before}");
        assert!(world.0.is_poisoned() && world.1.is_poisoned());
    });
    report.expect_pass();
    assert!(report.is_complete() && report.blocked == 0);
}

#[test]
fn threads_that_unwind_at_once_poison_what_they_hold() {
    let report = check(|| {
        let world = Arc::new(([Mutex::new(()), Mutex::new(())], Mutex::new(0)));
        let spawn = |i: usize| {
            let world = world.clone();
            thread::spawn(move || {
                let _own = world.0[i].lock();
                let _shared = world.1.lock();
                panic!("on purpose");
            })
        };
        let handles = [spawn(0), spawn(1)];
        assert!(handles.map(thread::JoinHandle::join).iter().all(Result::is_err));
        assert!(world.0.iter().all(Mutex::is_poisoned) && world.1.is_poisoned());
    });
    passes_in(2, &report);
}

#[test]
fn a_panic_that_is_caught_leaves_no_trace_behind() {
    let report = check(|| {
        many(2, Mutex::new(()), |lock, i| {
            if i == 0 {
                assert!(std::panic::catch_unwind(|| panic!("on purpose")).is_err());
            }
            drop(lock.lock().expect("not poisoned"));
            assert!(!lock.is_poisoned());
        });
    });
    passes_in(2, &report);
}
