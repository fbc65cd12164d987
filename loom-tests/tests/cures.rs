//! loom's faults, shown on plain loom, and that the loom back end has none of them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex};

use pagerace::platform::loom::{Atomic, Bounds, Environment, FairRwSem, Loom, explore};
use pagerace::platform::{AtomicWord, Exploration, NewLock, Platform, RaceCell, TwoLevels, Verdict, Watch};
use parking_lot::lock_api::{RawRwLock, RawRwLockDowngrade, RwLock, RwLockWriteGuard};

type P = Loom<TwoLevels>;

/// The set of what `body` noted in all executions.
fn outcomes<T: Ord + Clone + Send + 'static>(
    actors: usize,
    preemptions: Option<u8>,
    body: impl Fn(&dyn Fn(T)) + Send + Sync + 'static,
) -> (Exploration, BTreeSet<T>) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let noting = Arc::clone(&seen);
    let exploration =
        explore(Bounds { actors, preemptions, environment: Environment::Yields }, &Watch::default(), move || {
            body(&|outcome| {
                noting.lock().expect("not poisoned").insert(outcome);
            });
        });
    (exploration, contents(&seen))
}

/// The same for plain loom.
fn outcomes_of_plain_loom<T: Ord + Clone + Send + 'static>(
    body: impl Fn(&dyn Fn(T)) + Send + Sync + 'static,
) -> BTreeSet<T> {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let noting = Arc::clone(&seen);
    loom::model(move || {
        body(&|outcome| {
            noting.lock().expect("not poisoned").insert(outcome);
        });
    });
    contents(&seen)
}

fn contents<T: Clone>(seen: &Mutex<BTreeSet<T>>) -> BTreeSet<T> {
    seen.lock().expect("not poisoned").clone()
}

#[test]
fn a_load_before_a_load_and_store_sees_both_values() {
    let plain = outcomes_of_plain_loom(|note| {
        let y = Arc::new(loom::sync::atomic::AtomicU64::new(0));
        let theirs = Arc::clone(&y);
        let writer = loom::thread::spawn(move || {
            theirs.load(Relaxed);
            theirs.store(1, Relaxed);
        });
        note(y.load(Relaxed));
        writer.join().expect("no panic");
    });
    let (exploration, cured) = outcomes(2, None, |note| {
        let y = Arc::new(Atomic::new(0));
        let (theirs, ours) = (Arc::clone(&y), y);
        let reader = P::spawn("reader".to_owned(), move || theirs.load(Relaxed));
        let writer = P::spawn("writer".to_owned(), move || {
            ours.load(Relaxed);
            ours.store(1, Relaxed);
        });
        P::join(writer);
        note(P::join(reader));
    });
    assert_eq!(exploration.verdict, Verdict::Holds);
    assert_eq!(cured, BTreeSet::from([0, 1]));
    assert_eq!(plain, BTreeSet::from([0]), "loom was mended: the companions can go");
}

#[test]
fn a_store_beside_an_update_is_never_undone() {
    let plain = outcomes_of_plain_loom(|note| {
        let y = Arc::new(loom::sync::atomic::AtomicU64::new(0));
        let theirs = Arc::clone(&y);
        let updater = loom::thread::spawn(move || theirs.fetch_or(0, Relaxed));
        y.store(1, Relaxed);
        updater.join().expect("no panic");
        note(y.load(Relaxed));
    });
    let (exploration, cured) = outcomes(2, None, |note| {
        let y = Arc::new(Atomic::new(0));
        let (theirs, ours) = (Arc::clone(&y), Arc::clone(&y));
        let updater = P::spawn("updater".to_owned(), move || theirs.fetch_add(0, Relaxed));
        let storer = P::spawn("storer".to_owned(), move || ours.store(1, Relaxed));
        P::join(updater);
        P::join(storer);
        note(y.load(Relaxed));
    });
    assert_eq!(exploration.verdict, Verdict::Holds);
    assert_eq!(cured, BTreeSet::from([1]));
    assert_eq!(plain, BTreeSet::from([0, 1]), "loom was mended: the swaps can go");
}

type Semaphore = RwLock<FairRwSem, ()>;

fn semaphore() -> Arc<Semaphore> {
    Arc::new(RwLock::from_raw(FairRwSem::new_lock("the test"), ()))
}

