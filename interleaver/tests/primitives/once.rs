//! `Once`: a load, and unless it finds the work done: lock, load, the work, store, unlock.

use super::common::{check, fails, many, passes_in};
use interleaver::sync::Once;
use interleaver::sync::atomic::AtomicBool;
use interleaver::sync::atomic::Ordering::{Acquire, Release};
use interleaver::{Builder, Panics, RaceCell, thread};
use std::sync::Arc;

type Lazy = (Once, RaceCell<u32>);

fn lazy() -> Lazy {
    (Once::new(), RaceCell::new(0))
}

fn initialize(cell: &RaceCell<u32>) {
    assert_eq!(cell.replace(7), 0, "initialized twice");
}

#[test]
fn racing_initializers_run_one_function_and_see_what_it_did() {
    let report = check(|| {
        many(2, lazy(), |(once, cell), _| {
            once.call_once(|| initialize(cell));
            assert!(once.is_completed());
            assert_eq!(cell.get(), 7);
        });
    });
    // Either thread is first; the other one looks before it is done, and takes the lock, or after.
    passes_in(4, &report);
}

#[test]
fn looking_first_and_initializing_then_is_a_race() {
    let report = check(|| {
        many(2, (AtomicBool::new(false), RaceCell::new(0)), |(done, cell), _| {
            if !done.load(Acquire) {
                initialize(cell);
                done.store(true, Release);
            }
        });
    });
    fails("data race", &report);
}

#[test]
fn whether_it_is_done_is_seen_with_what_was_done() {
    let report = check(|| {
        many(2, lazy(), |(once, cell), i| {
            if i == 0 {
                once.call_once(|| initialize(cell));
            } else if once.is_completed() {
                assert_eq!(cell.get(), 7);
            }
        });
    });
    passes_in(2, &report);
}

#[test]
fn a_function_that_calls_its_own_once_waits_for_itself() {
    let report = check(|| {
        let once = Arc::new(Once::new());
        let again = once.clone();
        once.call_once(move || again.call_once(|| ()));
    });
    fails("deadlock", &report);
}

#[test]
fn a_function_that_panics_poisons_it_until_one_is_forced() {
    let report = Builder::new().panics(Panics::Join).check(|| {
        let world = Arc::new(lazy());
        let other = world.clone();
        let broken = thread::spawn(move || other.0.call_once(|| panic!("on purpose")));
        assert!(broken.join().is_err());
        assert!(!world.0.is_completed());
        let other = world.clone();
        let refused = thread::spawn(move || other.0.call_once(|| initialize(&other.1)));
        assert!(refused.join().is_err(), "it is poisoned");
        world.0.call_once_force(|state| {
            assert!(state.is_poisoned());
            initialize(&world.1);
        });
        assert!(world.0.is_completed());
        world.0.call_once(|| unreachable!("it is done"));
    });
    passes_in(1, &report);
}
