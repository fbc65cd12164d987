//! What operations mean: when one can go, which ways it can go, and what it changes.
//!
//! # States of a lock
//!
//! ```text
//!   kind        free --lock--> writer          writer --unlock--> free
//!   RwLock      free --read--> readers(n)      readers(n) <--read, read-unlock--> readers(n +- 1)
//!               writer --downgrade--> readers(1)
//!   FairRwLock  readers(n) --write--> readers(n)+announced, and no reader enters
//!               readers(1)+announced --read-unlock--> writer (the announced one)
//! ```
//!
//! Behind a *writer* nobody queues by name: when it leaves, any waiter may be next. That allows every order that a
//! first-come queue allows, since the order of arrival is itself open, and needs no event for arriving.
//!
//! # Invariants
//! - M1. `ability` and `class_of` look at a `View` only, so that they can be asked about a state that was or would be.

use super::exec::{Event, Exec, Hold, Obj, Phase, Wake};
use super::op::{Access, Class, Effect, EventId, Kind, ObjId, ObjKind, Op, Tid};
use std::sync::atomic::Ordering;

/// What operations see of an object.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct View {
    pub val: u64,
    pub writer: bool,
    pub readers: u32,
    pub announced: bool,
    pub waiters: bool,
}

impl View {
    pub(crate) fn of(obj: &Obj) -> View {
        View {
            val: obj.val,
            writer: obj.writer.is_some(),
            readers: obj.readers.len() as u32,
            announced: obj.announced.is_some(),
            waiters: !obj.waiters.is_empty(),
        }
    }

    fn is_free(&self) -> bool {
        !self.writer && self.readers == 0 && !self.announced
    }
}

/// Whether an operation can go in some state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ability {
    Always,
    Now,
    Blocked,
}

/// Weak CAS: the alternative in which it fails although the value is as expected.
pub(crate) const SPURIOUS: u16 = 1;
/// `Write` on a fair lock that readers hold: the writer is queued, not in.
pub(crate) const ANNOUNCED: u64 = 2;

/// Whether a lock operation can go. `Await` and `Yield` depend on more than the view and are asked elsewhere.
pub(crate) fn ability(op: &Op, kind: ObjKind, view: &View) -> Ability {
    let now = |yes: bool| if yes { Ability::Now } else { Ability::Blocked };
    match op.kind {
        Kind::Lock | Kind::WaitFree => now(!view.writer),
        Kind::Read => now(!view.writer && !view.announced),
        Kind::Write if kind == ObjKind::FairRwLock => now(!view.writer && !view.announced),
        Kind::Write => now(view.is_free()),
        Kind::Park => now(view.val != 0),
        Kind::Await | Kind::Yield | Kind::Granted | Kind::Join | Kind::Passed => Ability::Blocked,
        Kind::Choose
        | Kind::Load
        | Kind::Store
        | Kind::Rmw
        | Kind::Cas
        | Kind::CasWeak
        | Kind::Add
        | Kind::Sum
        | Kind::TryLock
        | Kind::Unlock
        | Kind::Peek
        | Kind::TryRead
        | Kind::ReadUnlock
        | Kind::TryWrite
        | Kind::WriteUnlock
        | Kind::Downgrade
        | Kind::Enlist
        | Kind::Wake
        | Kind::NotifyOne
        | Kind::NotifyAll
        | Kind::Unpark
        | Kind::Arrive => Ability::Always,
    }
}

/// The class of what an operation would do in some state.
pub(crate) fn class_of(op: &Op, choice: u16, view: &View) -> Class {
    let either = |yes: bool, class: Class| if yes { class } else { Class::Read };
    match op.kind {
        Kind::Choose | Kind::Granted | Kind::Join | Kind::Passed => Class::Nothing,
        Kind::Await if op.obj == ObjId::NONE => Class::Nothing,
        Kind::Load | Kind::Peek | Kind::WaitFree | Kind::Sum | Kind::Await | Kind::Yield => Class::Read,
        Kind::Cas => either(view.val == op.a, Class::Write),
        Kind::CasWeak => either(view.val == op.a && choice != SPURIOUS, Class::Write),
        Kind::Add | Kind::Unpark => Class::Add,
        Kind::TryLock | Kind::TryWrite => either(view.is_free(), Class::Write),
        Kind::TryRead => either(!view.writer && !view.announced, Class::Shared),
        Kind::Read | Kind::ReadUnlock | Kind::Enlist => Class::Shared,
        Kind::NotifyOne | Kind::NotifyAll => either(view.waiters, Class::Write),
        Kind::Store
        | Kind::Rmw
        | Kind::Lock
        | Kind::Unlock
        | Kind::Write
        | Kind::WriteUnlock
        | Kind::Downgrade
        | Kind::Wake
        | Kind::Park
        | Kind::Arrive => Class::Write,
    }
}

