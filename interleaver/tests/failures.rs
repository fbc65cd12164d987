//! Every kind of failure is found, named, placed, replayed and shrunk.

use interleaver::raw::{BitLock, RawFairRwLock, RawMutex, RawRwLock};
use interleaver::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use interleaver::sync::atomic::{AtomicBool, AtomicU64, fence};
use interleaver::sync::{Arc, Condvar, Mutex};
use interleaver::{Builder, Counter, Panics, RaceCell, Reason, Report, Strategy, Token, spin_until, thread};
use lock_api::{RawRwLock as _, RwLock};
use std::sync::Arc as StdArc;

fn check(f: impl Fn() + Send + Sync + 'static) -> Report {
    Builder::new().name("test").check(f)
}

/// Two threads on a shared world.
fn two<W: Send + Sync + 'static>(world: W, left: fn(&W), right: fn(&W)) {
    let world = StdArc::new(world);
    let other = world.clone();
    let handle = thread::spawn(move || left(&other));
    right(&world);
    handle.join().expect("no thread panics");
}

fn publish(store: interleaver::sync::atomic::Ordering, load: interleaver::sync::atomic::Ordering) -> Report {
    check(move || {
        let world = StdArc::new((RaceCell::named("data", 0), AtomicBool::new(false).named("ready")));
        let other = world.clone();
        let handle = thread::spawn(move || {
            other.0.set(1);
            other.1.store(true, store);
        });
        if world.1.load(load) {
            assert_eq!(world.0.get(), 1);
        }
        handle.join().expect("no thread panics");
    })
}

#[test]
fn release_and_acquire_publish() {
    let report = publish(Release, Acquire);
    report.expect_pass();
    assert!(report.is_complete());
    assert_eq!(report.executions, 2);
}

#[test]
fn relaxed_publication_is_a_data_race_with_both_places() {
    for (store, load) in [(Relaxed, Acquire), (Release, Relaxed), (Relaxed, Relaxed)] {
        let report = publish(store, load);
        let Reason::DataRace { earlier, later } = &report.expect_failure().reason else { panic!("{report}") };
        assert!(earlier.contains("write of `data`") && earlier.contains("failures.rs"), "{earlier}");
        assert!(later.contains("read of `data`") && later.contains("failures.rs"), "{later}");
    }
}

#[test]
fn fences_publish() {
    let report = check(|| {
        two(
            (RaceCell::new(0), AtomicBool::new(false)),
            |w| {
                w.0.set(1);
                fence(Release);
                w.1.store(true, Relaxed);
            },
            |w| {
                if w.1.load(Relaxed) {
                    fence(Acquire);
                    w.0.get();
                }
            },
        );
    });
    report.expect_pass();
}

#[test]
fn a_lost_update_is_found_shrunk_and_replayed_a_thousand_times() {
    let code = || {
        let x = StdArc::new(AtomicU64::new(0).named("x"));
        let add = |x: StdArc<AtomicU64>| move || x.store(x.load(SeqCst) + 1, SeqCst);
        let handles: Vec<_> = (0..2).map(|_| thread::spawn(add(x.clone()))).collect();
        for handle in handles {
            handle.join().expect("no thread panics");
        }
        interleaver::note(format_args!("both are done"));
        assert_eq!(x.load(SeqCst), 2, "an update was lost");
    };
    let report = check(code);
    let failure = report.expect_failure();
    assert!(
        matches!(&failure.reason, Reason::Panic { message, .. } if message.contains("an update was lost")),
        "{report}"
    );
    let text = failure.token.to_string();
    let token: Token = text.parse().expect("it was printed by us");
    assert_eq!(token, failure.token);
    assert!(format!("{failure}").contains("load `x` = 0"), "{failure}");
    assert!(failure.steps.iter().any(|s| s.notes.iter().any(|n| n == "both are done")), "{failure}");
    let best = report.shrunk.as_deref().unwrap_or(failure);
    assert_eq!(best.preemptions, 1, "{report}");
    for _ in 0..1_000 {
        let again = Builder::new().name("test").replay(&token, code);
        assert_eq!(again.expect_failure().steps, failure.steps);
    }
}

