//! What a replay tells: notes in their places, names that the code gives, who was stopped, and what came next.

use interleaver::sync::atomic::{AtomicU64, Ordering::SeqCst};
use interleaver::{Builder, Effect, Failure, Reason, is_replay, schedule_so_far, thread};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

/// Two threads add to a word in two steps each; an addition is lost if one comes between the steps of the other.
fn lost_update() {
    let x = Arc::new(AtomicU64::new(7));
    x.describe(format_args!("word {}", 1), hex);
    let add = |x: Arc<AtomicU64>, name: &'static str| {
        move || {
            interleaver::note(format_args!("{name} begins"));
            let old = x.load(SeqCst);
            interleaver::note(format_args!("{name} has read"));
            x.store(old + 1, SeqCst);
        }
    };
    let handles = ["A", "B"].map(|name| thread::spawn(add(Arc::clone(&x), name)));
    handles.into_iter().for_each(|handle| handle.join().expect("no thread panics"));
    x.describe(format_args!("word 1 of 2"), hex);
    assert_eq!(x.load(SeqCst), 9, "an update was lost");
}

fn replayed() -> Failure {
    let report = Builder::new().check(lost_update);
    let token = report.expect_failure().token.clone();
    Builder::new().replay(&token, lost_update).expect_failure().clone()
}

#[test]
fn every_note_has_its_place_between_the_steps() {
    let failure = replayed();
    let mut notes: Vec<(usize, usize, &str)> =
        failure.notes.iter().map(|note| (note.thread, note.steps_before, note.text.as_str())).collect();
    notes.sort_unstable();
    let read = |thread| 1 + failure.steps.iter().position(|step| step.thread == thread).expect("it takes steps");
    // Threads begin before the first step; what they note after one comes directly behind it, whoever goes next.
    assert_eq!(notes, [(1, 0, "A begins"), (1, read(1), "A has read"), (2, 0, "B begins"), (2, read(2), "B has read")]);
    let shown = failure.to_string();
    assert!(shown.contains(". A has read") && shown.contains(". B has read"), "{shown}");
}

#[test]
fn steps_have_the_names_and_values_that_the_code_gives() {
    let failure = replayed();
    // A name that begins with the one before tells more of the same thing.
    assert!(failure.steps.iter().all(|step| step.name == "word 1 of 2"), "{failure}");
    let first = &failure.steps[0];
    assert_eq!((first.verb, first.outcome.as_str(), first.effect), ("load", "= 0x7", Effect::Reads));
    let write = failure.steps.iter().find(|step| step.verb == "store").expect("somebody stores");
    assert_eq!(write.written, Some(("0x7".to_owned(), "0x8".to_owned())));
    assert_eq!(failure.steps.iter().filter(|step| step.preempts).count(), failure.preemptions as usize);
    assert_eq!(failure.failing, Some(0), "main finds the loss");
}

#[test]
fn a_deadlock_is_nobodys_and_says_what_everybody_waits_for() {
    let report = Builder::new().check(|| {
        let locks = Arc::new((interleaver::sync::Mutex::new(()), interleaver::sync::Mutex::new(())));
        let other = Arc::clone(&locks);
        let handle = thread::spawn(move || {
            let _second = other.1.lock();
            let _first = other.0.lock();
        });
        let first = locks.0.lock();
        let second = locks.1.lock();
        drop((first, second));
        handle.join().expect("no thread panics");
    });
    let failure = report.expect_failure();
    assert_eq!((failure.reason.kind(), failure.failing), ("deadlock", None));
    assert_eq!(failure.pending.iter().map(|pending| pending.thread).collect::<Vec<_>>(), [0, 1]);
    assert!(failure.pending.iter().all(|pending| pending.what.starts_with("lock ") && pending.object.is_some()));
}

