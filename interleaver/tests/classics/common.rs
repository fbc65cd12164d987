//! What all classics need.

use interleaver::{Builder, RaceCell, Report, thread};
use std::sync::Arc;

pub fn run<W: Send + Sync + 'static>(
    n: usize,
    world: impl Fn() -> W + Send + Sync + 'static,
    f: fn(&W, usize),
    end: fn(&W),
) -> Report {
    Builder::new().check(move || {
        let world = Arc::new(world());
        let spawn = |i| {
            let world = world.clone();
            thread::spawn(move || f(&world, i))
        };
        let handles: Vec<_> = (0..n).map(spawn).collect();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
        end(&world);
    })
}

#[track_caller]
pub fn passes(report: &Report) {
    report.expect_pass();
    assert!(report.is_complete() && report.blocked == 0, "{report}");
}

#[track_caller]
pub fn fails(report: &Report, kind: &str) {
    assert_eq!(report.expect_failure().reason.kind(), kind, "{report}");
}

pub fn count(cell: &RaceCell<usize>) {
    cell.set(cell.get() + 1);
}
