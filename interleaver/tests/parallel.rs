//! However a search is divided (workers, shards, the order of tasks), it counts what one worker counts in order.

#[allow(dead_code)]
#[path = "../oracle/mod.rs"]
mod oracle;

use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::{BadMerge, Builder, Frontier, Report, thread};
use oracle::engine::Making;
use oracle::generate::Family;
use oracle::program::Program;
use std::collections::HashSet;
use std::sync::Arc;

fn adds() {
    let x = Arc::new(AtomicU64::new(0));
    let spawn = |_| {
        let x = x.clone();
        thread::spawn(move || (0..3).for_each(|_| _ = x.fetch_add(1, SeqCst)))
    };
    let handles: Vec<_> = (0..3).map(spawn).collect();
    handles.into_iter().for_each(|h| h.join().expect("no thread panics"));
}

#[test]
fn workers_together_count_what_one_counts() {
    for jobs in [1, 2, 3, 8] {
        let report = Builder::new().jobs(jobs).check(adds);
        assert!(report.is_complete());
        assert_eq!((report.executions, report.blocked), (1680, 0), "{jobs} jobs");
        assert_eq!(report.frontier, None);
    }
}

#[test]
fn workers_keep_to_the_budget() {
    for jobs in [2, 5] {
        let report = Builder::new().jobs(jobs).budget(100).check(adds);
        assert_eq!(report.executions, 100, "{jobs} jobs");
        let left = report.frontier.expect("more than a hundred exist");
        assert_eq!(Builder::new().jobs(jobs).resume(left).check(adds).executions, 1580);
    }
}

/// Outcomes, executions and blocked ones of a random program.
fn explored(program: &Program, builder: &Builder, making: Making) -> (HashSet<oracle::brute::Outcome>, u64, u64) {
    let (outcomes, report) = oracle::engine::run(program, builder, making);
    (outcomes, report.executions, report.blocked)
}

fn any_order_agrees(family: Family, making: Making, programs: u64) {
    for seed in 0..programs {
        let program = family.program(seed);
        let in_order = explored(&program, &Builder::new(), making);
        for scatter in 0..3 {
            let builder = Builder { scatter: Some(scatter), ..Builder::new() };
            assert_eq!(explored(&program, &builder, making), in_order, "{family:?} program {seed}: {program:?}");
        }
        if seed % 5 == 0 {
            let builder = Builder::new().jobs(3);
            assert_eq!(explored(&program, &builder, making), in_order, "{family:?} program {seed}: {program:?}");
        }
    }
}

#[test]
fn no_order_of_tasks_changes_what_is_found() {
    any_order_agrees(Family::Flat, Making::AtOnce, 500);
    any_order_agrees(Family::Nested, Making::AtOnce, 500);
    any_order_agrees(Family::Nested, Making::AtFirstUse, 200);
}

/// Explores in rounds: so many executions for each shard, each written down and read again, then merged.
fn in_shards(mut left: Frontier, shards: usize, budget: u64, run: &dyn Fn(&Builder) -> Report) -> (u64, u64) {
    let (mut executions, mut blocked) = (0, 0);
    while left.branches() > 0 {
        let explore = |shard: &Frontier| {
            let shard: Frontier = shard.to_string().parse().expect("it was printed by us");
            let report = run(&Builder::new().budget(budget).resume(shard));
            executions += report.executions;
            blocked += report.blocked;
            let rest = report.frontier.expect("a shard always says what it left");
            rest.to_string().parse().expect("it was printed by us")
        };
        let rests: Vec<Frontier> = left.split(shards).iter().map(explore).collect();
        left = Frontier::merge(&rests).expect("they are the shards of one split");
    }
    (executions, blocked)
}

#[test]
fn shards_that_know_nothing_of_one_another_sum_up_to_the_whole() {
    let first = Builder::new().budget(5).check(adds);
    for (shards, budget) in [(1, 7), (2, 1), (3, 50), (7, 10_000)] {
        let left = first.frontier.clone().expect("there are more than five");
        let sums = in_shards(left, shards, budget, &|builder| builder.check(adds));
        assert_eq!(sums, (1675, 0), "{shards} shards of {budget}");
    }
    let mut shards_needed = 0;
    for seed in 0..300 {
        let (program, making) = (Family::Nested.program(seed), Making::AtOnce);
        let (_, whole, _) = explored(&program, &Builder::new(), making);
        let (_, report) = oracle::engine::run(&program, &Builder::new().budget(3), making);
        let Some(left) = report.frontier else { continue };
        shards_needed += 1;
        let sums = in_shards(left, 2, 4, &|builder| oracle::engine::run(&program, builder, making).1);
        assert_eq!(sums, (whole - 3, 0), "program {seed}: {program:?}");
    }
    assert!(shards_needed > 150, "only {shards_needed} programs had more than three executions");
}

#[test]
fn a_merge_wants_each_shard_once() {
    let left = Builder::new().budget(5).check(adds).frontier.expect("there are more");
    let shards = left.split(3);
    assert_eq!(Frontier::merge(&[]), Err(BadMerge::Nothing));
    assert_eq!(Frontier::merge(std::slice::from_ref(&left)), Err(BadMerge::Strangers));
    assert_eq!(Frontier::merge(&shards[..2]), Err(BadMerge::Incomplete));
    assert_eq!(Frontier::merge(&[shards[0].clone(), shards[1].clone(), shards[1].clone()]), Err(BadMerge::Incomplete));
    assert_eq!(Frontier::merge(&shards), Ok(left));
}