#[test]
fn a_schedule_that_is_taken_in_the_middle_comes_to_that_execution_again() {
    let taken = Arc::new(Mutex::new(None));
    let taking = Arc::clone(&taken);
    // The outcome 8 is no failure here; the first execution that has it leaves its schedule.
    let body = move |x: u64| {
        if x == 8 {
            taking.lock().expect("nobody panics").get_or_insert(schedule_so_far().expect("a model runs"));
        }
    };
    let sum = || {
        let x = Arc::new(AtomicU64::new(7));
        let other = Arc::clone(&x);
        let handle = thread::spawn(move || other.store(other.load(SeqCst) + 1, SeqCst));
        x.store(x.load(SeqCst) + 1, SeqCst);
        handle.join().expect("no thread panics");
        x.load(SeqCst)
    };
    Builder::new().check(move || body(sum())).expect_pass();
    let token = taken.lock().expect("nobody panics").clone().expect("an update can be lost");
    let strict = move || assert_eq!(sum(), 9);
    assert_eq!(Builder::new().replay(&token, strict).expect_failure().reason.kind(), "panic");
    let simpler = Builder::new().shrink(&token, strict);
    let shrunk = simpler.shrunk.as_deref().or(simpler.failure.as_deref()).expect("it fails");
    assert_eq!(shrunk.preemptions, 1);
    assert_eq!(schedule_so_far(), None, "no model runs");
}

#[test]
fn the_executions_of_the_search_can_be_told_from_those_that_follow_it() {
    let searched = Arc::new(AtomicUsize::new(0));
    let followed = Arc::new(AtomicUsize::new(0));
    let counts = (Arc::clone(&searched), Arc::clone(&followed));
    let report = Builder::new().check(move || {
        let count = if is_replay() { &counts.1 } else { &counts.0 };
        count.fetch_add(1, Ordering::Relaxed);
        let x = Arc::new(AtomicU64::new(0));
        let other = Arc::clone(&x);
        let handle = thread::spawn(move || other.store(1, SeqCst));
        let seen = x.load(SeqCst);
        handle.join().expect("no thread panics");
        assert_eq!(seen, 0);
    });
    assert_eq!(report.expect_failure().reason.kind(), "panic");
    assert_eq!(searched.load(Ordering::Relaxed) as u64, report.executions);
    assert!(followed.load(Ordering::Relaxed) > 0, "the failure is replayed for its notes, and made simpler");
    assert!(!is_replay(), "no model runs");
}

#[test]
fn who_looks_aside_takes_no_steps_and_finds_no_race() {
    let body = |looks: bool| {
        let cell = Arc::new((AtomicU64::new(1), interleaver::RaceCell::new(2_u64)));
        let other = Arc::clone(&cell);
        let handle = thread::spawn(move || {
            other.0.store(3, SeqCst);
            other.1.set(4);
        });
        if looks {
            let seen = interleaver::aside(|| (cell.0.load(SeqCst), cell.1.get()));
            assert!([(1, 2), (3, 4)].contains(&seen), "{seen:?}");
        }
        handle.join().expect("no thread panics");
        assert_eq!((cell.0.load(SeqCst), cell.1.get()), (3, 4));
    };
    let reports = [false, true].map(|looks| Builder::new().check(move || body(looks)));
    reports.iter().for_each(interleaver::Report::expect_pass);
    assert_eq!(reports[0].executions, reports[1].executions);
    assert_eq!(reports[0].longest, reports[1].longest);
}

#[test]
fn a_simpler_failure_is_one_that_the_caller_takes_for_the_same() {
    // A thread that has nothing to do with the loss: a simpler failure does without its steps in between.
    let code = || {
        let idle = Arc::new(AtomicU64::new(0));
        let handle = thread::spawn(move || (0..3).for_each(|_| _ = idle.load(SeqCst)));
        lost_update();
        handle.join().expect("no thread panics");
    };
    let shrinks = |alike: fn(&Reason, &Reason) -> bool| {
        let builder = Builder::new().strategy(interleaver::Strategy::Random { seed: 3 }).alike(alike);
        builder.check(code).shrunk.is_some()
    };
    assert!(shrinks(|_, _| true));
    assert!(!shrinks(|_, _| false), "nothing is alike, so nothing is simpler");
}
