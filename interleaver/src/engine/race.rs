//! Reversible races: pairs of events that some other schedule takes the other way round, and that schedule's beginning.
//!
//! When thread `t` takes `last`, every earlier event `first` of another thread is asked: could `last` have gone
//! before it? It could when they conflict, nothing else orders them, and `last` is enabled in what remains once
//! `first` and all that depends on it are taken away. The events that remain, then `last`, go into the wakeup tree at
//! `first`.
//!
//! # Blocking operations
//! An acquire races with the acquire that kept it out, not with the release that let it in: without the release it
//! cannot go at all. So for an operation that blocks, the walk goes back over the object's accesses until the
//! operation is enabled without one of them. Taking away a read-lock may leave a write-lock blocked by *another*
//! reader that does not depend on it; that reader is then taken away too (`drops`), or the reversal would never be
//! tried when two readers hold the lock together in every execution that starts with one of them.
//!
//! # Invariants
//! - R1. `drops[0]` is the earliest event dropped; all others come after it.
//! - R2. An event is kept when it stands before `drops[0]`, or depends on none of `drops`. Kept events are a prefix
//!   of the dependence order, so they can run as they ran.

use super::exec::{Exec, NO_LINK};
use super::machine::{Ability, SPURIOUS, View, ability, apply, class_of};
use super::op::{Access, Class, Effect, EventId, Kind, ObjId, ObjKind, Op, Step, Tid};
use crate::search::wakeup::Threads;

/// A step that could have gone before others.
pub(crate) struct Race {
    tid: Tid,
    op: Op,
    /// Whether its weak CAS may fail without reason.
    may_fail: bool,
    /// What a spinning thread waits for.
    waits_for: Effect,
    /// The event that it was, or would have been.
    at: EventId,
    /// The events that it overtakes: a range of `Exec::race_drops`.
    drops: (usize, usize),
}

/// Whether the object's accesses further back can still race.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    GoOn,
    /// Everything before the present group is ordered already.
    UpToGroup(Class),
    Stop,
}

impl Exec {
    /// Finds the races of an operation that `tid` is about to take as event `id`, or that it is blocked at for ever.
    pub(crate) fn find_races(&mut self, tid: Tid, op: &Op, class: Class, id: EventId) {
        if self.thread(tid).forced {
            return;
        }
        let mut candidates = std::mem::take(&mut self.scratch.candidates);
        candidates.clear();
        if op.kind == Kind::Yield {
            for index in 0..self.thread(tid).reads.len() {
                let (obj, _) = self.thread(tid).reads[index];
                self.walk_back(tid, op, obj, class, id, &mut candidates);
            }
        } else if class != Class::Nothing {
            self.walk_back(tid, op, op.obj, class, id, &mut candidates);
        }
        self.scratch.candidates = candidates;
    }

    fn blocks(&self, op: &Op, obj: ObjId) -> bool {
        match op.kind {
            Kind::Await | Kind::Yield => true,
            _ => ability(op, self.obj(obj).kind, &View::default()) != Ability::Always,
        }
    }

    fn walk_back(&mut self, tid: Tid, op: &Op, obj: ObjId, class: Class, id: EventId, found: &mut Vec<EventId>) {
        let blocks = self.blocks(op, obj);
        let mut walk = Walk::GoOn;
        let o = self.obj(obj);
        let mut at = if o.class.commutes(class) { o.before_group } else { o.last_link };
        while at != NO_LINK {
            let link = self.links[at as usize];
            at = link.prev;
            if link.class.commutes(class) {
                continue;
            }
            if walk == Walk::Stop || matches!(walk, Walk::UpToGroup(group) if group != link.class) {
                return;
            }
            let covered = self.is_before_thread(link.event, tid) || found.iter().any(|&c| self.precedes(link.event, c));
            if !covered && !self.reverse(tid, op, obj, link.event, id, blocks) {
                continue;
            }
            if !covered {
                found.push(link.event);
            }
            walk = if link.class.commutes_with_itself() { Walk::UpToGroup(link.class) } else { Walk::Stop };
        }
    }

    /// Tries to have `op` go before `first`; true when that is possible, whether or not it is explored already.
    fn reverse(&mut self, tid: Tid, op: &Op, obj: ObjId, first: EventId, id: EventId, blocks: bool) -> bool {
        let mut drops = std::mem::take(&mut self.scratch.kept);
        drops.clear();
        drops.push(first);
        let possible = !blocks || self.unblock(tid, op, obj, id, &mut drops);
        if possible {
            self.note_race(tid, op, id, &drops);
        }
        self.scratch.kept = drops;
        possible
    }

    /// Whether the thread's next step comes after the event whatever it is.
    fn is_before_thread(&self, event: EventId, tid: Tid) -> bool {
        let e = &self.events[event.index()];
        self.thread_clock.get(tid.index())[e.tid.index()] >= e.seq
    }

    fn is_kept(&self, event: EventId, drops: &[EventId]) -> bool {
        event < drops[0] || drops.iter().all(|&d| !self.precedes(d, event))
    }

