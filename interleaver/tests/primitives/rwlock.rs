//! Reader-writer locks: readers share, a writer excludes, and a queued writer stops readers of a fair lock.

use super::common::{check, deadlocks_in, many, passes_in};
use interleaver::raw::{RawFairRwLock, RawRwLock};
use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::{Counter, RaceCell, Reason, spin_until, sync, thread};
use lock_api::{RawRwLock as _, RwLock};
use std::sync::Arc as StdArc;

fn readers_and_writer<R: lock_api::RawRwLock + Send + Sync + 'static>(raw: R) {
    many(3, (RwLock::from_raw(raw, ()), RaceCell::new(0)), |(lock, cell), i| {
        if i == 2 {
            let _guard = lock.write();
            cell.set(1);
        } else {
            let _guard = lock.read();
            cell.get();
        }
    });
}

#[test]
fn readers_commute_and_a_queue_costs_what_can_be_seen_of_it() {
    // Each reader comes before the writer or after it.
    passes_in(4, &check(|| readers_and_writer(RawRwLock::new())));
    // Or is inside when the writer is queued.
    passes_in(9, &check(|| readers_and_writer(RawFairRwLock::new())));
    for readers in [2, 3, 4] {
        passes_in(1, &check(move || many(readers, RwLock::from_raw(RawFairRwLock::new(), ()), |l, _| drop(l.read()))));
    }
}

fn reads_twice<R: lock_api::RawRwLock + Send + Sync + 'static>(raw: R) {
    let lock = RwLock::from_raw(raw, ());
    many(2, lock, |lock, _| {
        let outer = lock.read();
        let inner = lock.read();
        drop((outer, inner));
    });
}

#[test]
fn without_a_writer_reading_again_is_harmless() {
    passes_in(1, &check(|| reads_twice(RawRwLock::new())));
    passes_in(1, &check(|| reads_twice(RawFairRwLock::new())));
}

#[test]
fn writing_under_ones_own_read_lock_is_a_deadlock() {
    deadlocks_in(1, 1, || {
        let lock = RwLock::from_raw(RawRwLock::new(), ());
        let _reader = lock.read();
        drop(lock.write());
    });
    deadlocks_in(1, 1, || {
        let lock = RwLock::from_raw(RawFairRwLock::new(), ());
        let _reader = lock.read();
        drop(lock.write());
    });
}

#[test]
fn the_standard_locks_writer_can_become_a_reader() {
    let report = check(|| {
        many(2, sync::RwLock::new(0), |lock, _| {
            let mut guard = lock.write().expect("not poisoned");
            *guard += 1;
            let seen = *guard;
            let guard = sync::RwLockWriteGuard::downgrade(guard);
            assert_eq!(*guard, seen, "somebody wrote in between");
        });
    });
    passes_in(2, &report);
}

#[test]
fn releasing_and_reading_again_is_no_downgrade() {
    let report = check(|| {
        many(2, sync::RwLock::new(0), |lock, _| {
            let seen = {
                let mut guard = lock.write().expect("not poisoned");
                *guard += 1;
                *guard
            };
            assert_eq!(*lock.read().expect("not poisoned"), seen, "somebody wrote in between");
        });
    });
    super::common::fails("panic", &report);
}

#[test]
fn reading_again_behind_a_queued_writer_deadlocks_a_fair_lock_only() {
    fn code<R: lock_api::RawRwLock + Send + Sync + 'static>(raw: R) {
        let lock = StdArc::new(RwLock::from_raw(raw, ()));
        let other = lock.clone();
        let handle = thread::spawn(move || drop(other.write()));
        {
            let _outer = lock.read();
            let _inner = lock.read();
        }
        handle.join().expect("no thread panics");
    }
    let fair = check(|| code(RawFairRwLock::named("mmap_lock")));
    let Reason::Deadlock { waits, cycle } = &fair.expect_failure().reason else { panic!("{fair}") };
    assert_eq!(*cycle, 2, "{fair}");
    assert!(waits.join(" ").contains("queued for as writer by thread 1"), "{fair}");
    let plain = check(|| code(RawRwLock::new()));
    plain.expect_pass();
    assert!(plain.is_complete());
}

#[test]
fn downgrade_lets_readers_in_and_no_writer() {
    let report = check(|| {
        let world = StdArc::new((RwLock::from_raw(RawFairRwLock::new(), 0), Counter::new()));
        let other = world.clone();
        let handle = thread::spawn(move || *other.0.write() += 1);
        {
            let mut guard = world.0.write();
            *guard += 1;
            let seen = *guard;
            let guard = lock_api::RwLockWriteGuard::downgrade(guard);
            assert_eq!(*guard, seen);
            world.1.add(1);
        }
        handle.join().expect("no thread panics");
        assert_eq!((*world.0.read(), world.1.sum()), (2, 1));
    });
    report.expect_pass();
    assert!(report.is_complete());
}

#[test]
fn try_locks_fail_and_succeed_without_false_deadlocks() {
    let report = check(|| {
        let lock = StdArc::new(RawRwLock::new());
        let other = lock.clone();
        let handle = thread::spawn(move || {
            let guard = other.lock_exclusive();
            // SAFETY: the guard is proof.
            unsafe { other.unlock_exclusive(guard) };
        });
        if let Some(guard) = lock.try_lock_shared() {
            // SAFETY: the guard is proof.
            unsafe { lock.unlock_shared(guard) };
        }
        handle.join().expect("no thread panics");
    });
    report.expect_pass();
    assert_eq!(report.executions, 3);
}

#[test]
fn a_writer_can_come_before_two_readers_that_need_each_other() {
    use std::sync::atomic::{AtomicBool as StdBool, Ordering};
    let first = StdArc::new(StdBool::new(false));
    let seen = first.clone();
    let report = check(move || {
        let world = StdArc::new((RwLock::from_raw(RawRwLock::new(), ()), AtomicU64::new(0), AtomicU64::new(0)));
        let (a, b) = (world.clone(), world.clone());
        let left = thread::spawn(move || {
            let _guard = a.0.read();
            a.1.store(1, SeqCst);
            spin_until(|| a.2.load(SeqCst) == 1);
        });
        let right = thread::spawn(move || {
            let _guard = b.0.read();
            spin_until(|| b.1.load(SeqCst) == 1);
            b.2.store(1, SeqCst);
        });
        let guard = world.0.write();
        if world.1.load(SeqCst) == 0 {
            // ORDER none: read after the check.
            seen.store(true, Ordering::Relaxed);
        }
        drop(guard);
        left.join().expect("no thread panics");
        right.join().expect("no thread panics");
    });
    report.expect_pass();
    assert!(first.load(Ordering::Relaxed));
}
