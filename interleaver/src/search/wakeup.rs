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

/// A wakeup tree by itself, to be handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wakeup {
    pub step: Step,
    pub children: Vec<Wakeup>,
}

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
    /// Follows the branches that can begin the rest of the sequence; what is left becomes a new branch.
    pub(crate) fn insert(&mut self, head: &mut Head, failing: Threads, rest: &mut Vec<Step>) {
        let commutes = |a: &Step, b: &Step| a.effect.surely_commutes(&b.effect);
        let mut parent = NIL;
        loop {
            let mut child = if parent == NIL { head.0 } else { self.list[parent as usize].first_child };
            if parent != NIL && child == NIL {
                return; // a leaf: what it begins includes this sequence
            }
            let mut followed = NIL;
            while child != NIL && followed == NIL {
                match can_begin(&self.list[child as usize].step, rest, failing, commutes) {
                    Beginning::No => child = self.list[child as usize].next,
                    Beginning::Beside => followed = child,
                    Beginning::At(index) => {
                        rest.remove(index);
                        followed = child;
                    }
                }
            }
            if followed == NIL {
                break;
            }
            parent = followed;
        }
        self.append(head, parent, rest);
    }

    fn append(&mut self, head: &mut Head, parent: u32, rest: &[Step]) {
        let mut chain = NIL;
        for &step in rest.iter().rev() {
            chain = self.allocate(Branch { step, first_child: chain, next: NIL });
        }
        let mut last = if parent == NIL { head.0 } else { self.list[parent as usize].first_child };
        if last == NIL {
            if parent == NIL {
                head.0 = chain;
            } else {
                self.list[parent as usize].first_child = chain;
            }
            return;
        }
        while self.list[last as usize].next != NIL {
            last = self.list[last as usize].next;
        }
        self.list[last as usize].next = chain;
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

    pub(crate) fn count(&self, head: Head) -> u32 {
        let (mut count, mut at) = (0, head.0);
        while at != NIL {
            count += 1;
            at = self.list[at as usize].next;
        }
        count
    }

    /// Takes a whole list out of the arena.
    pub(crate) fn export(&mut self, mut head: Head) -> Vec<Wakeup> {
        let mut trees = Vec::new();
        while let Some((step, below)) = self.take_first(&mut head) {
            let children = self.export(below);
            trees.push(Wakeup { step, children });
        }
        trees
    }

    /// Puts a list into the arena.
    pub(crate) fn import(&mut self, trees: &[Wakeup]) -> Head {
        let mut next = NIL;
        for tree in trees.iter().rev() {
            let first_child = self.import(&tree.children).0;
            next = self.allocate(Branch { step: tree.step, first_child, next });
        }
        Head(next)
    }
}