#[test]
fn a_try_lock_has_both_answers_and_no_false_deadlock() {
    let (exploration, answers) = outcomes(2, None, |note| {
        let lock = semaphore();
        let (theirs, ours) = (Arc::clone(&lock), lock);
        let trier = P::spawn("trier".to_owned(), move || theirs.try_read().is_some());
        let writer = P::spawn("writer".to_owned(), move || drop(ours.write()));
        P::join(writer);
        note(P::join(trier));
    });
    assert_eq!(exploration.verdict, Verdict::Holds);
    assert_eq!(answers, BTreeSet::from([false, true]));
}

#[test]
fn whoever_tries_a_lock_can_be_waited_for_under_it() {
    let (plain, _) = outcomes::<()>(0, None, |_| {
        let lock = Arc::new(loom::sync::Mutex::new(()));
        let theirs = Arc::clone(&lock);
        let trier = loom::thread::spawn(move || drop(theirs.try_lock()));
        let _held = lock.lock();
        trier.join().expect("no panic");
    });
    let (cured, answers) = outcomes(1, None, |note| {
        let lock = semaphore();
        let theirs = Arc::clone(&lock);
        let trier = P::spawn("trier".to_owned(), move || theirs.try_read().is_some());
        let _held = lock.write();
        note(P::join(trier));
    });
    assert_eq!(cured.verdict, Verdict::Holds);
    assert_eq!(answers, BTreeSet::from([false, true]));
    let is_deadlock = matches!(&plain.verdict, Verdict::Violated(words) if words.starts_with("deadlock"));
    assert!(is_deadlock, "loom was mended: the semaphore can use its locks ({plain:?})");
}

#[test]
fn a_recursive_read_behind_a_queued_writer_deadlocks() {
    let (exploration, _) = outcomes::<()>(2, None, |_| {
        let lock = semaphore();
        let (theirs, ours) = (Arc::clone(&lock), lock);
        let reader = P::spawn("reader".to_owned(), move || {
            let _outer = theirs.read();
            let _inner = theirs.read();
        });
        let writer = P::spawn("writer".to_owned(), move || drop(ours.write()));
        P::join(reader);
        P::join(writer);
    });
    assert!(
        matches!(&exploration.verdict, Verdict::Violated(words) if words.starts_with("deadlock")),
        "{exploration:?}"
    );
}

#[test]
fn a_recursive_read_without_a_writer_passes() {
    let (exploration, _) = outcomes::<()>(2, None, |_| {
        let lock = semaphore();
        let readers = [0, 1].map(|_| {
            let lock = Arc::clone(&lock);
            P::spawn("reader".to_owned(), move || {
                let _outer = lock.read();
                let _inner = lock.read();
            })
        });
        readers.into_iter().for_each(P::join);
    });
    assert_eq!(exploration.verdict, Verdict::Holds);
}

#[test]
fn writers_exclude_everybody_also_across_a_downgrade() {
    let (exploration, sums) = outcomes(3, Some(2), |note| {
        let lock = semaphore();
        let data = Arc::new(RaceCell::<P, u64>::new("the test", 0));
        let mut threads = Vec::new();
        for _ in 0..2 {
            let (lock, data) = (Arc::clone(&lock), Arc::clone(&data));
            threads.push(P::spawn("writer".to_owned(), move || {
                let guard = lock.write();
                data.set(data.get() + 1);
                let guard = RwLockWriteGuard::downgrade(guard);
                let mine = data.get();
                drop(guard);
                mine
            }));
        }
        let reader = P::spawn("reader".to_owned(), move || {
            let _guard = lock.read();
            data.get()
        });
        let mut sum = P::join(reader) * 100;
        sum += threads.into_iter().map(P::join).sum::<u64>();
        note(sum);
    });
    assert_eq!(exploration.verdict, Verdict::Holds);
    // Each writer sees its own increment and none that comes during its downgraded hold; the reader sees 0, 1 or 2.
    assert_eq!(sums, BTreeSet::from([3, 103, 203]));
}

#[test]
fn a_race_on_plain_data_names_what_it_upholds() {
    let race = |order| {
        let (exploration, _) = outcomes::<()>(2, None, move |_| {
            let data = Arc::new(RaceCell::<P, u64>::new("D0 (the example)", 0));
            let flag = Arc::new(Atomic::new(0));
            let (data_too, flag_too) = (Arc::clone(&data), Arc::clone(&flag));
            let writer = P::spawn("writer".to_owned(), move || {
                data.set(1);
                flag.store(1, order);
            });
            let reader = P::spawn("reader".to_owned(), move || {
                if flag_too.load(Acquire) == 1 {
                    assert_eq!(data_too.get(), 1);
                }
            });
            P::join(writer);
            P::join(reader);
        });
        exploration.verdict
    };
    assert_eq!(race(Release), Verdict::Holds);
    let Verdict::Violated(words) = race(Relaxed) else { panic!("a relaxed publication is a race") };
    assert!(words.starts_with("data race on what upholds D0 (the example)"), "{words}");
}