impl Exec {
    /// Whether the thread's published operation can be taken now.
    pub(crate) fn enabled(&self, tid: Tid) -> bool {
        let thread = self.thread(tid);
        if thread.phase != Phase::Pending {
            return false;
        }
        let op = &thread.pending;
        match op.kind {
            Kind::Await => thread.awaited.is_some_and(|c| c.ready),
            Kind::Yield => thread.forced || thread.reads.iter().any(|&(o, seen)| self.obj(o).last_change != seen),
            _ if op.obj == ObjId::NONE => true,
            _ => ability(op, self.obj(op.obj).kind, &View::of(self.obj(op.obj))) != Ability::Blocked,
        }
    }

    /// The ways the thread's operation can go now, the usual one first.
    pub(crate) fn alternatives(&self, tid: Tid, out: &mut Vec<u16>) {
        out.clear();
        let thread = self.thread(tid);
        let op = &thread.pending;
        match op.kind {
            Kind::Choose => out.extend(0..op.a as u16),
            Kind::CasWeak => {
                out.push(0);
                if self.obj(op.obj).val == op.a && thread.weak_failures_left > 0 {
                    out.push(SPURIOUS);
                }
            }
            Kind::NotifyOne => {
                out.extend(self.obj(op.obj).waiters.iter().map(|t| u16::from(t.0)));
                out.sort_unstable();
                if out.is_empty() {
                    out.push(0);
                }
            }
            _ => out.push(0),
        }
    }

    /// What the thread's operation would touch now.
    pub(crate) fn effect_now(&self, tid: Tid, choice: u16) -> Effect {
        let thread = self.thread(tid);
        let op = &thread.pending;
        if op.kind == Kind::Yield {
            return Effect::reads(thread.reads.iter().map(|&(o, _)| self.obj(o).name));
        }
        if op.obj == ObjId::NONE {
            return Effect::NOTHING;
        }
        let obj = self.obj(op.obj);
        Effect::one(Access { name: obj.name, class: class_of(op, choice, &View::of(obj)) })
    }

    /// Takes the current thread's atomic operation. `new` is what a read-modify-write makes of the old value.
    pub(crate) fn perform_atomic(&mut self, order: Ordering, failure: Ordering, new: impl FnOnce(u64) -> u64) -> u64 {
        let (tid, choice) = (self.current, self.choice);
        let op = self.thread(tid).pending;
        let class = class_of(&op, choice, &View::of(self.obj(op.obj)));
        let id = self.commit(tid, &op, class);
        let old = self.value_for_load(op.obj);
        let after = match (op.kind, class) {
            (Kind::Store, _) => {
                self.happens.store(tid, op.obj, order);
                op.a
            }
            (_, Class::Write) => {
                self.happens.update(tid, op.obj, order);
                new(old)
            }
            (Kind::Cas | Kind::CasWeak, _) => {
                self.happens.load(tid, op.obj, failure);
                old
            }
            _ => {
                self.happens.load(tid, op.obj, order);
                old
            }
        };
        if (op.kind, choice) == (Kind::CasWeak, SPURIOUS) {
            self.thread_mut(tid).weak_failures_left -= 1;
        }
        self.obj_mut(op.obj).val = after;
        self.finish(id, old, after, order);
        old
    }

    /// What a load returns. Under sequential consistency that is the newest store; a mode with stale reads would choose
    /// here among the stores that the event chain of the object holds.
    fn value_for_load(&self, obj: ObjId) -> u64 {
        self.obj(obj).val
    }

    fn finish(&mut self, id: EventId, result: u64, after: u64, order: Ordering) {
        let event = &mut self.events[id.index()];
        event.result = result;
        event.after = after;
        event.order = order;
    }

