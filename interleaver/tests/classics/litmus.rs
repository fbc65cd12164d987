//! Litmus tests: what threads may see of each other's stores.

use super::common::passes;
use interleaver::sync::atomic::AtomicUsize;
use interleaver::sync::atomic::Ordering::Relaxed;
use interleaver::{Builder, thread};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as StdMutex};

/// Runs a litmus test and collects what the threads saw.
fn litmus(n: usize, f: fn(&[AtomicUsize; 2], usize) -> usize) -> BTreeSet<Vec<usize>> {
    let seen: Arc<StdMutex<BTreeSet<Vec<usize>>>> = Arc::default();
    let all = seen.clone();
    let report = Builder::new().check(move || {
        let world: Arc<[AtomicUsize; 2]> = Arc::default();
        let spawn = |i| {
            let world = world.clone();
            thread::spawn(move || f(&world, i))
        };
        let handles: Vec<_> = (0..n).map(spawn).collect();
        let outcome = handles.into_iter().map(|h| h.join().expect("no thread panics")).collect();
        all.lock().expect("not poisoned").insert(outcome);
    });
    passes(&report);
    seen.lock().expect("not poisoned").clone()
}

fn set(outcomes: &[&[usize]]) -> BTreeSet<Vec<usize>> {
    outcomes.iter().map(|o| o.to_vec()).collect()
}

#[test]
fn store_buffering_never_sees_two_zeros() {
    let seen = litmus(2, |x, i| {
        x[i].store(1, Relaxed);
        x[1 - i].load(Relaxed)
    });
    assert_eq!(seen, set(&[&[0, 1], &[1, 0], &[1, 1]]));
}

#[test]
fn message_passing_never_sees_the_flag_without_the_data() {
    let seen = litmus(2, |x, i| {
        if i == 0 {
            x[0].store(1, Relaxed);
            x[1].store(1, Relaxed);
            return 0;
        }
        x[1].load(Relaxed) * 2 + x[0].load(Relaxed)
    });
    assert_eq!(seen, set(&[&[0, 0], &[0, 1], &[0, 3]]));
}

#[test]
fn load_buffering_never_sees_two_ones() {
    let seen = litmus(2, |x, i| {
        let value = x[i].load(Relaxed);
        x[1 - i].store(1, Relaxed);
        value
    });
    assert_eq!(seen, set(&[&[0, 0], &[0, 1], &[1, 0]]));
}

#[test]
fn independent_reads_agree_on_the_order_of_writes() {
    let seen = litmus(4, |x, i| {
        if i < 2 {
            x[i].store(1, Relaxed);
            return 0;
        }
        let first = x[i - 2].load(Relaxed);
        first * 2 + x[3 - i].load(Relaxed)
    });
    assert!(!seen.contains(&vec![0, 0, 2, 2]));
    assert_eq!(seen.len(), 15);
}

#[test]
fn reads_of_one_location_do_not_go_back() {
    let seen = litmus(2, |x, i| {
        if i == 0 {
            x[0].store(1, Relaxed);
            return 0;
        }
        let first = x[0].load(Relaxed);
        first * 2 + x[0].load(Relaxed)
    });
    assert_eq!(seen, set(&[&[0, 0], &[0, 1], &[0, 3]]));
}
