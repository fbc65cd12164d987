//! Which step comes next: the search, or a replayed, random, prioritized or bounded schedule.

use super::bounded::Bounded;
use super::sampler::{Pct, RandomWalk};
use super::tree::Tree;
use super::wakeup::Threads;
use crate::engine::op::{Effect, EventId, Step, Tid};

/// One decision as a schedule records it: a thread, by order of spawning, and which alternative of its step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Decision {
    pub thread: u16,
    pub choice: u16,
}

/// How decisions are made.
pub(crate) enum Strategy {
    Search(Box<Tree>),
    /// Follows the decisions, then prefers the thread that runs. `Lenient` skips those that cannot be followed.
    Replay(Vec<Decision>, Fidelity),
    Random(Box<RandomWalk>),
    Pct(Box<Pct>),
    Bounded(Box<Bounded>),
    /// Stands in while the strategy is at work.
    Away,
}

/// What a replay does with a decision that does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fidelity {
    Exact,
    Lenient,
}

/// Numbers of threads: parent, number of child, thread.
pub(crate) type Registry = Vec<(Tid, u32, Tid)>;

pub(crate) struct Plan {
    pub strategy: Strategy,
    pub registry: Registry,
    /// Of a replay: how many decisions were used.
    pub position: usize,
    steps: Vec<Step>,
}

impl Plan {
    pub(crate) fn new(strategy: Strategy) -> Plan {
        Plan { strategy, registry: Registry::new(), position: 0, steps: Vec::new() }
    }

    pub(crate) fn is_search(&self) -> bool {
        matches!(self.strategy, Strategy::Search(_))
    }

    pub(crate) fn is_replay(&self) -> bool {
        matches!(self.strategy, Strategy::Replay(..))
    }

    pub(crate) fn wants_races(&self, event: EventId) -> bool {
        match &self.strategy {
            Strategy::Search(tree) => tree.has_new_races(event),
            _ => false,
        }
    }

    /// How many events the next execution shares with the one before.
    pub(crate) fn shared_beginning(&self) -> usize {
        match &self.strategy {
            Strategy::Search(tree) => tree.shared_beginning(),
            _ => 0,
        }
    }

    pub(crate) fn effect_done(&mut self, at: EventId, effect: Effect) {
        if let Strategy::Search(tree) = &mut self.strategy {
            tree.effect_done(at, effect);
        }
    }

    pub(crate) fn insert(&mut self, at: EventId, failing: Threads, sequence: &[Step]) {
        if let Strategy::Search(tree) = &mut self.strategy {
            tree.insert(at, failing, sequence);
        }
    }

    /// Whether some step of the search could go in more than one way.
    pub(crate) fn has_alternatives(&self) -> bool {
        match &self.strategy {
            Strategy::Search(tree) => tree.has_alternatives(),
            _ => false,
        }
    }

    pub(crate) fn take_steps(&mut self) -> Vec<Step> {
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        steps
    }

    pub(crate) fn give_steps(&mut self, steps: Vec<Step>) {
        self.steps = steps;
    }

    /// The number of a child, given at its first spawn; the same for all workers of a search.
    pub(crate) fn family_tid(&mut self, parent: Tid, number: u32) -> Option<Tid> {
        if let Some(&(_, _, tid)) = self.registry.iter().find(|&&(p, n, _)| p == parent && n == number) {
            return Some(tid);
        }
        let tid = match &self.strategy {
            Strategy::Search(tree) => tree.family_tid(parent, number)?,
            _ => Tid::nth_spawned(self.registry.len())?,
        };
        self.registry.push((parent, number, tid));
        Some(tid)
    }
}
