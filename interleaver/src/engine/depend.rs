//! The dependence order of an execution: which events could not have been swapped.
//!
//! # How it is kept
//!
//! ```text
//!   accesses of one object:   W | R R R | W | S S S S | R R | W      groups, by V1 of engine/op.rs
//!                                 \_____/   \_______/
//!                                  group_clock[2o+1] and [2o]: joins of the last two groups
//! ```
//!
//! # Invariants
//! - D1. `event_clock[e][t]` is how many events of thread `t` happen before `e` or are `e`.
//! - D2. An event of the class of the present group, if that class commutes with itself, happens after the group
//!   before; any other starts a new group and happens after the present one.

use super::clock::join;
use super::exec::{Event, Exec, Link};
use super::op::{Class, EventId, Kind, ObjId, Op, Tid};
use std::sync::atomic::Ordering;

impl Exec {
    /// Appends the event, finds its races if it is a new one, and orders it after what it depends on.
    pub(crate) fn commit(&mut self, tid: Tid, op: &Op, class: Class) -> EventId {
        let id = EventId(self.events.len() as u32);
        if self.plan.wants_races(id) {
            self.find_races(tid, op, class, id);
        }
        if self.commit_again(tid, op, id) {
            return id;
        }
        self.threads[tid.index()].seq += 1;
        let seq = self.threads[tid.index()].seq;
        let first_link = self.links.len() as u32;
        if op.kind == Kind::Yield {
            for index in 0..self.threads[tid.index()].reads.len() {
                let (obj, _) = self.threads[tid.index()].reads[index];
                self.link(id, tid, obj, Class::Read);
            }
            self.threads[tid.index()].forced = false;
        } else if class != Class::Nothing {
            self.link(id, tid, op.obj, class);
        }
        self.thread_clock.get_mut(tid.index())[tid.index()] = seq;
        self.event_clock.push_copy(self.thread_clock.get(tid.index()));
        for index in first_link..self.links.len() as u32 {
            let Link { obj, .. } = self.links[index as usize];
            join(self.group_clock.get_mut(2 * obj.index()), self.event_clock.get(id.index()));
        }
        self.events.push(Event {
            tid,
            kind: op.kind,
            choice: self.choice,
            seq,
            obj: op.obj,
            a: op.a,
            b: op.b,
            result: 0,
            after: 0,
            order: Ordering::SeqCst,
            place: op.place,
            first_link,
            links: self.links.len() as u32 - first_link,
        });
        if self.plan.is_search() {
            let effect = self.effect_of(id);
            self.plan.effect_done(id, effect);
        }
        id
    }

    /// Chains one access to its object and orders the thread after the accesses that it does not commute with.
    fn link(&mut self, id: EventId, tid: Tid, obj: ObjId, class: Class) {
        let (now, before) = (2 * obj.index(), 2 * obj.index() + 1);
        self.freshen(obj);
        let o = &mut self.objs[obj.index()];
        if !(o.class == class && class.commutes_with_itself()) {
            o.class = class;
            o.before_group = o.last_link;
            self.group_clock.copy(now, before);
        }
        self.links.push(Link { event: id, obj, class, prev: o.last_link, before_group: o.before_group });
        o.last_link = self.links.len() as u32 - 1;
        if class != Class::Read {
            o.last_change = id;
        }
        join(self.thread_clock.get_mut(tid.index()), self.group_clock.get(before));
    }

    /// Orders the thread's next step after an event that let it go on.
    pub(crate) fn thread_clock_joins_event(&mut self, tid: Tid, event: EventId) {
        join(self.thread_clock.get_mut(tid.index()), self.event_clock.get(event.index()));
    }

    /// Orders the thread's next step after all present readers of a lock.
    pub(crate) fn thread_clock_joins_group(&mut self, tid: Tid, obj: ObjId) {
        self.freshen(obj);
        join(self.thread_clock.get_mut(tid.index()), self.group_clock.get(2 * obj.index()));
    }

    /// Orders the thread's next step after everything so far.
    pub(crate) fn thread_clock_joins_all(&mut self, tid: Tid) {
        for index in 0..self.spawned.len() {
            let other = self.spawned[index];
            self.thread_clock.join_within(other.index(), tid.index());
        }
    }
}
