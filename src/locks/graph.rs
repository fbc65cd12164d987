//! The order that executions have shown: who was held when who was wanted.

use std::collections::{BTreeMap, VecDeque};

use super::circle::{Circle, Link};
use super::class::{KeySet, LockKey};
use super::held::{HeldLock, Mode, Place};
use super::order::{documented, is_implied};

/// Somebody wanted `to` and held `from`.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What was held.
    pub from: LockKey,
    /// For what it was held, the first time.
    pub from_mode: Mode,
    /// Where it had been taken, the first time.
    pub since: Place,
    /// What was wanted.
    pub to: LockKey,
    /// For what, the first time.
    pub to_mode: Mode,
    /// Where, the first time.
    pub at: Place,
    /// What was held before `from`, each time.
    pub outer: KeySet,
    /// What of it was held for writing, each time.
    pub written: KeySet,
    /// All that was held, the first time.
    pub held: Vec<HeldLock>,
}

/// Every order that was shown.
#[derive(Clone, Debug, Default)]
pub struct Graph(BTreeMap<(LockKey, LockKey), Edge>);

impl Graph {
    /// Adds what was shown once more; what is always held gets less.
    pub(super) fn add(&mut self, edge: Edge) {
        self.0
            .entry((edge.from, edge.to))
            .and_modify(|known| {
                known.outer = known.outer.and(edge.outer);
                known.written = known.written.and(edge.written);
            })
            .or_insert(edge);
    }

    /// Adds what other executions have shown.
    pub fn merge(&mut self, other: &Self) {
        other.0.values().cloned().for_each(|edge| self.add(edge));
    }

    /// Every order, outermost first.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.0.values()
    }

    /// Whether this order was shown.
    pub fn has(&self, outer: LockKey, inner: LockKey) -> bool {
        self.0.contains_key(&(outer, inner))
    }

    /// A way to take locks in a circle, if what was shown has one together with what is documented: the shortest. It
    /// begins with a step that nobody documented, if there is one.
    pub fn circle(&self) -> Option<Circle> {
        let circles = self.edges().filter_map(|edge| {
            let mut links = self.path(edge.to, edge.from)?;
            links.insert(0, Link::Shown(edge.clone()));
            Some(Circle::new(links))
        });
        circles.min_by_key(|circle| {
            let Circle { links } = circle;
            (links.len(), is_implied(links[0].from(), links[0].to()))
        })
    }

    /// The shortest way from one key to another; none at all from one to itself.
    fn path(&self, from: LockKey, to: LockKey) -> Option<Vec<Link>> {
        let mut came_by: BTreeMap<LockKey, Link> = BTreeMap::new();
        let mut next = VecDeque::from([from]);
        while let Some(key) = next.pop_front() {
            if key == to {
                let mut links = Vec::new();
                let mut at = to;
                while at != from {
                    let link = came_by[&at].clone();
                    at = link.from();
                    links.insert(0, link);
                }
                return Some(links);
            }
            for link in self.links_from(key) {
                let to = link.to();
                if to != from && !came_by.contains_key(&to) {
                    came_by.insert(to, link);
                    next.push_back(to);
                }
            }
        }
        None
    }

    /// Every step from a key: those that were shown, and those that are documented only.
    fn links_from(&self, key: LockKey) -> impl Iterator<Item = Link> {
        let shown = self.edges().filter(move |edge| edge.from == key && edge.to != key);
        let documented = documented().filter(move |rule| rule.outer == key && !self.has(rule.outer, rule.inner));
        shown.cloned().map(Link::Shown).chain(documented.map(Link::Documented))
    }
}
