//! Random programs: the engine's outcomes are those of brute force, and each trace is explored once.
//!
//! The long form, with 10,000 programs of each family, is the example of the same name.

#[allow(dead_code)]
#[path = "../oracle/mod.rs"]
mod oracle;

use interleaver::Builder;
use oracle::compare::compare;
use oracle::engine::Making;
use oracle::generate::Family;
use oracle::program::{Ins, Program};

/// Compares programs of one family; says how many could be counted.
fn agree(family: Family, making: Making, programs: u64) -> u32 {
    let builder = Builder::new();
    let mut counted = 0;
    for seed in 0..programs {
        let program = family.program(seed);
        let verdict = compare(&program, &builder, making);
        assert!(verdict.is_good(), "{family:?} program {seed}: {verdict:?} {program:?}");
        counted += u32::from(verdict.counted);
    }
    counted
}

#[test]
fn programs_of_flat_threads_agree_with_brute_force() {
    let counted = agree(Family::Flat, Making::AtOnce, 500);
    assert!(counted > 350, "only {counted} programs were small enough to count their traces");
}

#[test]
fn programs_of_nested_threads_agree_with_brute_force() {
    let counted = agree(Family::Nested, Making::AtOnce, 500);
    assert!(counted > 250, "only {counted} programs were small enough to count their traces");
}

#[test]
fn objects_that_are_found_at_their_first_use_change_nothing() {
    agree(Family::Flat, Making::AtFirstUse, 100);
    agree(Family::Nested, Making::AtFirstUse, 200);
}

/// The notification comes between joining the waiters and going to sleep, and what the sleeper does next comes after
/// it, although nothing that it touches says so.
#[test]
fn a_notification_before_the_sleep_orders_what_follows() {
    let waits = vec![Ins::Lock(0), Ins::Wait, Ins::Unlock(0)];
    let program = Program::new(vec![waits, vec![Ins::NotifyOne], vec![Ins::IsLocked(0), Ins::NotifyOne]]);
    let verdict = compare(&program, &Builder::new(), Making::AtOnce);
    assert!(verdict.is_good() && verdict.executions == 15, "{verdict:?}");
}
