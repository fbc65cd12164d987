//! The part of the search tree that workers share: the way to every task.
//!
//! A *task* is a leaf of a wakeup tree: "begin so, then explore everything". A worker explores a task in a tree of its
//! own (`tree.rs`), and what that inserts above the task goes here, where others may be at work already.
//!
//! ```text
//!   open leaf --claim--> home of a worker --promote--> inner branch, its home further down
//!                              |                          with open leaves beside it
//!                              +--finish--> done          (a done branch is asleep for those behind it)
//! ```
//!
//! # Why insertions may come late
//! One worker alone explores the branches of a node in order, each to its end, so whatever an earlier branch inserts
//! finds the later ones not begun. Here they may be begun or done. That changes nothing: a sequence follows the later
//! branches as if they were not begun, and ends in one of three ways.
//! - It comes to a leaf, whose task covers everything that begins so, by itself: a sequence is inserted only if it
//!   conflicts with every step that sleeps where it is inserted, so nothing sleeps at its end.
//! - It comes to a branch that is walked through only, none of whose children can begin the rest: the rest becomes its
//!   last child, with all other children asleep.
//! - It finds no branch to follow at its own node: the same there.
//!
//! In the finished tree every insertion stands where a single worker could have put it, behind all branches that were
//! there before; so no execution is missing and none is explored twice, whoever came first.
//!
//! # Invariants
//! - S1. `open` counts the unclaimed leaves of a branch, `left` those and the tasks under way; both include itself.
//! - S2. The home of a task has no children here, and all siblings before it on its way are done or claimed, and stay.
//! - S3. What precedes every unfinished task in the order of the tree is never entered again and may be released.

use super::plan::Registry;
use super::sampler::Rng;
use super::tree::Waypoint;
use super::wakeup::{BranchId, Branches, Followed, Threads};
use crate::engine::op::{Effect, Kind, Step, Tid};
use crate::frontier::Deferred;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

/// Where a branch comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// This search made it.
    Own,
    /// It stood there when the tree was split into shards: all shards have it.
    Fixed,
    /// As `Fixed`, and its task belongs to another shard.
    Elsewhere,
    /// To be inserted when the shards are merged, because other shards may find it too.
    Deferred(Threads),
}

/// What becomes of a new branch below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grows {
    Tasks,
    Deferred,
}

#[derive(Clone, Copy)]
struct Mark {
    parent: BranchId,
    open: u32,
    left: u32,
    origin: Origin,
    grows: Grows,
    /// Of a home: how much of its task is explored, as its worker said last.
    share: f64,
}

impl Mark {
    const DONE: Mark =
        Mark { parent: BranchId::NONE, open: 0, left: 0, origin: Origin::Own, grows: Grows::Tasks, share: 0.0 };
}

/// One branch of a tree that is written down in preorder, the root first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Twig {
    pub depth: u32,
    pub step: Step,
    pub origin: Origin,
    pub task: Task,
}

/// Whether a twig is a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    None,
    Open,
}

impl Twig {
    pub(crate) const ROOT: Twig = Twig {
        depth: 0,
        step: Step { tid: Tid::MAIN, kind: Kind::Choose, choice: 0, effect: Effect::NOTHING },
        origin: Origin::Own,
        task: Task::Open,
    };
}

/// What a worker gets that asks for a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    Taken,
    /// There is nothing left, or the search was closed.
    Nothing,
    /// There is a task, but the caller may not begin it.
    Refused,
}

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    /// Told when there is a new open leaf, or the search is over.
    changed: Condvar,
    hungry: AtomicUsize,
    scattered: bool,
    /// Set before a step with several alternatives gets into the tree.
    alternatives: AtomicBool,
    registry: Mutex<Registry>,
}

struct Inner {
    branches: Branches,
    marks: Vec<Mark>,
    root: BranchId,
    order: Order,
    closed: bool,
    /// Used again by each `weight_left`, which progress bars ask for often.
    weights: Vec<(BranchId, f64)>,
}

/// Which task is taken next. Any order is right; the first keeps the tree small (S3).
#[derive(Debug)]
pub(crate) enum Order {
    First,
    /// At random, and everything is handed over at once: the checker's own tests look for what depends on the order.
    Scattered(Rng),
}

