//! Every kind of failure is found, named, placed, replayed and shrunk.

use interleaver::raw::RawMutex;
use interleaver::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use interleaver::sync::atomic::{AtomicBool, AtomicU64, fence};
use interleaver::sync::{Arc, Mutex};
use interleaver::{Builder, RaceCell, Reason, Report, Strategy, Token, thread};
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
    assert!(failure.notes.iter().any(|n| n.text == "both are done" && n.thread == 0), "{failure}");
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
