//! C11 happens-before: which orderings publish plain data, and which only seem to.

use interleaver::raw::{BitLock, RawRwLock};
use interleaver::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use interleaver::sync::atomic::{AtomicUsize, Ordering, fence};
use interleaver::{Builder, RaceCell, thread};
use lock_api::{RwLock, RwLockWriteGuard};
use std::sync::Arc;

/// Two cells of plain data and two atomics.
#[derive(Default)]
struct World {
    data: RaceCell<usize>,
    more: RaceCell<usize>,
    x: AtomicUsize,
    y: AtomicUsize,
}

type Role = fn(&World);

fn is_racy(roles: &'static [Role]) -> bool {
    let report = Builder::new().weak_failures(0).check(move || {
        let world = Arc::new(World::default());
        let spawn = |role: &Role| {
            let (world, role) = (world.clone(), *role);
            thread::spawn(move || role(&world))
        };
        let handles: Vec<_> = roles.iter().map(spawn).collect();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
    });
    if let Some(failure) = &report.failure {
        assert_eq!(failure.reason.kind(), "data race", "{report}");
    }
    report.failure.is_some()
}

#[track_caller]
fn ordered(roles: &'static [Role]) {
    assert!(!is_racy(roles), "there should be no race");
}

#[track_caller]
fn racy(roles: &'static [Role]) {
    assert!(is_racy(roles), "there should be a race");
}

/// Reads the data once `x` has this value, seen with this ordering.
fn read_at<const VALUE: usize>(w: &World, order: Ordering) {
    if w.x.load(order) == VALUE {
        w.data.get();
    }
}

fn publish(w: &World) {
    w.data.set(1);
    w.x.store(1, Release);
}

#[test]
fn what_comes_after_a_release_is_not_released() {
    ordered(&[publish, |w| read_at::<1>(w, Acquire)]);
    racy(&[
        |w| {
            w.x.store(1, Release);
            w.data.set(1);
        },
        |w| read_at::<1>(w, Acquire),
    ]);
    racy(&[
        |w| {
            w.x.fetch_add(1, Release);
            w.data.set(1);
        },
        |w| read_at::<1>(w, Acquire),
    ]);
}

#[test]
fn an_update_of_any_ordering_continues_a_release_sequence() {
    ordered(&[publish, |w| _ = w.x.compare_exchange(1, 2, Relaxed, Relaxed), |w| read_at::<2>(w, Acquire)]);
}

#[test]
fn a_store_by_another_thread_or_the_same_ends_a_release_sequence() {
    racy(&[
        publish,
        |w| {
            if w.x.load(Relaxed) == 1 {
                w.x.store(2, Relaxed)
            }
        },
        |w| read_at::<2>(w, Acquire),
    ]);
    racy(&[
        |w| {
            publish(w);
            w.x.store(2, Relaxed);
        },
        |w| read_at::<2>(w, Acquire),
    ]);
}

#[test]
fn an_update_acquires_with_its_own_ordering() {
    ordered(&[publish, |w| {
        if w.x.fetch_add(1, Acquire) == 1 {
            w.data.get();
        }
    }]);
    racy(&[publish, |w| {
        if w.x.fetch_add(1, Release) == 1 {
            w.data.get();
        }
    }]);
}

#[test]
fn a_failed_exchange_acquires_with_the_failure_ordering() {
    ordered(&[publish, |w| {
        if w.x.compare_exchange(7, 8, Relaxed, Acquire) == Err(1) {
            w.data.get();
        }
    }]);
    racy(&[publish, |w| {
        if w.x.compare_exchange(7, 8, AcqRel, Relaxed) == Err(1) {
            w.data.get();
        }
    }]);
    racy(&[
        |w| {
            w.data.set(1);
            let _ = w.x.compare_exchange(7, 8, AcqRel, Acquire);
            w.y.store(1, Relaxed);
        },
        |w| {
            w.x.load(Acquire);
            if w.y.load(Relaxed) == 1 {
                w.data.get();
            }
        },
    ]);
}

#[test]
fn fences_work_for_relaxed_accesses_on_their_side_only() {
    let fenced: Role = |w| {
        w.data.set(1);
        fence(Release);
        w.x.store(1, Relaxed);
    };
    assert!(!fences(fenced, |w| {
        if w.x.load(Relaxed) == 1 {
            fence(Acquire);
            w.data.get();
        }
    }));
    let too_early: Role = |w| {
        fence(Acquire);
        read_at::<1>(w, Relaxed);
    };
    assert!(fences(fenced, too_early));
    let too_late: Role = |w| {
        w.data.set(1);
        w.x.store(1, Relaxed);
        fence(Release);
    };
    assert!(fences(too_late, |w| read_at::<1>(w, Acquire)));
    let data_behind_the_fence: Role = |w| {
        fence(Release);
        w.data.set(1);
        w.x.store(1, Relaxed);
    };
    assert!(fences(data_behind_the_fence, |w| read_at::<1>(w, Acquire)));
    assert!(!fences(fenced, |w| {
        if w.x.load(Relaxed) == 1 {
            fence(SeqCst);
            w.data.get();
        }
    }));
}

fn fences(writer: Role, reader: Role) -> bool {
    is_racy(Vec::leak(vec![writer, reader]))
}

#[test]
fn a_fence_publishes_through_an_update_too() {
    ordered(&[
        |w| {
            w.data.set(1);
            fence(Release);
            w.x.fetch_add(1, Relaxed);
        },
        |w| read_at::<1>(w, Acquire),
    ]);
}

