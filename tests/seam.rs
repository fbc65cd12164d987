//! What the interleaver says of small kernels on the seam that are broken on purpose, beside the same kernels healed:
//! an entry that publishes nothing, a semaphore that is read twice, a test that is not repeated under the lock.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use interleaver::{Builder, Token};
use pagerace::locks::{LockClass, RwSem, Spin};
use pagerace::phys::{CpuId, PageState, Pfn, PhysConfig, PhysMem};
use pagerace::platform::interleaved::{Interleaved, Search, explore};
use pagerace::platform::{Exploration, Ordering, Platform, RaceCell, TwoLevels, Verdict, Watch};

type P = Interleaved<TwoLevels>;
type Word = <P as Platform>::AtomicU64;

fn explored(name: &str, body: impl Fn() + Send + Sync + 'static) -> Exploration {
    explore(name, Search::Everything, &Watch::default(), body)
}

fn violation(exploration: &Exploration) -> &str {
    match &exploration.verdict {
        Verdict::Violated(words) => words,
        Verdict::Holds | Verdict::Stopped => panic!("it should fail: {exploration:?}"),
    }
}

/// The place, as a report writes it, of the line of this file that ends in the comment `mark`.
fn place(mark: &str) -> String {
    let comment = ["// ", mark].concat();
    let line = include_str!("seam.rs").lines().position(|line| line.ends_with(&comment)).expect("the mark is there");
    format!("{}:{}:", file!(), line + 1)
}

/// A page table, as the hardware reads it: words that begin as garbage, and the ghost that says that they were set up.
struct Table {
    words: <P as Platform>::Words,
    set_up: RaceCell<P, u64>,
}

/// What walks read from the table, over all executions.
type Reads = Arc<Mutex<BTreeSet<u64>>>;

/// One thread sets a table up and links it; another one walks.
fn publication(order: Ordering, reads: &Reads) {
    let table = Table { words: P::words(2).expect("two words"), set_up: RaceCell::new("D5 (the test)", 0) };
    let world = Arc::new((table, Word::new(0)));
    let (theirs, reads) = (Arc::clone(&world), Arc::clone(reads));
    let fault = P::spawn("fault".to_owned(), move || {
        let (table, entry) = &*theirs;
        table.words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        table.set_up.set(1); // sets it up
        entry.store(1, order);
    });
    let walk = P::spawn("walk".to_owned(), move || {
        let (table, entry) = &*world;
        if entry.load(Ordering::Acquire) == 1 {
            let read = table.words[1].load(Ordering::Relaxed);
            reads.lock().expect("not poisoned").insert(read);
            table.set_up.get(); // follows the entry
        }
    });
    P::join(fault);
    P::join(walk);
}

#[test]
fn a_relaxed_publication_of_a_table_is_a_data_race_with_both_places() {
    let unread = Reads::default();
    let relaxed = explored("relaxed", move || publication(Ordering::Relaxed, &unread));
    let words = violation(&relaxed);
    assert!(words.starts_with("data race: read of `D5 (the test)`"), "{words}");
    assert!(words.contains(&place("sets it up")) && words.contains(&place("follows the entry")), "{words}");
    let released = explored("release", move || publication(Ordering::Release, &Reads::default()));
    assert_eq!(released.verdict, Verdict::Holds);
}

/// The race is found by what orders the accesses, not by a value: in no interleaving is there a wrong one.
#[test]
fn a_relaxed_publication_is_found_although_no_interleaving_reads_garbage() {
    let reads = Reads::default();
    let noting = Arc::clone(&reads);
    let report = Builder::new().count_failures().check(move || publication(Ordering::Relaxed, &noting));
    assert!(report.is_complete() && report.failures > 0 && report.failures < report.executions, "{report}");
    assert_eq!(*reads.lock().expect("not poisoned"), BTreeSet::from([0]));
}

