//! The search tree of optimal DPOR: the present path, its sleep sets, and the wakeup trees that hang on it.
//!
//! ```text
//!   node i = the state before event i
//!     sleep    steps whose subtrees are explored already, as long as nothing that conflicts with them has gone
//!     chosen   the step that is being explored
//!     later    the wakeup tree: beginnings of executions still to be explored from here, in order
//! ```
//!
//! # Invariants
//! - T1. A step is put to sleep at a node when all executions that begin with it there are explored, or are left to a
//!   task of the shared tree that is going to be.
//! - T2. A sequence is inserted at a node only if no sleeping step can come first in it (`can_begin`): so what it
//!   begins has not been explored, and nothing on it will meet a sleeping step. Hence no execution is redundant and
//!   none is blocked.
//! - T3. Sleep entries of all nodes stand in one vector, a node's behind its parent's; only the last node's may grow.
//! - T4. The first nodes are the way to the task at hand; their wakeup trees are in the shared tree (`shared.rs`), and
//!   this tree ends where they begin. Nodes further down belong to this tree alone, until they are handed over.
//!
//! The algorithm is Abdulla, Aronis, Jonsson and Sagonas, "Source Sets: A Foundation for Optimal Dynamic Partial Order
//! Reduction", J. ACM 64(4), 2017.

use super::shared::{Claim, Shared};
use super::wakeup::{Beginning, BranchId, Branches, Head, Threads, can_begin};
use crate::engine::op::{Effect, EventId, Step, Tid};
use std::sync::Arc;

struct Node {
    chosen: Step,
    sleep_start: usize,
    sleep_end: usize,
    /// The wakeup tree still to be explored here.
    later: Head,
    /// What was below the chosen branch in the wakeup tree; moves to the next node.
    below: Head,
    /// Branches explored to their end; their steps are the last ones asleep.
    explored: u32,
}

/// One step of the way to a task.
pub(crate) struct Waypoint {
    pub branch: BranchId,
    pub step: Step,
    /// The siblings before it.
    pub before: Vec<Step>,
}

pub(crate) struct Tree {
    nodes: Vec<Node>,
    sleep: Vec<Step>,
    branches: Branches,
    /// First event that the present execution did not share with the one before.
    fresh_from: u32,
    work: Vec<Step>,
    way: Vec<Waypoint>,
    shared: Arc<Shared>,
}

/// What to do at a node that is new.
pub(crate) enum Visit {
    /// The wakeup tree says which step.
    Told(Step),
    /// Free choice among what is awake.
    Free,
}

/// Whether there is something to explore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Advance {
    Ready,
    /// Nothing is left here.
    Done,
}

impl Tree {
    pub(crate) fn new(shared: Arc<Shared>) -> Tree {
        Tree {
            nodes: Vec::new(),
            sleep: Vec::new(),
            branches: Branches::default(),
            fresh_from: 0,
            work: Vec::new(),
            way: Vec::new(),
            shared,
        }
    }

    /// Asks for a task; this tree must have none. Waits while other workers may still find some.
    pub(crate) fn claim(&mut self, may_begin: impl FnMut() -> bool) -> Claim {
        self.nodes.clear();
        self.sleep.clear();
        self.fresh_from = 0;
        self.shared.claim(&mut self.way, may_begin)
    }

    pub(crate) fn chosen(&self, depth: usize) -> Option<Step> {
        self.nodes.get(depth).map(|n| n.chosen)
    }

    /// Whether the step at a node did this.
    pub(crate) fn effect_is(&self, depth: usize, effect: &Effect) -> bool {
        self.nodes.get(depth).is_some_and(|n| n.chosen.effect == *effect)
    }

    /// How many events the next execution shares with the one before.
    pub(crate) fn shared_beginning(&self) -> usize {
        self.fresh_from as usize
    }

    pub(crate) fn is_fresh(&self, event: EventId) -> bool {
        event.0 >= self.fresh_from
    }

    /// Whether the races of this event are to be found; those of a shared beginning are known (`engine/race.rs`).
    pub(crate) fn has_new_races(&self, event: EventId) -> bool {
        self.is_fresh(event) || self.has_alternatives()
    }

    pub(crate) fn has_alternatives(&self) -> bool {
        self.shared.has_alternatives()
    }

    /// Some step could have gone in more than one way.
    pub(crate) fn note_alternatives(&self) {
        self.shared.note_alternatives();
    }

    /// Fills in what the step at the end of the path did.
    pub(crate) fn effect_done(&mut self, at: EventId, effect: Effect) {
        self.nodes[at.index()].chosen.effect = effect;
    }

    fn sleeping(&self, depth: usize) -> &[Step] {
        let node = &self.nodes[depth];
        &self.sleep[node.sleep_start..node.sleep_end]
    }

    /// Whether this alternative of a thread is asleep at the last node.
    pub(crate) fn is_asleep(&self, tid: Tid, choice: u16) -> bool {
        self.sleeping(self.nodes.len() - 1).iter().any(|s| s.tid == tid && s.choice == choice)
    }