/// One operation of a random program.
#[derive(Clone, Copy, Debug)]
enum Op {
    Load(usize),
    Store(usize, u64),
    Add(usize, u64),
}

const WORDS: usize = 2;

type Program = Vec<Vec<Op>>;

/// xorshift64: random enough to pick operations, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn program(&mut self) -> Program {
        let mut value = 0;
        let threads = 2 + self.below(2);
        let length = if threads == 2 { 3 } else { 1 };
        (0..threads)
            .map(|_| {
                let ops = 1 + self.below(length);
                (0..ops)
                    .map(|_| {
                        let word = self.below(WORDS as u64) as usize;
                        value += 1;
                        match self.below(5) {
                            0 | 1 => Op::Load(word),
                            2 | 3 => Op::Store(word, value),
                            _ => Op::Add(word, value * 100),
                        }
                    })
                    .collect()
            })
            .collect()
    }
}

/// What every thread read, and what memory holds in the end.
type Result = (Vec<Vec<u64>>, [u64; WORDS]);

/// Every sequentially consistent outcome, by brute force.
fn sequentially_consistent(program: &Program) -> BTreeSet<Result> {
    fn go(
        program: &Program,
        at: &mut [usize],
        reads: &mut Vec<Vec<u64>>,
        memory: [u64; WORDS],
        all: &mut BTreeSet<Result>,
    ) {
        let mut ended = true;
        for thread in 0..program.len() {
            let Some(op) = program[thread].get(at[thread]) else { continue };
            ended = false;
            let mut next = memory;
            let read = match *op {
                Op::Load(word) => Some(memory[word]),
                Op::Store(word, value) => {
                    next[word] = value;
                    None
                }
                Op::Add(word, value) => {
                    next[word] += value;
                    Some(memory[word])
                }
            };
            at[thread] += 1;
            reads[thread].extend(read);
            go(program, at, reads, next, all);
            at[thread] -= 1;
            if read.is_some() {
                reads[thread].pop();
            }
        }
        if ended {
            all.insert((reads.clone(), memory));
        }
    }
    let mut all = BTreeSet::new();
    go(program, &mut vec![0; program.len()], &mut vec![Vec::new(); program.len()], [0; WORDS], &mut all);
    all
}

fn under_loom(program: &Program) -> BTreeSet<Result> {
    let actors = program.len();
    let program = program.clone();
    let (exploration, seen) = outcomes(actors, None, move |note| {
        let memory = Arc::new([(); WORDS].map(|()| Atomic::new(0)));
        let threads: Vec<_> = program
            .iter()
            .cloned()
            .map(|ops| {
                let memory = Arc::clone(&memory);
                P::spawn("thread".to_owned(), move || {
                    let run = |op: Op| match op {
                        Op::Load(word) => Some(memory[word].load(Acquire)),
                        Op::Store(word, value) => {
                            memory[word].store(value, Release);
                            None
                        }
                        Op::Add(word, value) => Some(memory[word].fetch_add(value, AcqRel)),
                    };
                    ops.into_iter().filter_map(run).collect::<Vec<_>>()
                })
            })
            .collect();
        let reads = threads.into_iter().map(P::join).collect();
        note((reads, [0, 1].map(|word| memory[word].load(Relaxed))));
    });
    assert_eq!(exploration.verdict, Verdict::Holds);
    seen
}

#[test]
fn no_outcome_of_a_random_program_is_lost() {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = Random(SEED);
    for number in 0..150 {
        let program = random.program();
        let missed: Vec<_> = sequentially_consistent(&program).difference(&under_loom(&program)).cloned().collect();
        assert!(missed.is_empty(), "program {number} of seed {SEED:#x}, {program:?}, never came to {missed:?}");
    }
}

/// What is asked of a raw semaphore here, so that a change of its traits is noticed where it matters.
const _: fn() = || {
    fn is_downgradable<R: RawRwLock + RawRwLockDowngrade>() {}
    is_downgradable::<FairRwSem>();
};
