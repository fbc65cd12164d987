//! What a load may return, given when everything took place.
//!
//! Each store and each load has a stamp: a number that grows in the order in which the engine runs the steps, taken
//! with the access as one step. A discard has two, one from before its system call and one from after it.
//!
//! ```text
//!   store 1 ----- store 2 -----[ discard ... store 3 ... ]----- load
//! ```
//!
//! # What is judged
//! - Without a discard a load returns the last store before it: whatever frames a page lies in meanwhile, and whoever
//!   still remembers an old one, the word is one word.
//! - While a discard is under way a store may go into the old page or into a new one, and a load may find either, or
//!   nothing. So every store since the discard began may be seen, and the last one before it.
//! - Once a discard is over nothing comes back from before it.
//!
//! The engine runs one order of two steps that do not depend on each other, accesses to two frames among them. What is
//! judged here is that order. No order of a correct kernel breaks the rules, so nothing is found that is not there; a
//! scenario that wants to see a wrong order orders the accesses itself, by something that one does and the other finds
//! done.

use std::collections::BTreeSet;

/// What happened to one word.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// When each store took place, and its value; in that order.
    pub(super) stores: Vec<(u64, u64)>,
    /// The same of stores by a reference to a page that may have been discarded before: they went to the word, or to
    /// what nobody finds any more.
    pub(super) open: Vec<(u64, u64)>,
    /// When each discard began, and when it was over.
    pub(super) discards: Vec<(u64, u64)>,
    /// What the word may have held before all stores.
    pub(super) first: BTreeSet<u64>,
    /// What it may hold after a discard.
    pub(super) empty: BTreeSet<u64>,
}

impl History {
    /// What a load at `at` may return.
    pub(super) fn loadable(&self, at: u64) -> BTreeSet<u64> {
        let mut values = self.decided(at);
        // A later store into a discard may have gone to the other of two pages.
        let overwrites = |later: u64| self.began_around(later).is_none();
        let is_over = |stored: u64| {
            let erased = self.discards.iter().any(|(began, ended)| stored < *began && *ended < at);
            erased || self.stores.iter().any(|(later, _)| (stored..at).contains(later) && overwrites(*later))
        };
        let open = self.open.iter().filter(|(stored, _)| *stored < at && !is_over(*stored));
        values.extend(open.map(|(_, value)| *value));
        values
    }

    /// The same, as if no open store had gone to the word.
    fn decided(&self, at: u64) -> BTreeSet<u64> {
        let before = |limit: u64| self.stores.iter().rev().find(move |(stored, _)| *stored < limit);
        let last = before(at).map_or(0, |(stored, _)| *stored);
        let since = |discard: &&(u64, u64)| discard.0 < at && discard.1 > last;
        let Some(mut from) = self.discards.iter().filter(since).map(|(began, _)| *began).min() else {
            return before(at).map_or_else(|| self.first.clone(), |(_, value)| BTreeSet::from([*value]));
        };
        // A store in the middle of an older discard may not have been the last one that counts.
        while let Some(began) = before(from).and_then(|(stored, _)| self.began_around(*stored)) {
            from = began;
        }
        let erased = |stored: u64| self.discards.iter().any(|(began, ended)| stored < *began && *ended < at);
        let mut values = self.empty.clone();
        match before(from) {
            Some((stored, value)) if !erased(*stored) => values.extend([*value]),
            None if !erased(0) => values.extend(&self.first),
            Some(_) | None => {}
        }
        let meanwhile = self.stores.iter().filter(|(stored, _)| (from..at).contains(stored) && !erased(*stored));
        values.extend(meanwhile.map(|(_, value)| *value));
        values
    }

    /// What it may have held at some time between the two.
    pub(super) fn between(&self, began: u64, ended: u64) -> BTreeSet<u64> {
        let mut values = self.loadable(began);
        values.extend(self.loadable(ended));
        let meanwhile = self.stores.iter().chain(&self.open).filter(|(at, _)| (began..ended).contains(at));
        values.extend(meanwhile.map(|(_, value)| *value));
        if self.discards.iter().any(|(start, end)| *start < ended && *end > began) {
            values.extend(&self.empty);
        }
        values
    }