#[test]
fn crossed_locks_deadlock_with_names_holders_and_places() {
    let report = check(|| {
        two(
            (Mutex::new(()).named("left"), Mutex::new(()).named("right")),
            |w| {
                let _a = w.0.lock();
                let _b = w.1.lock();
            },
            |w| {
                let _b = w.1.lock();
                let _a = w.0.lock();
            },
        );
    });
    let Reason::Deadlock { waits, cycle } = &report.expect_failure().reason else { panic!("{report}") };
    assert_eq!(*cycle, 2, "{report}");
    let text = waits.join("\n");
    for part in ["`left`", "`right`", "held by thread 0 `main` since", "held by thread 1 since", "failures.rs"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
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

#[test]
fn an_endless_loop_is_a_livelock_with_the_part_that_repeats() {
    let report = Builder::new().max_steps(500).check(|| {
        let x = AtomicU64::new(0).named("x");
        loop {
            x.fetch_add(1, SeqCst);
            x.fetch_sub(1, SeqCst);
        }
    });
    let Reason::Livelock { repeating, .. } = &report.expect_failure().reason else { panic!("{report}") };
    assert_eq!(repeating.len(), 2, "{report}");
}

#[test]
fn spinning_for_what_never_comes_is_found() {
    let spin = check(|| {
        let flag = AtomicBool::new(false);
        while !flag.load(Acquire) {
            interleaver::hint::spin_loop();
        }
    });
    assert_eq!(spin.expect_failure().reason.kind(), "livelock");
    let wait = check(|| {
        let flag = AtomicBool::new(false);
        spin_until(|| flag.load(Acquire));
    });
    assert_eq!(wait.expect_failure().reason.kind(), "deadlock");
}

#[test]
fn spinning_for_what_comes_ends() {
    let report = check(|| {
        two(
            (AtomicBool::new(false), RaceCell::new(0)),
            |w| {
                w.1.set(1);
                w.0.store(true, Release);
            },
            |w| {
                while !w.0.load(Acquire) {
                    thread::yield_now();
                }
                assert_eq!(w.1.get(), 1);
            },
        );
    });
    report.expect_pass();
    assert!(report.is_complete());
    assert_eq!(report.blocked, 0);
}

#[test]
fn a_condition_costs_one_execution() {
    let report = check(|| {
        two(
            (AtomicU64::new(0), RaceCell::new(0)),
            |w| {
                w.1.set(1);
                w.0.store(1, Release);
            },
            |w| {
                spin_until(|| w.0.load(Acquire) == 1);
                assert_eq!(w.1.get(), 1);
            },
        );
    });
    report.expect_pass();
    assert_eq!(report.executions, 1);
}

#[test]
fn nondeterminism_is_explained() {
    use std::sync::atomic::AtomicU32;
    let calls = AtomicU32::new(0);
    let report = check(move || {
        // ORDER none: one thread at a time; this is the mistake that the test is about.
        let odd = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 == 1;
        let x = StdArc::new(AtomicU64::new(0));
        let other = x.clone();
        let handle = thread::spawn(move || other.store(1, SeqCst));
        if odd {
            x.fetch_add(1, SeqCst);
        }
        x.load(SeqCst);
        handle.join().expect("no thread panics");
    });
    let reason = &report.expect_failure().reason;
    assert_eq!(reason.kind(), "nondeterminism", "{reason}");
    assert!(reason.to_string().contains("expected"), "{reason}");
}

#[test]
fn outside_a_model_there_is_one_clear_sentence() {
    let panic = std::panic::catch_unwind(|| AtomicU64::new(0).load(SeqCst)).expect_err("no model runs");
    let message = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("outside a model"), "{message}");
}

#[test]
fn leaks_are_found_if_asked() {
    let code = || std::mem::forget(Arc::new(RawMutex::new()));
    check(code).expect_pass();
    let report = Builder::new().check_leaks().check(code);
    assert_eq!(report.expect_failure().reason, Reason::Leak { objects: 1 });
    Builder::new().check_leaks().check(|| drop(Arc::new(1))).expect_pass();
}

#[test]
fn a_panic_can_be_joined() {
    let report = Builder::new().panics(Panics::Join).check(|| {
        let result = thread::spawn(|| -> u32 { panic!("on purpose") }).join();
        assert!(result.is_err());
    });
    report.expect_pass();
}

/// Takes steps while it is dropped, and keeps others from being abandoned.
struct Busy(StdArc<(Mutex<u32>, AtomicU64)>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.1.fetch_add(1, SeqCst);
        if let Ok(mut guard) = self.0.0.lock() {
            *guard += 1;
        }
    }
}

