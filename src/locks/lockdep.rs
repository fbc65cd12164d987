//! lockdep: every order in which locks are taken is learned, over all executions, and one that goes round in a circle
//! is an error even if nothing deadlocked (`kernel/locking/lockdep.c`).
//!
//! # Where it goes
//! | engine | where what is learned goes | when it is judged |
//! |---|---|---|
//! | a checker, for somebody who has called [`listen`] | into that [`Learned`], over all executions | by its owner, at the end |
//! | a checker, for nobody | nowhere | sleeping where one must not: at once |
//! | real threads and stories | into one for the whole process | at once, by a panic |
//!
//! It is ghost state of the host: no engine sees it, and none of its contents decides what a model does. What is
//! learned in an execution depends on that execution alone, so it does not matter which of two that differ in the order
//! of independent steps is run: both take the same locks under the same locks.
//!
//! A search that is done in parts is judged part by part: what one part learned the next one does not know.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::circle::Circle;
use super::class::{KeySet, LockKey};
use super::graph::{Edge, Graph};
use super::held::{HeldLock, Mode, Place};
use crate::platform::{Platform, in_rcu_section};

/// What becomes of a task that is about to sleep where it must not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSleep {
    /// It panics: the execution is a counterexample.
    #[default]
    Panics,
    /// It goes on, so that it can be seen what comes of it.
    GoesOn,
}

/// A task that was about to sleep under a spinlock or in a section of RCU (D53).
#[derive(Clone, Debug)]
pub struct Sleep {
    /// The lock that it might have to wait for.
    pub wanted: LockKey,
    /// Where.
    pub at: Place,
    /// What it held.
    pub held: Vec<HeldLock>,
    /// Whether it was in a section of RCU.
    pub in_rcu: bool,
}

impl fmt::Display for Sleep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, at, held, in_rcu } = self;
        write!(
            formatter,
            "D53: nobody sleeps under a spinlock or in RCU; but somebody may wait for {wanted}, at: {at}"
        )?;
        if *in_rcu {
            write!(formatter, "\n  in a section of RCU")?;
        }
        for (number, lock) in held.iter().enumerate() {
            write!(formatter, "\n  holding #{number}: ({}), at: {}", lock.key, lock.since)?;
        }
        Ok(())
    }
}

/// What executions have shown; shared by all that show it.
#[derive(Debug, Default)]
pub struct Learned {
    on_sleep: OnSleep,
    found: Mutex<Findings>,
}

/// What was learned.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Every order.
    pub order: Graph,
    /// Who was about to sleep where one must not, once for each lock.
    pub sleeps: Vec<Sleep>,
}

impl Learned {
    /// Nothing yet.
    pub fn new(on_sleep: OnSleep) -> Self {
        Self { on_sleep, found: Mutex::default() }
    }

    /// What was learned so far.
    pub fn findings(&self) -> Findings {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Findings> {
        // Whoever panics does so when it has let go.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What this thread of the host need not tell again: that an order was shown with these locks held, always.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    is_known: bool,
    outer: KeySet,
    written: KeySet,
}

#[derive(Debug)]
struct Listener {
    learned: Arc<Learned>,
    known: Box<[Known]>,
}

impl Listener {
    fn new(learned: &Arc<Learned>) -> Self {
        let known = vec![Known::default(); LockKey::COUNT * LockKey::COUNT].into_boxed_slice();
        Self { learned: Arc::clone(learned), known }
    }
}

std::thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Says who learns from the executions on this thread of the host from now on.
pub fn listen(learned: Option<&Arc<Learned>>) {
    LISTENER.with_borrow_mut(|listener| match (learned, &listener) {
        (Some(learned), Some(known)) if Arc::ptr_eq(learned, &known.learned) => {}
        (learned, _) => *listener = learned.map(Listener::new),
    });
}

/// Runs `look` unheard: who looks at a world at rest takes locks, too, but is no part of the kernel.
pub fn unheard<R>(look: impl FnOnce() -> R) -> R {
    let listener = LISTENER.take();
    let result = look();
    LISTENER.set(listener);
    result
}

/// A lock that is held while another one is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) held: &'a [HeldLock],
    pub(super) from: &'a HeldLock,
    /// What was held before `from`.
    pub(super) outer: KeySet,
    /// What of that was held for writing.
    pub(super) written: KeySet,
    pub(super) to: (LockKey, Mode, Place),
}

impl Step<'_> {
    fn edge(&self) -> Edge {
        let Step { held, from, outer, written, to: (to, to_mode, at) } = *self;
        let HeldLock { key, mode, since, .. } = *from;
        Edge { from: key, from_mode: mode, since, to, to_mode, at, outer, written, held: held.to_vec() }
    }
}