    /// Takes the current thread's operation, when it is none of an atomic; returns its result.
    pub(crate) fn perform(&mut self) -> u64 {
        let (tid, choice) = (self.current, self.choice);
        let op = self.thread(tid).pending;
        let view = if op.obj == ObjId::NONE { View::default() } else { View::of(self.obj(op.obj)) };
        let class = class_of(&op, choice, &view);
        let id = self.commit(tid, &op, class);
        let result = match op.kind {
            Kind::Choose => u64::from(choice),
            Kind::Lock | Kind::TryLock | Kind::Unlock | Kind::Peek | Kind::WaitFree => self.mutex_step(tid, &op, class),
            Kind::Read | Kind::TryRead | Kind::ReadUnlock => self.reader_step(tid, &op, class),
            Kind::Write | Kind::TryWrite | Kind::WriteUnlock | Kind::Downgrade => self.writer_step(tid, &op, class),
            Kind::Enlist | Kind::Wake | Kind::NotifyOne | Kind::NotifyAll => self.condvar_step(tid, &op, id),
            Kind::Add | Kind::Sum => self.counter_step(&op),
            Kind::Park | Kind::Unpark => self.parker_step(tid, &op),
            Kind::Arrive => self.arrive(tid, &op, id),
            Kind::Await | Kind::Yield => 0,
            Kind::Load | Kind::Store | Kind::Rmw | Kind::Cas | Kind::CasWeak => unreachable!("an atomic operation"),
            Kind::Granted | Kind::Join | Kind::Passed => unreachable!("a local wait"),
        };
        let after = if op.obj == ObjId::NONE { result } else { self.obj(op.obj).val };
        self.finish(id, result, after, Ordering::SeqCst);
        result
    }

    fn hold(tid: Tid, op: &Op) -> Hold {
        Hold { tid, place: op.place }
    }

    fn mutex_step(&mut self, tid: Tid, op: &Op, class: Class) -> u64 {
        match (op.kind, class) {
            (Kind::Unlock, _) => {
                self.happens.release_exclusive(tid, op.obj);
                self.obj_mut(op.obj).writer = None;
                1
            }
            (Kind::WaitFree, _) => {
                self.happens.acquire_shared(tid, op.obj);
                1
            }
            (Kind::Peek, _) => {
                let obj = self.obj(op.obj);
                u64::from(obj.writer.is_some()) * 2 + u64::from(!obj.readers.is_empty())
            }
            (_, Class::Write) => {
                self.happens.acquire_exclusive(tid, op.obj);
                self.obj_mut(op.obj).writer = Some(Exec::hold(tid, op));
                1
            }
            _ => 0,
        }
    }

    fn reader_step(&mut self, tid: Tid, op: &Op, class: Class) -> u64 {
        if op.kind == Kind::ReadUnlock {
            self.happens.release_shared(tid, op.obj);
            let obj = self.obj_mut(op.obj);
            let mine = obj.readers.iter().rposition(|h| h.tid == tid);
            if let Some(index) = mine.or(obj.readers.len().checked_sub(1)) {
                obj.readers.swap_remove(index);
            }
            if obj.readers.is_empty() && obj.announced.is_some() {
                self.grant(op.obj);
            }
            return 1;
        }
        if class != Class::Shared {
            return 0;
        }
        self.happens.acquire_shared(tid, op.obj);
        self.obj_mut(op.obj).readers.push(Exec::hold(tid, op));
        1
    }

    /// The last reader has left: the announced writer is in.
    fn grant(&mut self, id: ObjId) {
        let Some(hold) = self.obj_mut(id).announced.take() else { return };
        self.obj_mut(id).writer = Some(hold);
        self.happens.acquire_exclusive(hold.tid, id);
        self.thread_clock_joins_group(hold.tid, id);
        self.wake_locally(hold.tid);
    }

    fn writer_step(&mut self, tid: Tid, op: &Op, class: Class) -> u64 {
        match op.kind {
            Kind::WriteUnlock => {
                self.happens.release_exclusive(tid, op.obj);
                self.obj_mut(op.obj).writer = None;
                1
            }
            Kind::Downgrade => {
                self.happens.release_exclusive(tid, op.obj);
                let obj = self.obj_mut(op.obj);
                let hold = obj.writer.take().unwrap_or(Exec::hold(tid, op));
                obj.readers.push(hold);
                1
            }
            Kind::Write if !self.obj(op.obj).readers.is_empty() => {
                self.obj_mut(op.obj).announced = Some(Exec::hold(tid, op));
                ANNOUNCED
            }
            _ if class == Class::Write => {
                self.happens.acquire_exclusive(tid, op.obj);
                self.obj_mut(op.obj).writer = Some(Exec::hold(tid, op));
                1
            }
            _ => 0,
        }
    }

