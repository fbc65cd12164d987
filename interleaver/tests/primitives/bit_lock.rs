//! Bit locks: locks without an owner.

use super::common::{check, deadlocks_in, fails, many, passes_in};
use interleaver::raw::BitLock;
use interleaver::{RaceCell, thread};
use std::sync::Arc as StdArc;

#[test]
fn it_excludes_as_a_mutex_does() {
    let count = |world: &(BitLock, RaceCell<u32>), _: usize| {
        world.0.lock();
        world.1.set(world.1.get() + 1);
        world.0.unlock();
    };
    passes_in(6, &check(move || many(3, (BitLock::new(), RaceCell::new(0)), count)));
    let tries = |world: &(BitLock, RaceCell<u32>), _: usize| {
        if world.0.try_lock() {
            world.1.set(world.1.get() + 1);
            world.0.unlock();
        }
    };
    // One after the other, in two orders; or the second tries while the first is inside.
    passes_in(4, &check(move || many(2, (BitLock::new(), RaceCell::new(0)), tries)));
    let careless = |world: &(BitLock, RaceCell<u32>), _: usize| world.1.set(world.1.get() + 1);
    fails("data race", &check(move || many(2, (BitLock::new(), RaceCell::new(0)), careless)));
}

#[test]
fn waiting_takes_nothing_and_sees_what_was_done_under_the_bit() {
    let report = check(|| {
        let world = StdArc::new((BitLock::new(), RaceCell::new(0)));
        world.0.lock();
        let spawn = |_| {
            let world = world.clone();
            thread::spawn(move || {
                world.0.wait();
                assert_eq!(world.1.get(), 1);
            })
        };
        let handles: Vec<_> = (0..2).map(spawn).collect();
        world.1.set(1);
        world.0.unlock();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
    });
    passes_in(1, &report);
}

#[test]
fn a_bit_that_nobody_clears_is_a_deadlock_with_the_one_who_set_it() {
    let code = || {
        let page = BitLock::named("page");
        page.lock();
        page.lock();
    };
    deadlocks_in(1, 1, code);
    let text = check(code).to_string();
    assert!(text.contains("waits to lock `page`") && text.contains("held by thread 0 `main` since"), "{text}");
}

#[test]
fn clearing_too_early_lets_two_in() {
    let report = check(|| {
        many(2, (BitLock::new(), RaceCell::new(0)), |(bit, cell), i| {
            if i == 0 {
                bit.unlock();
            }
            bit.lock();
            cell.set(cell.get() + 1);
            bit.unlock();
        });
    });
    fails("data race", &report);
}

#[test]
fn another_thread_may_release_a_bit_lock() {
    let report = check(|| {
        let bit = StdArc::new(BitLock::named("page"));
        bit.lock();
        let other = bit.clone();
        let handle = thread::spawn(move || other.unlock());
        bit.wait();
        assert!(!bit.is_locked());
        handle.join().expect("no thread panics");
    });
    report.expect_pass();
    assert_eq!(report.executions, 1);
}