/// The same with the frames of the modelled kernel and their own ghost.
fn frame_publication(order: Ordering) {
    const CPU: CpuId = CpuId::new(0);
    let config = PhysConfig { pcp_batch: 1, ..PhysConfig::linux(Pfn::truncate(0x100), 2, 1) };
    let memory = Arc::new(PhysMem::<P>::new(&config).expect("a checker's memory is an array"));
    let table = |level| memory.alloc_page(CPU, PageState::Table { level }).expect("there are two frames");
    let (root, below) = (table(2), table(1));
    memory.clear_page(root);
    let theirs = Arc::clone(&memory);
    let fault = P::spawn("fault".to_owned(), move || {
        theirs.clear_page(below); // clears the frame
        theirs.word(root, 0).store(below.number(), order);
    });
    let walk = P::spawn("walk".to_owned(), move || {
        let entry = memory.word(root, 0).load(Ordering::Acquire);
        if entry != 0 {
            let read = memory.word(Pfn::truncate(entry), 1).load(Ordering::Relaxed); // walks on
            assert_eq!(read, 0, "garbage");
        }
    });
    P::join(fault);
    P::join(walk);
}

#[test]
fn a_frame_that_nothing_publishes_is_a_data_race_on_its_contents() {
    let relaxed = explored("relaxed", || frame_publication(Ordering::Relaxed));
    let words = violation(&relaxed);
    assert!(words.starts_with("data race: read of `D5 and D22"), "{words}");
    assert!(words.contains(&place("clears the frame")) && words.contains(&place("walks on")), "{words}");
    assert_eq!(explored("release", || frame_publication(Ordering::Release)).verdict, Verdict::Holds);
}

/// Whether somebody writes beside the recursive reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    Reader,
    Writer,
}

fn recursive_reader(beside: Beside) -> Exploration {
    explored("recursive read", move || {
        let lock = Arc::new(RwSem::<P, ()>::new(LockClass::MmapLock, ()));
        let theirs = Arc::clone(&lock);
        let reader = P::spawn("reader".to_owned(), move || {
            let _outer = theirs.read(); // the first read
            let _inner = theirs.read(); // the second read
        });
        let other = P::spawn("other".to_owned(), move || match beside {
            Beside::Nobody => {}
            Beside::Reader => drop(lock.read()),
            Beside::Writer => drop(lock.write()), // the write
        });
        P::join(reader);
        P::join(other);
    })
}

#[test]
fn a_recursive_read_behind_a_queued_writer_is_a_deadlock_with_its_places_and_its_class() {
    let deadlock = recursive_reader(Beside::Writer);
    let words = violation(&deadlock);
    assert!(words.starts_with("deadlock, a cycle of 2 thread(s)"), "{words}");
    for place in ["the first read", "the second read", "the write"].map(place) {
        assert!(words.contains(&place), "{place} is missing: {words}");
    }
    let cycle: Vec<_> = words.lines().filter(|line| line.contains("`mm->mmap_lock`")).collect();
    assert_eq!(cycle.len(), 2, "both waits name the lock: {words}");
    assert!(cycle.iter().any(|line| line.contains("`reader` waits")), "{words}");
    assert!(cycle.iter().any(|line| line.contains("`other` waits")), "{words}");
}

#[test]
fn a_recursive_read_without_a_writer_passes() {
    for beside in [Beside::Nobody, Beside::Reader] {
        assert_eq!(recursive_reader(beside).verdict, Verdict::Holds);
    }
}

/// Two faults on one PTE that do not look again once they have the table's lock.
fn two_faults_without_the_second_look() {
    let pte = Arc::new((Spin::<P, ()>::new(LockClass::Ptl, ()), Word::new(0)));
    let fault = |page: u64| {
        let pte = Arc::clone(&pte);
        P::spawn(format!("fault {page}"), move || {
            let (ptl, entry) = &*pte;
            if entry.load(Ordering::Acquire) != 0 {
                return 0;
            }
            let _guard = ptl.lock();
            entry.store(page, Ordering::Release);
            1
        })
    };
    let installed: u64 = [fault(1), fault(2)].into_iter().map(P::join).sum();
    assert_eq!(installed, 1, "D11: pages were installed in one entry");
}

#[test]
fn a_printed_token_replays_the_failure_a_thousand_times_of_a_thousand() {
    let exploration = explored("two faults", two_faults_without_the_second_look);
    assert!(violation(&exploration).contains("D11: pages were installed"), "{exploration:?}");
    let printed = exploration.counterexample.expect("the engine tells the failing execution");
    let (_, token) = printed.rsplit_once("replay token: ").expect("a failure ends with its token");
    let token: Token = token.parse().expect("a printed token can be read");
    let builder = Builder::new().name("two faults");
    for number in 0..1000 {
        let report = builder.replay(&token, two_faults_without_the_second_look);
        // The text holds the reason, each step with its value and place, and the token.
        assert_eq!(report.expect_failure().to_string(), printed, "replay {number}");
    }
}