impl Shared {
    /// A tree from its twigs; `Twig::ROOT` alone is a search that was not begun.
    pub(crate) fn new(twigs: &[Twig], registry: Registry, order: Order) -> Shared {
        Shared {
            scattered: matches!(order, Order::Scattered(_)),
            inner: Mutex::new(Inner::new(twigs, order)),
            changed: Condvar::new(),
            hungry: AtomicUsize::new(0),
            alternatives: AtomicBool::new(twigs.iter().any(|t| t.step.kind.may_have_alternatives() && t.depth > 0)),
            registry: Mutex::new(registry),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no worker panics while it holds the tree")
    }

    /// Takes the first open leaf in the order of the tree, and writes down the way to it.
    pub(crate) fn claim(&self, way: &mut Vec<Waypoint>, mut may_begin: impl FnMut() -> bool) -> Claim {
        let mut inner = self.lock();
        loop {
            let root = inner.marks[inner.root.index()];
            if inner.closed || root.left == 0 {
                return Claim::Nothing;
            }
            if root.open > 0 {
                if !may_begin() {
                    return Claim::Refused;
                }
                inner.take_open(way);
                return Claim::Taken;
            }
            // ORDER none: a hint for those who look; the tree itself is under the lock.
            self.hungry.fetch_add(1, Ordering::Relaxed);
            inner = self.changed.wait(inner).expect("no worker panics while it holds the tree");
            // ORDER none: as above.
            self.hungry.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether somebody waits for a task.
    pub(crate) fn is_hungry(&self) -> bool {
        // ORDER none: a hint.
        self.scattered || self.hungry.load(Ordering::Relaxed) > 0
    }

    /// Whether some step of the search could go in more than one way.
    pub(crate) fn has_alternatives(&self) -> bool {
        // ORDER none: what another worker put into the tree is seen after the tree's lock, which carries this flag too.
        self.alternatives.load(Ordering::Relaxed)
    }

    pub(crate) fn note_alternatives(&self) {
        if !self.has_alternatives() {
            // ORDER none: as above.
            self.alternatives.store(true, Ordering::Relaxed);
        }
    }

    /// Inserts a sequence beside a branch of the caller's way, behind it.
    pub(crate) fn insert(&self, beside: BranchId, failing: Threads, rest: &mut Vec<Step>) {
        let mut inner = self.lock();
        let first = inner.branches.next(beside);
        let parent = inner.marks[beside.index()].parent;
        if inner.insert(parent, first, failing, rest) {
            self.changed.notify_one();
        }
    }

    /// Lets `promote` make the way to the caller's home longer, with new tasks beside it.
    pub(crate) fn promote(&self, home: BranchId, promote: impl FnOnce(&mut Promotion<'_>)) {
        let mut inner = self.lock();
        promote(&mut Promotion { inner: &mut inner, at: home });
        self.changed.notify_all();
    }

    /// The caller's task is over.
    pub(crate) fn finish(&self, home: BranchId) {
        let mut inner = self.lock();
        inner.count_up(home, |mark| mark.left -= 1);
        inner.release_finished();
        if inner.marks[inner.root.index()].left == 0 {
            self.changed.notify_all();
        }
    }

    /// Nobody gets a task any more.
    pub(crate) fn close(&self) {
        // A worker that panics closes too, so that the others end; then the lock may be poisoned.
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn root(&self) -> BranchId {
        self.lock().root
    }

    /// The share of the tree that is explored, taking the known branches of a node for equal.
    pub(crate) fn explored_share(&self) -> f64 {
        1.0 - self.lock().weight_left()
    }

    /// A worker says how much of its task is explored.
    pub(crate) fn note_share(&self, home: BranchId, share_of_task: f64) {
        self.lock().marks[home.index()].share = share_of_task;
    }

    pub(crate) fn twigs(&self) -> Vec<Twig> {
        self.lock().twigs()
    }

    /// The tree of merged shards: what they deferred is inserted, and all becomes its own.
    pub(crate) fn with_deferred(&self, found: impl Iterator<Item = Deferred>) -> Vec<Twig> {
        let mut inner = self.lock();
        let fixed = inner.grow_from_fixed();
        for mut sequence in found {
            let parent = fixed[sequence.below];
            // None of the children that all shards have can begin it.
            let new = inner.children(parent).find(|child| inner.marks[child.index()].origin == Origin::Own);
            inner.insert(parent, new.unwrap_or(BranchId::NONE), sequence.failing, &mut sequence.steps);
        }
        let mut twigs = inner.twigs();
        twigs.iter_mut().for_each(|twig| twig.origin = Origin::Own);
        twigs
    }

    /// The number of a child, given at its first spawn by whichever worker came first.
    pub(crate) fn family_tid(&self, parent: Tid, number: u32) -> Option<Tid> {
        let mut known = self.registry.lock().expect("no worker panics while it holds the registry");
        if let Some(&(_, _, tid)) = known.iter().find(|&&(p, n, _)| p == parent && n == number) {
            return Some(tid);
        }
        let tid = Tid::nth_spawned(known.len())?;
        known.push((parent, number, tid));
        Some(tid)
    }

    pub(crate) fn registry(&self) -> Registry {
        self.registry.lock().expect("no worker panics while it holds the registry").clone()
    }
}

/// A worker that hands part of its own tree over, from its home downwards.
pub(crate) struct Promotion<'i> {
    inner: &'i mut Inner,
    at: BranchId,
}

impl Promotion<'_> {
    /// One node of the way: what is explored there, the step that was gone, and what is left. Gives the new home.
    pub(crate) fn node(&mut self, explored: &[Step], chosen: Step, later: impl FnOnce(&mut Grafts<'_>)) -> BranchId {
        for &step in explored {
            self.inner.graft(self.at, step, Mark::DONE);
        }
        let home = self.inner.graft(self.at, chosen, Mark { left: 1, ..Mark::DONE });
        later(&mut Grafts { inner: self.inner, parent: self.at });
        self.at = home;
        home
    }
}

/// Where branches of a local wakeup tree go in.
pub(crate) struct Grafts<'i> {
    inner: &'i mut Inner,
    parent: BranchId,
}

impl Grafts<'_> {
    /// Copies a list of branches with all that is below them; every leaf becomes an open task.
    pub(crate) fn take(&mut self, from: &Branches, first: BranchId) {
        let mut lists = vec![(self.parent, first)];
        while let Some((parent, branch)) = lists.pop() {
            if !branch.exists() {
                continue;
            }
            lists.push((parent, from.next(branch)));
            let below = from.first_child(branch);
            let copy = self.inner.graft(parent, from.step(branch), Mark::DONE);
            if below.exists() {
                lists.push((copy, below));
            } else {
                self.inner.open(copy);
            }
        }
    }
}

impl Inner {
    fn new(twigs: &[Twig], order: Order) -> Inner {
        let mut branches = Branches::default();
        let root = branches.chain(&[Twig::ROOT.step]);
        let mut inner = Inner { branches, marks: vec![Mark::DONE], root, order, closed: false, weights: Vec::new() };
        let mut line: Vec<BranchId> = Vec::new();
        for twig in twigs {
            let branch = match line.get(..twig.depth as usize).and_then(<[_]>::last) {
                Some(&parent) => inner.graft(parent, twig.step, Mark::DONE),
                None => root,
            };
            line.truncate(twig.depth as usize);
            line.push(branch);
            let deferring = matches!(twig.origin, Origin::Fixed | Origin::Elsewhere) && twig.task == Task::None;
            let mark = &mut inner.marks[branch.index()];
            mark.origin = twig.origin;
            mark.grows = if deferring { Grows::Deferred } else { Grows::Tasks };
            if twig.task == Task::Open {
                inner.open(branch);
            }
        }
        inner
    }

    /// Adds a branch as the last child of another.
    fn graft(&mut self, parent: BranchId, step: Step, mark: Mark) -> BranchId {
        let branch = self.branches.chain(&[step]);
        self.branches.adopt(parent, branch);
        if self.marks.len() <= branch.index() {
            self.marks.resize(branch.index() + 1, Mark::DONE);
        }
        self.marks[branch.index()] = Mark { parent, ..mark };
        branch
    }

    fn count_up(&mut self, from: BranchId, change: impl Fn(&mut Mark)) {
        let mut at = from;
        while at.exists() {
            let mark = &mut self.marks[at.index()];
            change(mark);
            at = mark.parent;
        }
    }

    fn open(&mut self, leaf: BranchId) {
        self.count_up(leaf, |mark| {
            mark.open += 1;
            mark.left += 1;
        });
    }

    fn children(&self, of: BranchId) -> impl Iterator<Item = BranchId> + '_ {
        let first = Some(self.branches.first_child(of)).filter(|b| b.exists());
        std::iter::successors(first, |&b| Some(self.branches.next(b)).filter(|n| n.exists()))
    }

    /// Writes down the way to an open leaf, with the siblings before each of its branches.
    fn take_open(&mut self, way: &mut Vec<Waypoint>) {
        way.clear();
        let mut at = self.root;
        loop {
            let children: Vec<_> = self.children(at).collect();
            let mut open = children.iter().enumerate().filter(|(_, c)| self.marks[c.index()].open > 0).map(|(i, _)| i);
            let picked = match &mut self.order {
                Order::First => open.next(),
                Order::Scattered(rng) => {
                    let open: Vec<_> = open.collect();
                    (!open.is_empty()).then(|| open[rng.below(open.len())])
                }
            };
            let Some(index) = picked else { break };
            let before = children[..index].iter().map(|&c| self.branches.step(c)).collect();
            at = children[index];
            way.push(Waypoint { branch: at, step: self.branches.step(at), before });
        }
        self.count_up(at, |mark| mark.open -= 1);
        self.marks[at.index()].share = 0.0;
    }

    /// Whether it made a task.
    fn insert(&mut self, parent: BranchId, first: BranchId, failing: Threads, rest: &mut Vec<Step>) -> bool {
        let mut at = match self.branches.follow(first, failing, rest) {
            Followed::Covered => return false,
            Followed::NewHere => parent,
            Followed::NewBelow(branch) => branch,
        };
        let grows = self.marks[at.index()].grows;
        let origin = if grows == Grows::Tasks { Origin::Own } else { Origin::Deferred(failing) };
        for &step in rest.iter() {
            at = self.graft(at, step, Mark { origin, grows, ..Mark::DONE });
        }
        if grows == Grows::Tasks {
            self.open(at);
        }
        grows == Grows::Tasks
    }

    /// Releases what S3 allows.
    fn release_finished(&mut self) {
        let mut at = self.root;
        while at.exists() {
            let mut child = self.branches.first_child(at);
            while child.exists() && self.marks[child.index()].left == 0 {
                if self.marks[child.index()].grows == Grows::Tasks {
                    self.branches.clear_below(child);
                }
                child = self.branches.next(child);
            }
            at = child;
        }
    }

    /// Lets tasks be inserted everywhere; returns the branches that are fixed, in preorder.
    fn grow_from_fixed(&mut self) -> Vec<BranchId> {
        let mut fixed = Vec::new();
        let mut stack = vec![self.root];
        while let Some(at) = stack.pop() {
            let mark = &mut self.marks[at.index()];
            if mark.origin == Origin::Fixed {
                fixed.push(at);
            }
            mark.grows = Grows::Tasks;
            let from = stack.len();
            let children: Vec<_> = self.children(at).collect();
            stack.extend(children);
            stack[from..].reverse();
        }
        fixed
    }

    fn weight_left(&mut self) -> f64 {
        let mut sum = 0.0;
        let mut stack = std::mem::take(&mut self.weights);
        stack.push((self.root, 1.0));
        while let Some((at, weight)) = stack.pop() {
            let mark = &self.marks[at.index()];
            let count = self.children(at).count();
            if mark.left == 0 {
                continue;
            }
            if count == 0 {
                sum += if mark.open > 0 { weight } else { weight * (1.0 - mark.share) };
            }
            stack.extend(self.children(at).map(|child| (child, weight / count as f64)));
        }
        self.weights = stack;
        sum
    }

    fn twigs(&self) -> Vec<Twig> {
        let mut twigs = Vec::new();
        let mut stack = vec![(self.root, 0)];
        while let Some((at, depth)) = stack.pop() {
            let mark = &self.marks[at.index()];
            let leaf = !self.branches.first_child(at).exists();
            let task = if leaf && mark.open > 0 { Task::Open } else { Task::None };
            twigs.push(Twig { depth, step: self.branches.step(at), origin: mark.origin, task });
            let from = stack.len();
            stack.extend(self.children(at).map(|child| (child, depth + 1)));
            stack[from..].reverse();
        }
        twigs
    }
}