    /// The events from `start` on that are kept.
    fn kept_from(&self, start: u32, drops: &[EventId]) -> impl Iterator<Item = EventId> {
        let first = self.events[drops[0].index()];
        let others = &drops[1..];
        (start..self.events.len() as u32).map(EventId).filter(move |&id| {
            let clock = self.event_clock.get(id.index());
            clock[first.tid.index()] < first.seq && others.iter().all(|&d| !self.precedes(d, id))
        })
    }

    /// Whether the operation is enabled in what is kept, dropping further readers if that helps.
    fn unblock(&self, tid: Tid, op: &Op, obj: ObjId, id: EventId, drops: &mut Vec<EventId>) -> bool {
        match (op.kind, self.obj(obj).kind) {
            (Kind::Await, _) => {
                let val = self.view_without(obj, drops).val;
                self.truths.iter().any(|&(e, v, truth)| e == id && v == val && truth)
            }
            (Kind::Yield, _) => {
                let reads = &self.thread(tid).reads;
                reads.iter().any(|&(o, seen)| self.last_kept_change(o, drops) != seen)
            }
            (_, ObjKind::RwLock | ObjKind::FairRwLock) => loop {
                if ability(op, self.obj(obj).kind, &self.view_without(obj, drops)) != Ability::Blocked {
                    return true;
                }
                match self.late_reader(obj, drops) {
                    Some(reader) if !self.is_before_thread(reader, tid) => drops.push(reader),
                    _ => return false,
                }
            },
            (_, kind) => ability(op, kind, &self.view_without(obj, drops)) != Ability::Blocked,
        }
    }

    fn last_kept_change(&self, obj: ObjId, drops: &[EventId]) -> EventId {
        let mut at = self.obj(obj).last_link;
        while at != NO_LINK {
            let link = self.links[at as usize];
            if link.class != Class::Read && self.is_kept(link.event, drops) {
                return link.event;
            }
            at = link.prev;
        }
        EventId::NONE
    }

