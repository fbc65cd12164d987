//! A lock bit with a class, which whoever finishes the work releases.

use std::fmt;

use super::class::{LockClass, LockKey, Subclass};
use super::held::{Mode, disown, got, instance, waits};
use crate::platform::{NewLock, Platform, RawBitLock, remark};

/// A lock bit with a queue of waiters (`PG_locked`, `PG_writeback`). It has no guard: another task may release it.
pub struct BitLock<P: Platform> {
    class: LockClass,
    bit: P::RawBit,
}

impl<P: Platform> BitLock<P> {
    /// A clear bit of the class `class`.
    pub fn new(class: LockClass) -> Self {
        Self { class, bit: P::RawBit::new_lock(class.name()) }
    }

    /// Waits until the bit is clear and sets it (`folio_lock`).
    #[track_caller]
    pub fn lock(&self) {
        self.lock_as(Subclass::Outer);
    }

    /// As [`BitLock::lock`], in a subclass.
    #[track_caller]
    pub fn lock_as(&self, subclass: Subclass) {
        self.might_lock_as(subclass);
        self.bit.lock();
        remark::<P>(format_args!("lock {}", self.class));
        got::<P>(LockKey { class: self.class, subclass }, Mode::Write, instance(self));
    }

    /// Says that whoever comes here may have to wait, though this time they need not (`might_lock`).
    #[track_caller]
    pub fn might_lock_as(&self, subclass: Subclass) {
        waits::<P>(LockKey { class: self.class, subclass }, Mode::Write);
    }

    /// Sets the bit if it is clear; says whether it did (`folio_trylock`).
    #[track_caller]
    #[must_use]
    pub fn try_lock(&self) -> bool {
        self.try_lock_as(Subclass::Outer)
    }

    /// As [`BitLock::try_lock`], in a subclass.
    #[track_caller]
    #[must_use]
    pub fn try_lock_as(&self, subclass: Subclass) -> bool {
        let locked = self.bit.try_lock();
        remark::<P>(format_args!("{} {}", if locked { "lock (tried)" } else { "cannot lock" }, self.class));
        if locked {
            got::<P>(LockKey { class: self.class, subclass }, Mode::Write, instance(self));
        }
        locked
    }

    /// Leaves the lock to somebody else, who will release it: the end of a read, say. The task no longer holds it.
    pub fn hand_over(&self) {
        disown::<P>(instance(self));
    }

    /// Clears the bit and wakes whoever waits (`folio_unlock`).
    #[track_caller]
    pub fn unlock(&self) {
        remark::<P>(format_args!("unlock {}", self.class));
        disown::<P>(instance(self));
        self.bit.unlock();
    }

    /// Waits until the bit is clear (`folio_wait_locked`).
    #[track_caller]
    pub fn wait(&self) {
        remark::<P>(format_args!("wait for {}", self.class));
        waits::<P>(self.class, Mode::Write);
        self.bit.wait();
    }

    /// Whether the bit is set; by the time it returns, the answer may be old.
    #[track_caller]
    pub fn is_locked(&self) -> bool {
        self.bit.is_locked()
    }
}

impl<P: Platform> fmt::Debug for BitLock<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BitLock").field("class", &self.class).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::interleaved::{Interleaved, Search, explore};
    use crate::platform::loom::{Bounds, Environment, Loom, explore as explore_on_loom};
    use crate::platform::{Arc, RaceCell, TwoLevels, Verdict, Watch};

    struct Page<P: Platform> {
        locked: BitLock<P>,
        contents: RaceCell<P, u64>,
    }

    /// One task starts I/O on a locked page; another one, the interrupt, fills it and unlocks it; a third one waits.
    fn another_task_unlocks<P: Platform>() {
        let page =
            Arc::new(Page::<P> { locked: BitLock::new(LockClass::Folio), contents: RaceCell::new("the contents", 0) });
        page.locked.lock();
        let [filled, waiting] = [Arc::clone(&page), Arc::clone(&page)];
        let interrupt = P::spawn("I".to_owned(), move || {
            filled.contents.set(1);
            filled.locked.unlock();
        });
        let reader = P::spawn("R".to_owned(), move || {
            if waiting.locked.try_lock() {
                waiting.locked.unlock();
            } else {
                waiting.locked.wait();
            }
            waiting.contents.get()
        });
        P::join(interrupt);
        assert_eq!(P::join(reader), 1);
    }

    #[test]
    fn a_waiter_sees_what_was_done_under_the_lock() {
        let everything = Search::Everything;
        let body = another_task_unlocks::<Interleaved<TwoLevels>>;
        assert_eq!(explore("bit", everything, &Watch::default(), body).verdict, Verdict::Holds);
        let bounds = Bounds { actors: 2, preemptions: None, environment: Environment::Yields };
        let body = another_task_unlocks::<Loom<TwoLevels>>;
        assert_eq!(explore_on_loom(bounds, &Watch::default(), body).verdict, Verdict::Holds);
    }

    /// Two actors choose independently; the sum says which execution this is.
    fn two_choose<P: Platform>() -> usize {
        let first = P::spawn("A".to_owned(), || P::choose(2));
        let second = P::spawn("B".to_owned(), || if P::choose(2) == 1 { 2 + 4 * P::choose(3) } else { 0 });
        P::join(first) + P::join(second)
    }

    #[test]
    fn every_combination_of_choices_is_explored() {
        use std::sync::Mutex;
        let expected = [0, 1, 2, 3, 6, 7, 10, 11];
        let seen = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
        let note = |seen: &Arc<Mutex<std::collections::BTreeSet<usize>>>, sum| {
            seen.lock().expect("nobody panics").insert(sum);
        };
        let on_interleaver = Arc::clone(&seen);
        let body = move || note(&on_interleaver, two_choose::<Interleaved<TwoLevels>>());
        assert_eq!(explore("choose", Search::Everything, &Watch::default(), body).executions, expected.len() as u64);
        assert!(std::mem::take(&mut *seen.lock().expect("nobody panics")).iter().eq(&expected));
        let on_loom = Arc::clone(&seen);
        let bounds = Bounds { actors: 2, preemptions: Some(0), environment: Environment::Yields };
        explore_on_loom(bounds, &Watch::default(), move || note(&on_loom, two_choose::<Loom<TwoLevels>>()));
        assert!(seen.lock().expect("nobody panics").iter().eq(&expected));
    }
}
