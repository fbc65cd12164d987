//! The code of `docs/reproducing-a-lock-order-bug.md`, block after block.

use pagerace::locks::lockdep::{self, Learned};
use pagerace::locks::{LockClass, Spin};
use pagerace::platform::interleaved::{Interleaved, Search, explore};
use pagerace::platform::{Arc, Platform, TwoLevels, Verdict, Watch};

type P = Interleaved<TwoLevels>;

/// Two tasks that take two page-table locks: B the other way round.
fn two_tasks(learned: &Arc<Learned>) {
    lockdep::listen(Some(learned));
    let upper = Arc::new(Spin::<P, ()>::new(LockClass::PageTableLock, ()));
    let lower = Arc::new(Spin::<P, ()>::new(LockClass::Ptl, ()));
    let (upper_of_a, lower_of_a) = (Arc::clone(&upper), Arc::clone(&lower));
    let a = P::spawn("A".to_owned(), move || {
        let _upper = upper_of_a.lock();
        let _lower = lower_of_a.lock();
    });
    let b = P::spawn("B".to_owned(), move || {
        let _lower = lower.lock();
        let _upper = upper.lock();
    });
    P::join(a);
    P::join(b);
}

#[test]
fn lockdep_knows_and_the_search_shows() {
    let learned = Arc::new(Learned::default());
    let theirs = Arc::clone(&learned);
    let exploration = explore("two tasks", Search::Everything, &Watch::default(), move || two_tasks(&theirs));

    let circle = learned.findings().circle().expect("two orders make a circle");
    assert!(circle.to_string().contains("*** DEADLOCK ***"), "{circle}");
    let Verdict::Violated(words) = exploration.verdict else { panic!("some interleaving deadlocks") };
    assert!(words.starts_with("deadlock, a cycle of 2 thread(s)"), "{words}");
}
