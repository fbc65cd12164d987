//! The beginning that an execution shares with the one before: taken again, without being worked out again.
//!
//! The code under test has to run again, so that its threads come to where they were. What the engine knew of those
//! events (their links, their place in the dependence order) it kept.
//!
//! # Invariants
//! - A1. Events before `replayed` are those of the execution before, decision by decision; values may differ, because
//!   code may store addresses.
//! - A2. An object's group clocks are stale from its first replayed access until somebody needs them.

use super::clock::join;
use super::exec::{Exec, NO_LINK, Status};
use super::op::{Class, EventId, Kind, ObjId, Op, Tid};
use crate::search::plan::Strategy;

/// The next step of the shared beginning.
pub(crate) enum Again {
    Step(Tid, u16),
    /// The code does something else than before.
    Mismatch,
    /// The shared beginning is over.
    Over,
}

impl Exec {
    /// Goes back to the start; the events of the finished execution stay for being taken again.
    pub(crate) fn rewind_events(&mut self) {
        self.replayed = self.plan.shared_beginning().min(self.events.len());
        self.events.rewind();
        self.links.rewind();
        self.event_clock.rewind();
    }

    /// What the execution before did at this point, if that is to be done again.
    pub(crate) fn next_again(&self) -> Again {
        let depth = self.events.len();
        if depth >= self.replayed {
            return Again::Over;
        }
        let (Strategy::Search(tree), Some(before)) = (&self.plan.strategy, self.events.former()) else {
            return Again::Over;
        };
        let op = &self.thread(before.tid).pending;
        let same_step = self.enabled(before.tid) && op.kind == before.kind && op.obj == before.obj;
        let same_effect = || tree.effect_is(depth, &self.effect_now(before.tid, before.choice));
        if same_step && (!op.kind.depends_on_state() || same_effect()) {
            Again::Step(before.tid, before.choice)
        } else {
            Again::Mismatch
        }
    }

    /// Whether the running thread took its next step at this point before, when nobody else has anything to do first.
    /// It saves the way through the scheduler where a thread takes one step after the other.
    pub(crate) fn goes_on_again(&mut self, tid: Tid) -> bool {
        if self.events.len() >= self.replayed || self.status != Status::Running || !self.runnable.is_empty() {
            return false;
        }
        let Some(before) = self.events.former() else { return false };
        let op = &self.threads[tid.index()].pending;
        let same = before.tid == tid && before.kind == op.kind && before.obj == op.obj;
        if same && op.kind.is_plain() {
            self.choice = before.choice;
            return true;
        }
        false
    }

    /// Appends a replayed event as it was (`commit` for those that are new).
    pub(crate) fn commit_again(&mut self, tid: Tid, op: &Op, id: EventId) -> bool {
        if id.index() >= self.replayed {
            return false;
        }
        self.events.again(1);
        let event = &mut self.events[id.index()];
        (event.a, event.b) = (op.a, op.b);
        let (first, count, seq) = (event.first_link, event.links, event.seq);
        self.links.again(count as usize);
        for at in first..first + count {
            let link = &self.links[at as usize];
            let o = &mut self.objs[link.obj.index()];
            o.last_link = at;
            o.before_group = link.before_group;
            o.class = link.class;
            o.stale = true;
            if link.class != Class::Read {
                o.last_change = id;
            }
        }
        self.event_clock.again();
        self.thread_clock.get_mut(tid.index()).copy_from_slice(self.event_clock.get(id.index()));
        let thread = &mut self.threads[tid.index()];
        thread.seq = seq;
        if op.kind == Kind::Yield {
            thread.forced = false;
        }
        true
    }

    /// Works the group clocks of an object out, if they are stale (A2).
    pub(crate) fn freshen(&mut self, obj: ObjId) {
        let o = &mut self.objs[obj.index()];
        if !o.stale {
            return;
        }
        o.stale = false;
        let (last, before) = (o.last_link, o.before_group);
        let before_that = if before == NO_LINK { NO_LINK } else { self.links[before as usize].before_group };
        self.join_links(last, before, 2 * obj.index());
        self.join_links(before, before_that, 2 * obj.index() + 1);
    }

    /// Makes a group clock the join of the accesses from link `at` back to link `end`, which is not part of them.
    fn join_links(&mut self, mut at: u32, end: u32, group: usize) {
        let clock = self.group_clock.get_mut(group);
        clock.fill(0);
        while at != end {
            let link = &self.links[at as usize];
            join(clock, self.event_clock.get(link.event.index()));
            at = link.prev;
        }
    }
}
