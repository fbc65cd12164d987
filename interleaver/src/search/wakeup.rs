//! Wakeup trees: ordered trees of steps, each path the beginning of executions that are still to be explored.

use crate::engine::machine::SPURIOUS;
use crate::engine::op::{Kind, Step};

/// A set of threads.
pub(crate) type Threads = u128;

/// A node in the arena; its children are a list linked through `next`.
#[derive(Clone, Copy)]
struct Branch {
    step: Step,
    first_child: u32,
    next: u32,
}

/// A list of branches in an arena, named by its first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head(u32);

impl Head {
    pub(crate) const EMPTY: Head = Head(NIL);

    pub(crate) fn is_empty(self) -> bool {
        self == Head::EMPTY
    }
}

const NIL: u32 = u32::MAX;

/// Where in a sequence a step can come first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Beginning {
    No,
    /// The sequence holds the step there.
    At(usize),
    /// The step commutes with the whole sequence.
    Beside,
}

/// Whether `step` can be the first of the sequence, without changing what it leads to: it is in it and nothing before
/// conflicts, or it is not and conflicts with nothing in it.
///
/// A weak CAS that fails without reason is a read; the same CAS, had it succeeded, is a write. Executions that begin
/// with the failure say nothing about those in which the CAS succeeds *after* the sequence, even if the failure
/// commutes with all of it. So such a step covers the sequence only if it is in it, or its thread is among `failing`:
/// threads that are known to fail in this way in the executions that the sequence stands for.
pub(crate) fn can_begin(
    step: &Step,
    sequence: &[Step],
    failing: Threads,
    commutes: impl Fn(&Step, &Step) -> bool,
) -> Beginning {
    for (index, other) in sequence.iter().enumerate() {
        if other.tid == step.tid {
            return if other.choice == step.choice { Beginning::At(index) } else { Beginning::No };
        }
        if !commutes(step, other) {
            return Beginning::No;
        }
    }
    if step.kind == Kind::CasWeak && step.choice == SPURIOUS && failing & (1 << step.tid.0) == 0 {
        return Beginning::No;
    }
    Beginning::Beside
}

/// A branch in an arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BranchId(u32);

impl BranchId {
    pub(crate) const NONE: BranchId = BranchId(NIL);

    pub(crate) fn exists(self) -> bool {
        self != BranchId::NONE
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a sequence that was followed through a tree leaves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Followed {
    /// It reached a leaf: what that begins includes the sequence.
    Covered,
    /// The rest is to become a new branch of the list that was entered first.
    NewHere,
    /// The rest is to become a new child of this branch.
    NewBelow(BranchId),
}

/// An arena of wakeup trees; released nodes are used again.
pub(crate) struct Branches {
    list: Vec<Branch>,
    free: u32,
}

impl Default for Branches {
    fn default() -> Branches {
        Branches { list: Vec::new(), free: NIL }
    }
}

impl Branches {
    /// Follows, from the sibling `first` on, the branches that can begin the rest of the sequence; `rest` keeps what is
    /// left of it, unless all is covered.
    pub(crate) fn follow(&self, first: BranchId, failing: Threads, rest: &mut Vec<Step>) -> Followed {
        let commutes = |a: &Step, b: &Step| a.effect.surely_commutes(&b.effect);
        let (mut child, mut at) = (first.0, Followed::NewHere);
        // What comes before is followed already.
        let mut start = 0;
        loop {
            let mut followed = NIL;
            while child != NIL && followed == NIL {
                match can_begin(&self.list[child as usize].step, &rest[start..], failing, commutes) {
                    Beginning::No => child = self.list[child as usize].next,
                    Beginning::Beside => followed = child,
                    Beginning::At(index) => {
                        rest[start..=start + index].rotate_right(1);
                        start += 1;
                        followed = child;
                    }
                }
            }
            if followed == NIL {
                rest.drain(..start);
                return at;
            }
            child = self.list[followed as usize].first_child;
            if child == NIL {
                return Followed::Covered;
            }
            at = Followed::NewBelow(BranchId(followed));
        }
    }

    /// Follows the branches of a list; what is left of the sequence becomes a new branch.
    pub(crate) fn insert(&mut self, head: &mut Head, failing: Threads, rest: &mut Vec<Step>) {
        match self.follow(BranchId(head.0), failing, rest) {
            Followed::Covered => {}
            Followed::NewHere => {
                let chain = self.chain(rest);
                self.append_to(head, chain);
            }
            Followed::NewBelow(parent) => {
                let chain = self.chain(rest);
                self.adopt(parent, chain);
            }
        }
    }

    /// Steps as branches, each below the one before; the first of them.
    pub(crate) fn chain(&mut self, steps: &[Step]) -> BranchId {
        let below = |list: &mut Branches, first_child: u32, &step: &Step| {
            list.allocate(Branch { step, first_child, next: NIL })
        };
        BranchId(steps.iter().rev().fold(NIL, |child, step| below(self, child, step)))
    }

    /// Makes a branch the last child of another.
    pub(crate) fn adopt(&mut self, parent: BranchId, child: BranchId) {
        let mut head = Head(self.list[parent.index()].first_child);
        self.append_to(&mut head, child);
        self.list[parent.index()].first_child = head.0;
    }

    fn append_to(&mut self, head: &mut Head, branch: BranchId) {
        if head.is_empty() {
            *head = Head(branch.0);
            return;
        }
        let mut last = head.0;
        while self.list[last as usize].next != NIL {
            last = self.list[last as usize].next;
        }
        self.list[last as usize].next = branch.0;
    }

    fn allocate(&mut self, branch: Branch) -> u32 {
        if self.free == NIL {
            self.list.push(branch);
            return self.list.len() as u32 - 1;
        }
        let slot = self.free;
        self.free = self.list[slot as usize].next;
        self.list[slot as usize] = branch;
        slot
    }

    /// Takes the first branch off a list: its step, and the list below it.
    pub(crate) fn take_first(&mut self, head: &mut Head) -> Option<(Step, Head)> {
        if head.is_empty() {
            return None;
        }
        let first = head.0;
        let Branch { step, first_child, next } = self.list[first as usize];
        *head = Head(next);
        self.list[first as usize].next = self.free;
        self.free = first;
        Some((step, Head(first_child)))
    }

    /// Releases all that is below a branch.
    pub(crate) fn clear_below(&mut self, branch: BranchId) {
        let below = Head(std::mem::replace(&mut self.list[branch.index()].first_child, NIL));
        self.release(below);
    }

    /// Releases a list with all that is below it.
    pub(crate) fn release(&mut self, head: Head) {
        if head.is_empty() {
            return;
        }
        let mut lists = vec![head];
        while let Some(mut list) = lists.pop() {
            while let Some((_, below)) = self.take_first(&mut list) {
                lists.push(below);
            }
        }
    }

    pub(crate) fn step(&self, branch: BranchId) -> Step {
        self.list[branch.index()].step
    }

    pub(crate) fn first_child(&self, branch: BranchId) -> BranchId {
        BranchId(self.list[branch.index()].first_child)
    }

    pub(crate) fn next(&self, branch: BranchId) -> BranchId {
        BranchId(self.list[branch.index()].next)
    }

    pub(crate) fn first_of(&self, head: Head) -> BranchId {
        BranchId(head.0)
    }

    pub(crate) fn count(&self, head: Head) -> u32 {
        let (mut count, mut at) = (0, head.0);
        while at != NIL {
            count += 1;
            at = self.list[at as usize].next;
        }
        count
    }
}