    /// A reader that entered after `drops[0]`, is kept, and whose leaving is not.
    fn late_reader(&self, obj: ObjId, drops: &[EventId]) -> Option<EventId> {
        let mut left: Vec<Tid> = Vec::new();
        let mut at = self.obj(obj).last_link;
        while at != NO_LINK {
            let link = self.links[at as usize];
            at = link.prev;
            if link.event < drops[0] || !self.is_kept(link.event, drops) {
                continue;
            }
            let event = &self.events[link.event.index()];
            match event.kind {
                Kind::ReadUnlock => left.push(event.tid),
                Kind::Read | Kind::TryRead if link.class == Class::Shared => {
                    match left.iter().position(|&t| t == event.tid) {
                        Some(index) => _ = left.swap_remove(index),
                        None => return Some(link.event),
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The object's state after the kept events only.
    fn view_without(&self, obj: ObjId, drops: &[EventId]) -> View {
        let o = self.obj(obj);
        let mut view = View { val: o.init, ..View::default() };
        match o.kind {
            ObjKind::Atomic | ObjKind::Counter | ObjKind::Mutex | ObjKind::BitLock | ObjKind::Parker => {
                let last = self.last_kept_change(obj, drops);
                if last.exists() {
                    let event = &self.events[last.index()];
                    let class = self.links[event.first_link as usize].class;
                    apply(&mut view, event, class);
                }
            }
            ObjKind::RwLock | ObjKind::FairRwLock => {
                for (event, class) in self.kept_accesses(obj, drops) {
                    apply(&mut view, &self.events[event.index()], class);
                }
            }
            ObjKind::Condvar => view.waiters = !self.waiters_without(obj, drops).is_empty(),
            ObjKind::Barrier => {}
        }
        view
    }

    fn kept_accesses(&self, obj: ObjId, drops: &[EventId]) -> Vec<(EventId, Class)> {
        let mut kept = Vec::new();
        let mut at = self.obj(obj).last_link;
        while at != NO_LINK {
            let link = self.links[at as usize];
            if self.is_kept(link.event, drops) {
                kept.push((link.event, link.class));
            }
            at = link.prev;
        }
        kept.reverse();
        kept
    }

    fn waiters_without(&self, obj: ObjId, drops: &[EventId]) -> Vec<Tid> {
        let mut waiters = Vec::new();
        for (id, _) in self.kept_accesses(obj, drops) {
            let event = &self.events[id.index()];
            match event.kind {
                Kind::Enlist => waiters.push(event.tid),
                Kind::NotifyOne => waiters.retain(|t| u64::from(t.0) + 1 != event.result),
                Kind::NotifyAll => waiters.clear(),
                _ => waiters.retain(|&t| t != event.tid),
            }
        }
        waiters
    }

    fn note_race(&mut self, tid: Tid, op: &Op, at: EventId, drops: &[EventId]) {
        let thread = self.thread(tid);
        let waits_for = match op.kind {
            Kind::Yield => Effect::reads(thread.reads.iter().map(|&(o, _)| self.obj(o).name)),
            _ => Effect::NOTHING,
        };
        let may_fail = thread.weak_failures_left > 0;
        let start = self.race_drops.len();
        self.race_drops.extend_from_slice(drops);
        self.races.push(Race { tid, op: *op, may_fail, waits_for, at, drops: (start, self.race_drops.len()) });
    }

    /// At the end of an execution: inserts the reversals of all its races.
    ///
    /// Not before, because a sequence must say everything that can still happen without what it overtakes. A shorter
    /// one is begun by branches that go on differently, and would be taken for covered by them.
    pub(crate) fn insert_reversals(&mut self) {
        let races = std::mem::take(&mut self.races);
        let all_drops = std::mem::take(&mut self.race_drops);
        for race in &races {
            self.insert_reversal(race, &all_drops[race.drops.0..race.drops.1]);
        }
        self.races = races;
        self.race_drops = all_drops;
    }

    /// Forgets the races of events that the next execution does not share; all of them where a step has alternatives,
    /// because then `is_inserted` would not hold.
    pub(crate) fn keep_shared_races(&mut self) {
        let shared = if self.plan.has_alternatives() { 0 } else { self.replayed };
        let kept = self.races.iter().take_while(|r| r.at.index() < shared).count();
        self.races.truncate(kept);
        self.race_drops.truncate(self.races.last().map_or(0, |r| r.drops.1));
    }

    /// Whether the execution before inserted the same sequence, or one that goes on: the race is in the beginning that
    /// both share, and what is new in this one all depends on what the race drops.
    fn is_inserted(&self, race: &Race, drops: &[EventId]) -> bool {
        let shared = self.replayed;
        race.at.index() < shared
            && !self.plan.has_alternatives()
            && self.kept_from(shared as u32, drops).next().is_none()
    }

    /// Puts "the kept events after `drops[0]`, then the operation" into the wakeup tree at `drops[0]`, once for each
    /// way in which the operation can go there and conflict with what it overtakes.
    fn insert_reversal(&mut self, race: &Race, drops: &[EventId]) {
        if self.is_inserted(race, drops) {
            return;
        }
        let (tid, op) = (race.tid, &race.op);
        let mut steps = self.plan.take_steps();
        steps.extend(self.kept_from(drops[0].0 + 1, drops).map(|id| {
            let event = &self.events[id.index()];
            Step { tid: event.tid, kind: event.kind, choice: event.choice, effect: self.effect_of(id) }
        }));
        let failing = self.failing_after(drops[0]);
        let first_effect = self.effect_of(drops[0]);
        let mut push = |plan: &mut crate::search::plan::Plan, choice: u16, effect: Effect| {
            steps.push(Step { tid, kind: op.kind, choice, effect });
            plan.insert(drops[0], failing, &steps);
            steps.pop();
        };
        if op.kind == Kind::Yield {
            push(&mut self.plan, 0, race.waits_for);
            self.plan.give_steps(steps);
            return;
        }
        let name = self.obj(op.obj).name;
        let view = if op.kind.depends_on_state() { self.view_without(op.obj, drops) } else { View::default() };
        let effect = |choice| Effect::one(Access { name, class: class_of(op, choice, &view) });
        match op.kind {
            Kind::NotifyOne if view.waiters => {
                for waiter in self.waiters_without(op.obj, drops) {
                    push(&mut self.plan, u16::from(waiter.0), effect(0));
                }
            }
            Kind::CasWeak if view.val == op.a && race.may_fail => {
                push(&mut self.plan, 0, effect(0));
                if !first_effect.commutes(&effect(SPURIOUS)) {
                    push(&mut self.plan, SPURIOUS, effect(SPURIOUS));
                }
            }
            _ => push(&mut self.plan, 0, effect(0)),
        }
        self.plan.give_steps(steps);
    }

    /// Threads whose first event from `start` on is a weak CAS that failed without reason.
    fn failing_after(&self, start: EventId) -> Threads {
        if self.limits.weak_failures == 0 {
            return 0;
        }
        let (mut seen, mut failing) = (0, 0);
        for event in &self.events[start.index()..] {
            let bit = 1 << event.tid.0;
            if seen & bit == 0 && event.kind == Kind::CasWeak && event.choice == SPURIOUS {
                failing |= bit;
            }
            seen |= bit;
        }
        failing
    }

    /// At the end of an execution in which threads are blocked for ever: what they wait to do races too.
    pub(crate) fn find_races_of_blocked(&mut self) {
        let id = EventId(self.events.len() as u32);
        for index in 0..self.spawned.len() {
            let tid = self.spawned[index];
            let thread = self.thread(tid);
            if thread.phase == super::exec::Phase::Pending {
                let op = thread.pending;
                let view = if op.obj == ObjId::NONE { View::default() } else { View::of(self.obj(op.obj)) };
                let class = class_of(&op, 0, &view);
                self.find_races(tid, &op, class, id);
            }
        }
    }
}