/// Runs `tell` for whoever listens; real threads always have somebody.
fn tell<P: Platform, R>(tell: impl FnOnce(&mut Listener) -> R) -> Option<R> {
    static OF_THE_PROCESS: OnceLock<Arc<Learned>> = OnceLock::new();
    LISTENER.with_borrow_mut(|listener| {
        if !P::CHECKED && listener.is_none() {
            *listener = Some(Listener::new(OF_THE_PROCESS.get_or_init(Arc::default)));
        }
        listener.as_mut().map(tell)
    })
}

/// Learns one step.
///
/// # Panics
/// If real threads can take locks in a circle now.
pub(super) fn learn<P: Platform>(step: Step<'_>) {
    let circle = tell::<P, _>(|listener| {
        let known = &mut listener.known[step.from.key.index() * LockKey::COUNT + step.to.0.index()];
        let always = (known.outer.and(step.outer), known.written.and(step.written));
        if known.is_known && always == (known.outer, known.written) {
            return None;
        }
        let mut found = listener.learned.lock();
        if !P::CHECKED && !known.is_known {
            // What closes a circle is not learned: it would be held against everybody who comes later.
            let mut order = found.order.clone();
            order.add(step.edge());
            if let Some(circle) = order.circle() {
                return Some(circle);
            }
        }
        *known = if known.is_known {
            Known { outer: always.0, written: always.1, ..*known }
        } else {
            Known { is_known: true, outer: step.outer, written: step.written }
        };
        found.order.add(step.edge());
        None
    });
    if let Some(circle) = circle.flatten() {
        panic!("{circle}");
    }
}

/// Learns that somebody is about to sleep where one must not.
///
/// # Panics
/// Unless whoever listens wants to see what comes of it.
pub(super) fn sleeps<P: Platform>(held: &[HeldLock], wanted: LockKey, at: Place) {
    let sleep = Sleep { wanted, at, held: held.to_vec(), in_rcu: in_rcu_section::<P>() };
    let goes_on = tell::<P, _>(|listener| {
        let mut found = listener.learned.lock();
        if !found.sleeps.iter().any(|known| (known.wanted, known.at) == (wanted, at)) {
            found.sleeps.push(sleep.clone());
        }
        listener.learned.on_sleep == OnSleep::GoesOn
    });
    assert!(goes_on == Some(true), "{sleep}");
}