#[test]
fn order_is_handed_on_through_a_third_thread() {
    let relay: Role = |w| {
        if w.x.load(Acquire) == 1 {
            w.y.store(1, Release);
        }
    };
    let last: Role = |w| {
        if w.y.load(Acquire) == 1 {
            w.data.get();
        }
    };
    assert!(!is_racy(Vec::leak(vec![publish, relay, last])));
    let careless: Role = |w| {
        if w.x.load(Relaxed) == 1 {
            w.y.store(1, Release);
        }
    };
    assert!(is_racy(Vec::leak(vec![publish, careless, last])));
}

#[test]
fn readers_do_not_race_and_a_writer_races_with_each_of_them() {
    ordered(&[|w| _ = w.data.get(), |w| _ = w.data.get()]);
    racy(&[|w| _ = w.data.get(), |w| w.data.set(1)]);
    // The second reader is ordered before the writer; the first one came earlier still, but is not.
    racy(&[
        |w| {
            w.data.get();
            w.y.store(1, Relaxed);
        },
        |w| {
            if w.y.load(Relaxed) == 1 {
                w.data.get();
                w.x.store(1, Release);
            }
        },
        |w| {
            if w.x.load(Acquire) == 1 {
                w.data.set(1);
            }
        },
    ]);
}

#[test]
fn starting_and_joining_order_what_stands_on_the_right_side() {
    let run = |early: bool, late: bool| {
        Builder::new().check(move || {
            let world = Arc::new(World::default());
            let other = world.clone();
            world.data.set(1);
            let handle = thread::spawn(move || {
                other.data.get();
                other.more.set(1);
            });
            if early {
                world.data.set(2);
            }
            if late {
                world.more.get();
            }
            handle.join().expect("no thread panics");
            world.more.get();
        })
    };
    run(false, false).expect_pass();
    for report in [run(true, false), run(false, true)] {
        assert_eq!(report.expect_failure().reason.kind(), "data race", "{report}");
    }
}

#[test]
fn a_writer_is_ordered_after_readers_and_readers_are_not_ordered_with_each_other() {
    type Shared = (RwLock<RawRwLock, ()>, RaceCell<usize>, AtomicUsize);
    let run = |first: fn(&Shared), second: fn(&Shared)| {
        Builder::new().check(move || {
            let world: Arc<Shared> =
                Arc::new((RwLock::from_raw(RawRwLock::new(), ()), RaceCell::new(0), AtomicUsize::new(0)));
            let other = world.clone();
            let handle = thread::spawn(move || first(&other));
            second(&world);
            handle.join().expect("no thread panics");
        })
    };
    let read: fn(&Shared) = |w| {
        let _guard = w.0.read();
        w.1.get();
    };
    let write: fn(&Shared) = |w| {
        let _guard = w.0.write();
        w.1.set(1);
    };
    run(read, write).expect_pass();
    // One reader has left before the other comes, but nothing says so.
    let report = run(
        |w| {
            drop(w.0.read());
            w.1.set(1);
            drop(w.0.read());
            w.2.store(1, Relaxed);
        },
        |w| {
            if w.2.load(Relaxed) == 1 {
                let _guard = w.0.read();
                w.1.get();
            }
        },
    );
    assert_eq!(report.expect_failure().reason.kind(), "data race", "{report}");
    // What is done behind a reader's release is not released.
    let report = run(
        |w| {
            drop(w.0.read());
            w.1.get();
        },
        write,
    );
    assert_eq!(report.expect_failure().reason.kind(), "data race", "{report}");
}

#[test]
fn a_downgrade_releases_what_the_writer_did() {
    let report = Builder::new().check(|| {
        let world = Arc::new((RwLock::from_raw(RawRwLock::new(), ()), RaceCell::new(0), AtomicUsize::new(0)));
        let other = world.clone();
        let handle = thread::spawn(move || {
            let guard = other.0.write();
            other.1.set(1);
            let guard = RwLockWriteGuard::downgrade(guard);
            other.2.store(1, Relaxed);
            drop(guard);
        });
        if world.2.load(Relaxed) == 1 {
            let _guard = world.0.read();
            world.1.get();
        }
        handle.join().expect("no thread panics");
    });
    report.expect_pass();
}

#[test]
fn an_unlock_does_not_release_what_comes_after_it() {
    type Shared = (BitLock, RaceCell<usize>, AtomicUsize);
    let run = |owner: fn(&Shared)| {
        Builder::new().check(move || {
            let world: Arc<Shared> = Arc::default();
            let other = world.clone();
            let handle = thread::spawn(move || owner(&other));
            if world.2.load(Relaxed) == 1 {
                world.0.wait();
                world.1.get();
            }
            handle.join().expect("no thread panics");
        })
    };
    run(|w| {
        w.0.lock();
        w.1.set(1);
        w.2.store(1, Relaxed);
        w.0.unlock();
    })
    .expect_pass();
    let report = run(|w| {
        w.0.lock();
        w.0.unlock();
        w.1.set(1);
        w.2.store(1, Relaxed);
    });
    assert_eq!(report.expect_failure().reason.kind(), "data race", "{report}");
}

#[test]
fn the_last_owner_of_an_arc_comes_after_the_others() {
    /// Plain data that is used when it is dropped.
    struct Owned(RaceCell<usize>);
    impl Drop for Owned {
        fn drop(&mut self) {
            self.0.set(3);
        }
    }
    let report = Builder::new().check(|| {
        let owned = interleaver::sync::Arc::new(Owned(RaceCell::new(0)));
        let other = owned.clone();
        let gate = Arc::new(AtomicUsize::new(0));
        let open = gate.clone();
        let handle = thread::spawn(move || {
            other.0.set(1);
            drop(other);
            open.store(1, Relaxed);
        });
        interleaver::spin_until(|| gate.load(Relaxed) == 1);
        drop(owned);
        handle.join().expect("no thread panics");
    });
    report.expect_pass();
}
