//! What the tests of all primitives need.

use interleaver::{Builder, Report, thread};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

pub fn check(f: impl Fn() + Send + Sync + 'static) -> Report {
    Builder::new().name("test").check(f)
}

/// Two threads on a shared world; the second one is the main thread.
pub fn two<W: Send + Sync + 'static>(world: W, left: fn(&W), right: fn(&W)) {
    let world = Arc::new(world);
    let other = world.clone();
    let handle = thread::spawn(move || left(&other));
    right(&world);
    handle.join().expect("no thread panics");
}

/// So many threads on a shared world, and main, which joins them.
pub fn many<W: Send + Sync + 'static>(n: usize, world: W, f: impl Fn(&W, usize) + Clone + Send + 'static) {
    let world = Arc::new(world);
    let spawn = |i| {
        let (world, f) = (world.clone(), f.clone());
        thread::spawn(move || f(&world, i))
    };
    let handles: Vec<_> = (0..n).map(spawn).collect();
    handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
}

/// It passes, in so many executions, none of them blocked.
#[track_caller]
pub fn passes_in(executions: u64, report: &Report) {
    report.expect_pass();
    assert!(report.is_complete());
    assert_eq!((report.executions, report.blocked), (executions, 0), "{report}");
}

#[track_caller]
pub fn fails(kind: &str, report: &Report) {
    assert_eq!(report.expect_failure().reason.kind(), kind, "{report}");
}

/// So many executions in all, and so many of them end in a deadlock.
#[track_caller]
pub fn deadlocks_in(deadlocks: u64, executions: u64, f: impl Fn() + Send + Sync + 'static) {
    let report = Builder::new().count_failures().check(f);
    assert!(report.is_complete());
    let counts = (report.deadlocks, report.failures, report.executions, report.blocked);
    assert_eq!(counts, (deadlocks, deadlocks, executions, 0), "{report}");
}

/// What the code returned over all executions of a check that passes.
pub fn results<T: Ord + Clone + Send + 'static>(
    builder: &Builder,
    f: impl Fn() -> T + Send + Sync + 'static,
) -> BTreeSet<T> {
    let seen: Arc<Mutex<BTreeSet<T>>> = Arc::default();
    let all = seen.clone();
    let report = builder.check(move || {
        let result = f();
        all.lock().expect("not poisoned").insert(result);
    });
    report.expect_pass();
    assert!(report.is_complete() && report.blocked == 0, "{report}");
    seen.lock().expect("not poisoned").clone()
}