impl Findings {
    /// What is wrong with what was learned, if anything is: the circle before the sleeper, since it can tell more.
    pub fn circle(&self) -> Option<Circle> {
        self.order.circle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::{BitLock, LockClass, Mode, RwSem, Spin};
    use crate::platform::interleaved::{Interleaved, Search, explore};
    use crate::platform::loom::{Bounds, Environment, Loom, explore as explore_on_loom};
    use crate::platform::{Exploration, Native, Rcu, TwoLevels, Verdict, Watch, X86_64};

    type Checked = Interleaved<TwoLevels>;

    /// What executions teach on an engine: `body` runs in each.
    fn taught(on_sleep: OnSleep, body: fn()) -> (Findings, Exploration) {
        let learned = Arc::new(Learned::new(on_sleep));
        let listened = Arc::clone(&learned);
        let exploration = explore("lockdep", Search::Everything, &Watch::default(), move || {
            listen(Some(&listened));
            body();
        });
        listen(None);
        (learned.findings(), exploration)
    }

    /// The orders that were shown, in words.
    fn orders(findings: &Findings) -> Vec<String> {
        findings.order.edges().map(|edge| format!("{} > {}", edge.from, edge.to)).collect()
    }

    struct Locks<P: Platform> {
        mmap_lock: RwSem<P, ()>,
        folio: BitLock<P>,
        ptl: Spin<P, ()>,
        zone: Spin<P, ()>,
    }

    impl<P: Platform> Locks<P> {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                mmap_lock: RwSem::new(LockClass::MmapLock, ()),
                folio: BitLock::new(LockClass::Folio),
                ptl: Spin::new(LockClass::Ptl, ()),
                zone: Spin::new(LockClass::Zone, ()),
            })
        }
    }

    /// Two threads, each with its own locks held at the same time: nothing of one is an order of the other.
    fn two_tasks<P: Platform>() {
        let (locks, theirs) = (Locks::<P>::new(), Locks::<P>::new());
        let first = P::spawn("A".to_owned(), move || {
            let _mmap_lock = locks.mmap_lock.read();
            drop(locks.ptl.lock());
        });
        let second = P::spawn("B".to_owned(), move || {
            let _ptl = theirs.ptl.lock();
            drop(theirs.zone.lock());
        });
        P::join(first);
        P::join(second);
    }

    const OF_TWO_TASKS: [&str; 2] = ["mm->mmap_lock > page->ptl", "page->ptl > zone->lock"];

    #[test]
    fn each_task_has_its_own_locks_on_interleaver() {
        let (findings, exploration) = taught(OnSleep::Panics, two_tasks::<Checked>);
        assert_eq!(
            (orders(&findings), exploration.verdict),
            (OF_TWO_TASKS.map(str::to_owned).to_vec(), Verdict::Holds)
        );
    }

    #[test]
    fn each_task_has_its_own_locks_on_loom() {
        let learned = Arc::new(Learned::default());
        let listened = Arc::clone(&learned);
        let bounds = Bounds { actors: 2, preemptions: None, environment: Environment::Yields };
        let exploration = explore_on_loom(bounds, &Watch::default(), move || {
            listen(Some(&listened));
            two_tasks::<Loom<TwoLevels>>();
        });
        let orders = orders(&learned.findings());
        assert_eq!((orders, exploration.verdict), (OF_TWO_TASKS.map(str::to_owned).to_vec(), Verdict::Holds));
    }

    #[test]
    fn trying_makes_no_order_and_holding_what_was_tried_does() {
        let (findings, _) = taught(OnSleep::Panics, || {
            let locks = Locks::<Checked>::new();
            let ptl = locks.ptl.lock();
            assert!(locks.folio.try_lock());
            drop(ptl);
            drop(locks.ptl.lock());
            locks.folio.unlock();
            drop(locks.zone.lock());
        });
        assert_eq!(orders(&findings), ["folio lock > page->ptl"]);
    }

    #[test]
    fn a_lock_bit_that_is_handed_over_is_not_held() {
        let (findings, exploration) = taught(OnSleep::Panics, || {
            let locks = Locks::<Checked>::new();
            locks.folio.lock();
            locks.folio.hand_over();
            let theirs = Arc::clone(&locks);
            let interrupt = Checked::spawn("I".to_owned(), move || theirs.folio.unlock());
            drop(locks.mmap_lock.read());
            Checked::join(interrupt);
        });
        assert_eq!((orders(&findings), exploration.verdict), (Vec::new(), Verdict::Holds));
    }

    #[test]
    fn a_writer_that_goes_on_as_a_reader_still_holds_the_lock() {
        let (findings, _) = taught(OnSleep::Panics, || {
            let locks = Locks::<Checked>::new();
            let reader = locks.mmap_lock.write().downgrade();
            drop(locks.ptl.lock());
            drop(reader);
            drop(locks.zone.lock());
        });
        assert_eq!(orders(&findings), ["mm->mmap_lock > page->ptl"]);
        let edge = findings.order.edges().next().expect("there is one");
        assert_eq!(edge.from_mode, Mode::Read);
    }

    #[test]
    fn sleeping_under_a_spinlock_is_a_violation_at_once() {
        let sleeps = || {
            let locks = Locks::<Checked>::new();
            let _ptl = locks.ptl.lock();
            locks.folio.lock();
        };
        let (findings, exploration) = taught(OnSleep::Panics, sleeps);
        let Verdict::Violated(words) = exploration.verdict else { panic!("it should fail") };
        assert!(words.starts_with("D53: nobody sleeps under a spinlock"), "{words}");
        assert_eq!(findings.sleeps.len(), 1);
        let (findings, exploration) = taught(OnSleep::GoesOn, sleeps);
        assert_eq!((findings.sleeps.len(), exploration.verdict), (1, Verdict::Holds));
    }

    #[test]
    fn sleeping_in_a_section_of_rcu_is_one_too_and_spinning_is_not() {
        let (findings, _) = taught(OnSleep::GoesOn, || {
            let (rcu, locks) = (Rcu::<Checked>::new(1), Locks::<Checked>::new());
            let section = rcu.read(0);
            drop(locks.ptl.lock());
            drop(locks.mmap_lock.read());
            drop(section);
            drop(locks.mmap_lock.read());
        });
        let [sleep] = &findings.sleeps[..] else { panic!("one sleeps in RCU: {findings:?}") };
        assert!(sleep.in_rcu && sleep.held.is_empty() && sleep.wanted.class == LockClass::MmapLock);
    }

    /// Real threads are judged at once, so this thread must be one that teaches nobody else.
    #[test]
    #[cfg_attr(not(debug_assertions), ignore = "real threads learn in builds with debug assertions")]
    fn real_threads_learn_and_panic_before_they_wait() {
        let learned = Arc::new(Learned::default());
        let listened = Arc::clone(&learned);
        let inverts = std::thread::spawn(move || {
            listen(Some(&listened));
            let locks = Locks::<Native<X86_64>>::new();
            let _zone = locks.zone.lock();
            drop(locks.ptl.lock());
        });
        let words = inverts.join().expect_err("the documented order is the other way round");
        let words = words.downcast_ref::<String>().expect("it panics with words");
        assert!(words.contains("documented: rmqueue_bulk"), "{words}");
    }
}