    /// Adds the node for the state that the path has reached.
    pub(crate) fn visit(&mut self, placeholder: Step) -> Visit {
        let sleep_start = self.sleep.len();
        let mut later = Head::EMPTY;
        if let Some(parent) = self.nodes.last_mut() {
            later = std::mem::replace(&mut parent.below, Head::EMPTY);
            let (start, end, chosen) = (parent.sleep_start, parent.sleep_end, parent.chosen);
            for index in start..end {
                let step = self.sleep[index];
                if step.tid != chosen.tid && step.effect.commutes(&chosen.effect) {
                    self.sleep.push(step);
                }
            }
        }
        let waypoint = self.way.get(self.nodes.len());
        self.sleep.extend(waypoint.iter().flat_map(|w| &w.before));
        let told = waypoint.map(|w| w.step);
        let sleep_end = self.sleep.len();
        let chosen = told.unwrap_or(placeholder);
        self.nodes.push(Node { chosen, sleep_start, sleep_end, later, below: Head::EMPTY, explored: 0 });
        match told.or_else(|| self.take_first_branch()) {
            Some(step) => Visit::Told(step),
            None => Visit::Free,
        }
    }

    /// Makes the first branch of the last node's wakeup tree its chosen step.
    fn take_first_branch(&mut self) -> Option<Step> {
        let node = self.nodes.last_mut()?;
        let (step, below) = self.branches.take_first(&mut node.later)?;
        node.below = below;
        node.chosen = step;
        Some(step)
    }

    /// Takes back the last `visit`: there was nothing to choose.
    pub(crate) fn forget_last(&mut self) {
        if let Some(node) = self.nodes.pop() {
            self.sleep.truncate(node.sleep_start);
        }
    }

    pub(crate) fn choose(&mut self, step: Step) {
        let node = self.nodes.len() - 1;
        self.nodes[node].chosen = step;
    }

    /// Inserts a sequence at the node of an event, unless what it begins is explored or going to be.
    pub(crate) fn insert(&mut self, at: EventId, failing: Threads, sequence: &[Step]) {
        let depth = at.index();
        let commutes = |a: &Step, b: &Step| a.effect.commutes(&b.effect);
        if self.sleeping(depth).iter().any(|s| can_begin(s, sequence, failing, commutes) != Beginning::No) {
            return;
        }
        self.work.clear();
        self.work.extend_from_slice(sequence);
        match self.way.get(depth) {
            Some(waypoint) => self.shared.insert(waypoint.branch, failing, &mut self.work),
            None => self.branches.insert(&mut self.nodes[depth].later, failing, &mut self.work),
        }
    }

    /// Leaves the finished execution and the nodes that have nothing left.
    pub(crate) fn back_up(&mut self) -> Advance {
        while self.nodes.len() > self.way.len() {
            let Some(node) = self.nodes.last() else { break };
            if !node.later.is_empty() {
                self.sleep.truncate(node.sleep_end);
                return Advance::Ready;
            }
            self.forget_last();
        }
        Advance::Done
    }

    /// Begins the next branch of the last node; `back_up` said that there is one.
    pub(crate) fn take_next(&mut self) {
        let Some(node) = self.nodes.last_mut() else { return };
        self.sleep.push(node.chosen);
        node.sleep_end += 1;
        node.explored += 1;
        self.fresh_from = self.nodes.len() as u32 - 1;
        self.take_first_branch();
    }

    fn home(&self) -> BranchId {
        self.way.last().map_or_else(|| self.shared.root(), |w| w.branch)
    }

    /// The task is done.
    pub(crate) fn finish(&self) {
        self.shared.finish(self.home());
    }

    /// Hands the highest branches that are left here over to whoever waits for a task.
    pub(crate) fn feed_hungry(&mut self) {
        if self.shared.is_hungry()
            && let Some(index) = self.nodes.iter().position(|n| !n.later.is_empty())
        {
            self.hand_over(index);
        }
    }

    /// Hands all that is left over; the task ends here.
    pub(crate) fn leave(&mut self) {
        if let Some(index) = self.nodes.iter().rposition(|n| !n.later.is_empty()) {
            self.hand_over(index);
        }
        self.finish();
    }

    /// Makes the way longer, down to the step at a node of this tree.
    fn hand_over(&mut self, deepest: usize) {
        let shared = Arc::clone(&self.shared);
        shared.promote(self.home(), |promotion| {
            for node in &mut self.nodes[self.way.len()..=deepest] {
                let explored = &self.sleep[node.sleep_end - node.explored as usize..node.sleep_end];
                let later = std::mem::replace(&mut node.later, Head::EMPTY);
                let branch = promotion.node(explored, node.chosen, |grafts| {
                    grafts.take(&self.branches, self.branches.first_of(later));
                });
                self.branches.release(later);
                self.way.push(Waypoint { branch, step: node.chosen, before: explored.to_vec() });
            }
        });
    }

    pub(crate) fn family_tid(&self, parent: Tid, number: u32) -> Option<Tid> {
        self.shared.family_tid(parent, number)
    }

    /// The share of the whole search that is explored, taking the known branches of a node for equal.
    pub(crate) fn explored_share(&self) -> f64 {
        let (mut share, mut weight) = (0.0, 1.0);
        for node in self.nodes.iter().skip(self.way.len()) {
            let pending = self.branches.count(node.later);
            let total = f64::from(node.explored + 1 + pending);
            share += weight * f64::from(node.explored) / total;
            weight /= total;
        }
        self.shared.note_share(self.home(), share);
        self.shared.explored_share()
    }
}
