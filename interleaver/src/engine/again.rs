//! The beginning that an execution shares with the one before: taken again, without being worked out again.
//!
//! The code under test has to run again, so that its threads come to where they were. What the engine knew of those
//! events (their links, their place in the dependence order) it kept.
//!
//! # Invariants
//! - A1. Events before `replayed` are those of the execution before, decision by decision; values may differ, because
//!   code may store addresses.
//! - A2. An object's group clocks are stale from its first replayed access until somebody needs them.

use super::clock::{Clocks, join};
use super::exec::{Event, Exec, Link, NO_LINK};
use super::op::{Class, EventId, Kind, ObjId, Op, Tid};
use crate::search::plan::Strategy;

/// What is kept of the execution before.
pub(crate) struct Past {
    events: Vec<Event>,
    links: Vec<Link>,
    event_clock: Clocks,
    /// How many of its events the present execution shares.
    replayed: usize,
}

impl Past {
    pub(crate) fn new(stride: usize) -> Past {
        Past { events: Vec::new(), links: Vec::new(), event_clock: Clocks::new(stride), replayed: 0 }
    }

    pub(crate) fn replayed(&self) -> usize {
        self.replayed
    }

    pub(crate) fn restride(&mut self, stride: usize) {
        self.event_clock.restride(stride);
    }
}

/// The next step of the shared beginning.
pub(crate) enum Again {
    Step(Tid, u16),
    /// The code does something else than before.
    Mismatch,
    /// The shared beginning is over.
    Over,
}

impl Exec {
    /// Puts the finished execution aside.
    pub(crate) fn keep_past(&mut self) {
        std::mem::swap(&mut self.events, &mut self.past.events);
        std::mem::swap(&mut self.links, &mut self.past.links);
        std::mem::swap(&mut self.event_clock, &mut self.past.event_clock);
        self.events.clear();
        self.links.clear();
        self.event_clock.clear();
        self.past.replayed = self.plan.shared_beginning().min(self.past.events.len());
    }

    /// What the execution before did at this point, if that is to be done again.
    pub(crate) fn next_again(&self) -> Again {
        let depth = self.events.len();
        if depth >= self.past.replayed {
            return Again::Over;
        }
        let Strategy::Search(tree) = &self.plan.strategy else { return Again::Over };
        let before = &self.past.events[depth];
        let op = &self.thread(before.tid).pending;
        let same = self.enabled(before.tid)
            && op.kind == before.kind
            && op.obj == before.obj
            && (!op.kind.depends_on_state() || tree.effect_is(depth, &self.effect_now(before.tid, before.choice)));
        if same { Again::Step(before.tid, before.choice) } else { Again::Mismatch }
    }

    /// Appends a replayed event as it was (`commit` for those that are new).
    pub(crate) fn commit_again(&mut self, tid: Tid, op: &Op, id: EventId) -> bool {
        if id.index() >= self.past.replayed {
            return false;
        }
        let event = Event { a: op.a, b: op.b, ..self.past.events[id.index()] };
        for at in event.first_link..event.first_link + event.links {
            let link = self.past.links[at as usize];
            self.links.push(link);
            let o = &mut self.objs[link.obj.index()];
            o.last_link = at;
            o.before_group = link.before_group;
            o.class = link.class;
            o.stale = true;
            if link.class != Class::Read {
                o.last_change = id;
            }
        }
        let clock = self.past.event_clock.get(id.index());
        self.thread_clock.get_mut(tid.index()).copy_from_slice(clock);
        self.event_clock.push_copy(clock);
        let thread = &mut self.threads[tid.index()];
        thread.seq = event.seq;
        if op.kind == Kind::Yield {
            thread.forced = false;
        }
        self.events.push(event);
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