    fn condvar_step(&mut self, tid: Tid, op: &Op, id: EventId) -> u64 {
        match op.kind {
            Kind::Enlist => self.obj_mut(op.obj).waiters.push(tid),
            Kind::Wake => {
                let obj = self.obj_mut(op.obj);
                let listed = obj.waiters.iter().position(|&t| t == tid);
                if let Some(index) = listed {
                    obj.waiters.swap_remove(index);
                    self.thread_mut(tid).wake = Wake::TimedOut;
                    let thread = self.thread_mut(tid);
                    thread.spurious_left = thread.spurious_left.saturating_sub(u32::from(op.b == 0));
                }
                return u64::from(listed.is_none());
            }
            Kind::NotifyOne => {
                let chosen = Tid(self.choice as u8);
                let waiters = &mut self.obj_mut(op.obj).waiters;
                if let Some(index) = waiters.iter().position(|&t| t == chosen) {
                    waiters.swap_remove(index);
                    self.notify(chosen, id);
                    return u64::from(chosen.0) + 1;
                }
            }
            _ => {
                while let Some(waiter) = self.obj_mut(op.obj).waiters.pop() {
                    self.notify(waiter, id);
                }
            }
        }
        0
    }

    fn notify(&mut self, waiter: Tid, by: EventId) {
        let thread = self.thread_mut(waiter);
        thread.wake = Wake::Notified;
        thread.notified_by = by;
        // A waiter that may also time out learns of it by an event of its own (its `Wake` is pending).
        if thread.phase == Phase::Waiting {
            self.thread_clock_joins_event(waiter, by);
            self.wake_locally(waiter);
        }
    }

    fn counter_step(&mut self, op: &Op) -> u64 {
        if op.kind == Kind::Sum {
            return self.obj(op.obj).val;
        }
        let obj = self.obj_mut(op.obj);
        obj.val = obj.val.wrapping_add(op.a);
        0
    }

    fn parker_step(&mut self, tid: Tid, op: &Op) -> u64 {
        if op.kind == Kind::Park {
            self.happens.acquire_exclusive(tid, op.obj);
            self.obj_mut(op.obj).val = 0;
        } else {
            self.happens.release_exclusive(tid, op.obj);
            self.obj_mut(op.obj).val = 1;
        }
        1
    }

    /// One more thread at the barrier; the last one of `a` lets all pass and is told so.
    fn arrive(&mut self, tid: Tid, op: &Op, id: EventId) -> u64 {
        self.happens.release_exclusive(tid, op.obj);
        let obj = self.obj_mut(op.obj);
        obj.waiters.push(tid);
        if (obj.waiters.len() as u64) < op.a {
            return 0;
        }
        while let Some(waiter) = self.obj_mut(op.obj).waiters.pop() {
            self.happens.acquire_exclusive(waiter, op.obj);
            if waiter != tid {
                self.thread_clock_joins_event(waiter, id);
                self.wake_locally(waiter);
            }
        }
        1
    }

    /// A local wait is over.
    pub(crate) fn wake_locally(&mut self, tid: Tid) {
        let thread = self.thread_mut(tid);
        if thread.phase == Phase::Waiting {
            thread.phase = Phase::Local;
            self.runnable.push(tid);
        }
    }

    /// The current thread has ended: whoever joins it goes on.
    pub(crate) fn end_thread(&mut self, tid: Tid) {
        self.thread_mut(tid).phase = Phase::Finished;
        self.thread_mut(tid).unwinding = false;
        for index in 0..self.spawned.len() {
            let other = self.spawned[index];
            let thread = self.thread(other);
            if thread.phase == Phase::Waiting
                && thread.pending.kind == Kind::Join
                && thread.pending.a == u64::from(tid.0)
            {
                self.join_thread(other, tid);
                self.wake_locally(other);
            }
        }
    }

    pub(crate) fn join_thread(&mut self, joiner: Tid, ended: Tid) {
        self.thread_clock.join_within(ended.index(), joiner.index());
        self.happens.thread_to_thread(ended, joiner);
    }
}

/// Replays one event of a lock or atomic on a view; used to ask about states that were or would be.
pub(crate) fn apply(view: &mut View, event: &Event, class: Class) {
    match event.kind {
        Kind::Lock | Kind::TryLock | Kind::TryWrite if class == Class::Write => view.writer = true,
        Kind::Write if event.result == ANNOUNCED => view.announced = true,
        Kind::Write => view.writer = true,
        Kind::Unlock | Kind::WriteUnlock => view.writer = false,
        Kind::Read | Kind::TryRead if class == Class::Shared => view.readers += 1,
        Kind::ReadUnlock => {
            view.readers -= 1;
            if view.readers == 0 && view.announced {
                (view.announced, view.writer) = (false, true);
            }
        }
        Kind::Downgrade => {
            view.writer = false;
            view.readers += 1;
        }
        _ => view.val = event.after,
    }
}