    /// When the first of the discards began that a store falls into.
    fn began_around(&self, stored: u64) -> Option<u64> {
        self.discards.iter().filter(|(began, ended)| (*began..*ended).contains(&stored)).map(|(began, _)| *began).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(stores: &[(u64, u64)], discards: &[(u64, u64)]) -> History {
        let zero = BTreeSet::from([0]);
        let (stores, discards) = (stores.to_vec(), discards.to_vec());
        History { stores, open: Vec::new(), discards, first: zero.clone(), empty: zero }
    }

    fn values<const N: usize>(values: [u64; N]) -> BTreeSet<u64> {
        BTreeSet::from(values)
    }

    #[test]
    fn a_load_returns_the_last_store_and_no_other() {
        let history = history(&[(3, 30), (7, 70)], &[]);
        let expected = [values([0]), values([30]), values([70])];
        assert_eq!([2, 5, 9].map(|at| history.loadable(at)), expected);
        assert_eq!(history.loadable(u64::MAX), values([70]));
    }

    #[test]
    fn what_was_discarded_does_not_come_back() {
        let history = history(&[(3, 30)], &[(5, 8)]);
        assert_eq!(history.loadable(4), values([30]));
        assert_eq!(history.loadable(6), values([0, 30]), "while it is under way");
        assert_eq!(history.loadable(9), values([0]));
    }

    #[test]
    fn a_store_after_the_discard_counts_again() {
        let history = history(&[(3, 30), (9, 90)], &[(5, 8)]);
        assert_eq!(history.loadable(10), values([90]));
    }

    #[test]
    fn stores_during_a_discard_may_be_lost_or_come_in_any_order() {
        let history = history(&[(3, 30), (6, 60), (7, 70)], &[(5, 8)]);
        assert_eq!(history.loadable(9), values([0, 60, 70]));
    }

    #[test]
    fn of_two_discards_each_erases_what_was_before_it() {
        let history = history(&[(3, 30), (6, 60)], &[(5, 8), (10, 12), (11, 20)]);
        assert_eq!(history.loadable(9), values([0, 60]));
        assert_eq!(history.loadable(15), values([0]), "the second is over, though the third is not");
    }

    #[test]
    fn a_store_in_an_older_discard_leaves_the_order_open() {
        let history = history(&[(3, 30), (6, 60), (7, 70)], &[(5, 9), (10, 20)]);
        assert_eq!(history.loadable(12), values([0, 60, 70]));
    }

    #[test]
    fn a_fork_sees_a_moment_between_its_begin_and_its_end() {
        let history = history(&[(3, 30), (6, 60), (9, 90)], &[]);
        assert_eq!(history.between(5, 8), values([30, 60]));
    }

    #[test]
    fn a_store_by_reference_may_miss_what_was_discarded_under_it() {
        let history = History { open: vec![(9, 90)], ..history(&[(3, 30), (12, 120)], &[(5, 7), (15, 16)]) };
        assert_eq!(history.loadable(8), values([0]), "it has not been made yet");
        assert_eq!(history.loadable(10), values([0, 90]), "it went to the new page, or to the old one");
        assert_eq!(history.loadable(13), values([120]), "a later store is there whichever it was");
        assert_eq!(history.loadable(17), values([0]), "a later discard is over");
        assert_eq!(history.between(8, 10), values([0, 90]));
    }

    #[test]
    fn a_later_store_during_a_discard_may_go_to_another_page_than_one_by_reference() {
        let history = History { open: vec![(9, 90)], ..history(&[(3, 30), (12, 120)], &[(5, 20)]) };
        assert_eq!(history.loadable(21), values([0, 90, 120]), "the store at 12 may have gone to the old page");
    }

    #[test]
    fn a_discard_meanwhile_is_a_moment_when_the_word_was_empty() {
        let history = history(&[(3, 30), (9, 90)], &[(5, 8)]);
        assert_eq!(history.between(4, 10), values([0, 30, 90]));
    }
}
