//! Counters: additions commute, reading the sum does not.

use super::common::{check, many, passes_in, results};
use interleaver::{Builder, Counter, thread};
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn additions_cost_nothing() {
    let report = check(|| {
        let counter = Arc::new(Counter::named("hits"));
        many(4, counter.clone(), |counter, i| (0..3).for_each(|_| counter.add(i as u64)));
        assert_eq!(counter.sum(), 3 * (1 + 2 + 3));
    });
    passes_in(1, &report);
}

#[test]
fn a_sum_in_between_sees_each_set_of_additions() {
    let code = || {
        let counter = Arc::new(Counter::new());
        let spawn = |i: u64| {
            let counter = counter.clone();
            thread::spawn(move || counter.add(1 << i))
        };
        let handles: Vec<_> = (0..3).map(spawn).collect();
        let sum = counter.sum();
        handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
        sum
    };
    passes_in(8, &check(move || _ = code()));
    assert_eq!(results(&Builder::new(), code), BTreeSet::from_iter(0..8));
}

#[test]
fn a_counter_wraps_around() {
    let report = check(|| {
        let counter = Counter::new();
        counter.add(1);
        counter.add(2_u64.wrapping_neg());
        assert_eq!(counter.sum(), 1_u64.wrapping_neg());
    });
    passes_in(1, &report);
}
