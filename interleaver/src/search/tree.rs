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
//! - T1. A step is put to sleep at a node when all executions that begin with it there have been explored.
//! - T2. A sequence is inserted at a node only if no sleeping step can come first in it (`can_begin`): so what it
//!   begins has not been explored, and nothing on it will meet a sleeping step. Hence no execution is redundant and
//!   none is blocked.
//! - T3. Sleep entries of all nodes stand in one vector, a node's behind its parent's; only the last node's may grow.
//! - T4. Branches of a node are explored in order, each to its end. This is more than a habit: a sequence that an
//!   earlier branch inserts may have to go below a later one (`Branches::insert` follows branches), where nothing
//!   else would find it, and a step's alternatives (`choose`) are left to such sequences. So two branches of one node
//!   must not be explored at once.
//!
//! The algorithm is Abdulla, Aronis, Jonsson and Sagonas, "Source Sets: A Foundation for Optimal Dynamic Partial Order
//! Reduction", J. ACM 64(4), 2017.

use super::wakeup::{Beginning, Branches, Head, Threads, Wakeup, can_begin};
use crate::engine::op::{Effect, EventId, Step, Tid};

struct Node {
    chosen: Step,
    sleep_start: usize,
    sleep_end: usize,
    /// The wakeup tree still to be explored here.
    later: Head,
    /// What was below the chosen branch in the wakeup tree; moves to the next node.
    below: Head,
    /// Branches explored to their end.
    explored: u32,
}

/// A node that was left for later. The last sleeping step is the one that was being explored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PathNode {
    pub sleep: Vec<Step>,
    pub later: Vec<Wakeup>,
}

pub(crate) struct Tree {
    nodes: Vec<Node>,
    sleep: Vec<Step>,
    branches: Branches,
    /// First event that the present execution did not share with the one before.
    fresh_from: u32,
    work: Vec<Step>,
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
    pub(crate) fn new() -> Tree {
        Tree { nodes: Vec::new(), sleep: Vec::new(), branches: Branches::default(), fresh_from: 0, work: Vec::new() }
    }

    pub(crate) fn chosen(&self, depth: usize) -> Option<Step> {
        self.nodes.get(depth).map(|n| n.chosen)
    }

    pub(crate) fn is_fresh(&self, event: EventId) -> bool {
        event.0 >= self.fresh_from
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
        let sleep_end = self.sleep.len();
        self.nodes.push(Node { chosen: placeholder, sleep_start, sleep_end, later, below: Head::EMPTY, explored: 0 });
        match self.take_first_branch() {
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
        self.branches.insert(&mut self.nodes[depth].later, failing, &mut self.work);
    }

    /// Leaves the finished execution for the next one: the deepest node with something left.
    pub(crate) fn advance(&mut self) -> Advance {
        while let Some(node) = self.nodes.last_mut() {
            self.sleep.truncate(node.sleep_end);
            if !node.later.is_empty() {
                self.sleep.push(node.chosen);
                node.sleep_end += 1;
                node.explored += 1;
                self.fresh_from = self.nodes.len() as u32 - 1;
                self.take_first_branch();
                return Advance::Ready;
            }
            self.forget_last();
        }
        Advance::Done
    }

    /// Goes on where a path was left.
    pub(crate) fn take_up(&mut self, nodes: &[PathNode]) -> Advance {
        for node in nodes {
            let Some((&chosen, sleep)) = node.sleep.split_last() else { return Advance::Done };
            let sleep_start = self.sleep.len();
            self.sleep.extend_from_slice(sleep);
            let (sleep_end, later) = (self.sleep.len(), self.branches.import(&node.later));
            self.nodes.push(Node { chosen, sleep_start, sleep_end, later, below: Head::EMPTY, explored: 0 });
        }
        self.advance()
    }

    /// Whether the present execution is the last one.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.nodes.iter().all(|n| n.later.is_empty())
    }

    /// Takes out what is left, from the highest node to the deepest that has something.
    pub(crate) fn leave(&mut self) -> Vec<PathNode> {
        let deepest = self.nodes.iter().rposition(|n| !n.later.is_empty());
        let mut path = Vec::new();
        for index in 0..deepest.map_or(0, |d| d + 1) {
            let mut sleep = self.sleeping(index).to_vec();
            sleep.push(self.nodes[index].chosen);
            let later = std::mem::replace(&mut self.nodes[index].later, Head::EMPTY);
            path.push(PathNode { sleep, later: self.branches.export(later) });
        }
        path
    }

    /// The share of the tree that is explored, taking the known branches of a node for equal.
    pub(crate) fn explored_share(&self) -> f64 {
        let (mut share, mut weight) = (0.0, 1.0);
        for node in &self.nodes {
            let pending = self.branches.count(node.later);
            let total = f64::from(node.explored + 1 + pending);
            share += weight * f64::from(node.explored) / total;
            weight /= total;
        }
        share
    }
}