#[test]
fn abandoned_threads_may_catch_panics_and_take_steps_in_destructors() {
    let report = check(|| {
        let world = StdArc::new((Mutex::new(0), AtomicU64::new(0)));
        let other = world.clone();
        let handle = thread::spawn(move || {
            let _busy = Busy(other.clone());
            loop {
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let guard = other.0.lock();
                    other.1.fetch_add(1, SeqCst);
                    drop(guard);
                }));
                if caught.is_ok() {
                    break;
                }
            }
        });
        let _busy = Busy(world.clone());
        assert_eq!(world.1.load(SeqCst), 0, "some interleaving fails");
        handle.join().expect("no thread panics");
    });
    assert_eq!(report.expect_failure().reason.kind(), "panic");
    check(|| ()).expect_pass();
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
fn sampling_and_bounded_strategies_find_a_lost_update() {
    let code = || {
        two(
            (AtomicU64::new(0), ()),
            |w| w.0.store(w.0.load(SeqCst) + 1, SeqCst),
            |w| {
                w.0.store(w.0.load(SeqCst) + 1, SeqCst);
                // Two increments in a row after the other thread's end give two.
            },
        );
    };
    let broken = move || {
        code();
        let x = StdArc::new(AtomicU64::new(0));
        let other = x.clone();
        let handle = thread::spawn(move || other.store(other.load(SeqCst) + 1, SeqCst));
        x.store(x.load(SeqCst) + 1, SeqCst);
        handle.join().expect("no thread panics");
        assert_eq!(x.load(SeqCst), 2);
    };
    for strategy in [Strategy::Random { seed: 1 }, Strategy::Pct { seed: 1, depth: 2 }, Strategy::Preemptions(1)] {
        let report = Builder::new().strategy(strategy).budget(1_000).check(broken);
        assert_eq!(report.expect_failure().reason.kind(), "panic", "{report}");
        assert!(!report.is_complete());
    }
    let none = Builder::new().preemptions(0).check(broken);
    none.expect_pass();
    assert!(none.is_complete() && none.scope.contains("at most 0"), "{none}");
    let some = Builder::new().strategy(Strategy::Pct { seed: 1, depth: 1 }).budget(50).check(broken);
    assert!(some.scope.contains("probability at least") && !some.is_complete(), "{some}");
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
    })
    .expect_pass();
}

#[test]
fn an_execution_budget_stops_with_an_estimate() {
    let code = || {
        let x = StdArc::new(AtomicU64::new(0));
        let spawn = |_| {
            let x = x.clone();
            thread::spawn(move || (0..3).for_each(|_| _ = x.fetch_add(1, SeqCst)))
        };
        let handles: Vec<_> = (0..3).map(spawn).collect();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
    };
    let report = Builder::new().budget(100).check(code);
    assert!(!report.is_complete() && report.executions == 100 && report.estimate > 100.0, "{report}");
    let all = Builder::new().check(code);
    assert_eq!((all.executions, all.blocked, all.is_complete()), (1680, 0, true));
}

#[test]
fn locks_made_in_a_const_work() {
    let report = check(|| {
        let lock: StdArc<lock_api::Mutex<RawMutex, u32>> = StdArc::new(lock_api::Mutex::new(0));
        let other = lock.clone();
        let handle = thread::spawn(move || *other.lock() += 1);
        *lock.lock() += 1;
        handle.join().expect("no thread panics");
        assert_eq!(*lock.lock(), 2);
    });
    report.expect_pass();
    assert_eq!(report.executions, 2);
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
