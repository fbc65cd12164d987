//! One execution: its threads, objects and events, kept in vectors that are reused by the next one.
//!
//! # Life of an execution
//!
//! ```text
//!   reset -> main runs -> (decide -> one event -> local code)* -> finished | deadlocked | failed | cut off
//! ```
//!
//! # Invariants
//! - X1. Between two decisions every live thread has published its next visible operation (`Thread::pending`); its
//!   local code up to there has run. So what a thread could do next is always known.
//! - X2. Event number `i` was decided at node `i` of the search tree; local steps (spawn, join, being granted a lock)
//!   are no events, because they commute with everything and can run as soon as they can run.
//! - X3. Nothing here allocates once the vectors have grown to the size of the largest execution so far.

use super::clock::Clocks;
use super::happens::Happens;
use super::op::{Access, Class, Effect, EventId, Kind, ObjId, ObjKind, ObjName, Op, Place, Tid};
use super::retained::Retained;
use super::tell::Described;
use crate::report::Reason;
use crate::search::plan::{Plan, Strategy};
use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::Ordering;

/// Where a thread is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Not spawned in this execution.
    Absent,
    /// May run local code at once; stands in `Exec::runnable`, or is the current thread.
    Local,
    /// Published a visible operation.
    Pending,
    /// Waits for a local condition; the event that makes it true puts it in `Exec::runnable`.
    Waiting,
    Finished,
}

/// A lock held: by whom, since which event and place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub tid: Tid,
    pub place: Place,
}

pub(crate) struct Thread {
    pub phase: Phase,
    pub pending: Op,
    /// Events so far; the thread's own component of its dependence clock.
    pub seq: u32,
    pub objects_made: u32,
    /// Objects made elsewhere that the thread was the first to use.
    pub objects_found: u32,
    pub children: u32,
    pub parent: Tid,
    pub spawn_place: Place,
    pub name: Option<String>,
    pub weak_failures_left: u32,
    pub spurious_left: u32,
    /// What a local wait ended with.
    pub wake: Wake,
    /// Reads since the last yield: object and the write seen.
    pub reads: Vec<(ObjId, EventId)>,
    pub awaited: Option<Condition>,
    pub panicked: bool,
    /// Has begun to unwind, and was not seen to have stopped.
    pub unwinding: bool,
    pub collected: bool,
    pub locks_held: u32,
    pub parker: ObjId,
    pub forced: bool,
    pub spin: crate::hint::Spin,
    /// The event that took the thread off a condvar's list.
    pub notified_by: EventId,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    Notified,
    TimedOut,
}

/// A condition of `spin_until`, callable while its thread is suspended.
#[derive(Clone, Copy)]
pub(crate) struct Condition {
    pub call: *mut (dyn FnMut() -> bool + 'static),
    pub ready: bool,
    /// The last change of the location that it was evaluated after.
    pub seen: EventId,
}

pub(crate) struct Obj {
    pub kind: ObjKind,
    pub name: ObjName,
    pub place: Place,
    pub label: Option<&'static str>,
    pub init: u64,
    pub val: u64,
    pub last_link: u32,
    /// The last access of the group before the present one.
    pub before_group: u32,
    pub class: Class,
    /// Its group clocks are those of an earlier point; see engine/again.rs.
    pub stale: bool,
    /// The last event that was not a read.
    pub last_change: EventId,
    pub writer: Option<Hold>,
    pub readers: Vec<Hold>,
    pub announced: Option<Hold>,
    pub waiters: Vec<Tid>,
    pub closed: bool,
}

/// One visible step that was taken.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub tid: Tid,
    pub kind: Kind,
    pub choice: u16,
    pub seq: u32,
    pub obj: ObjId,
    pub a: u64,
    pub b: u64,
    /// What it returned, and the object's value afterwards.
    pub result: u64,
    pub after: u64,
    pub order: Ordering,
    pub place: Place,
    pub first_link: u32,
    pub links: u32,
}

/// One access of one event, chained to the access of the same object before it.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub event: EventId,
    pub obj: ObjId,
    pub class: Class,
    pub prev: u32,
    /// The last access of the group before its own.
    pub before_group: u32,
}

pub(crate) const NO_LINK: u32 = u32::MAX;

/// Limits and permissions of one check that executions need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub max_steps: u32,
    pub weak_failures: u32,
    pub spurious_wakeups: u32,
    pub tolerate_panics: bool,
    pub check_leaks: bool,
}

/// How far the present execution has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Running,
    /// Every thread finished.
    Finished,
    /// A failure was recorded; threads are being unwound.
    Failed,
    /// Every enabled step was asleep: the execution is redundant.
    Redundant,
}

pub(crate) struct Exec {
    pub limits: Limits,
    pub epoch: u64,
    pub stride: usize,
    pub status: Status,
    pub reason: Option<Reason>,
    pub current: Tid,
    pub choice: u16,
    pub threads: Vec<Thread>,
    /// Threads in the order in which this execution spawned them.
    pub spawned: Vec<Tid>,
    pub runnable: Vec<Tid>,
    pub objs: Vec<Obj>,
    pub objs_len: usize,
    pub lazy: Vec<(usize, ObjId)>,
    pub events: Retained<Event>,
    pub links: Retained<Link>,
    /// How many events of the execution before are taken again.
    pub replayed: usize,
    pub event_clock: Clocks,
    pub thread_clock: Clocks,
    /// Two clocks an object: `2 * i` joins the present group, `2 * i + 1` the one before.
    pub group_clock: Clocks,
    pub happens: Happens,
    pub plan: Plan,
    pub notes: Vec<(usize, Tid, String)>,
    pub described: Vec<Described>,
    pub peeking: Option<Peeking>,
    /// Somebody looks at the state without taking part.
    pub aside: bool,
    pub truths: Vec<(EventId, u64, bool)>,
    /// Steps that main took alone.
    pub alone: u32,
    pub idle_rounds: u32,
    /// Switches away from a thread that could have gone on. Counted in replays, whose failures people see.
    pub preemptions: u32,
    /// The steps that they came before, and who failed, for people too.
    pub preempting: Vec<usize>,
    pub failing: Option<Tid>,
    pub unwinding_ops: u32,
    /// Destructors run outside any thread of the model.
    pub quiet: bool,
    pub tracked: i64,
    pub races: Vec<super::race::Race>,
    pub race_drops: Vec<EventId>,
    pub scratch: Scratch,
}

/// State of evaluating a `spin_until` condition without making events.
pub(crate) struct Peeking {
    pub read: Option<ObjId>,
    pub instead: Option<u64>,
    pub outcome: PeekOutcome,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeekOutcome {
    /// Nothing is learned by it.
    Simple,
    /// The wait is over: acquire loads acquire.
    Committed,
}

#[derive(Default)]
pub(crate) struct Scratch {
    pub candidates: Vec<EventId>,
    pub alternatives: Vec<u16>,
    pub kept: Vec<EventId>,
    pub values: Vec<u64>,
}

thread_local! {
    static SPARE: Cell<Option<Box<Exec>>> = const { Cell::new(None) };
}

impl Exec {
    /// With the vectors of the last check on this OS thread, if there was one (X3).
    pub(crate) fn borrow(limits: Limits, plan: Plan) -> Exec {
        match SPARE.try_with(Cell::take).ok().flatten() {
            Some(spare) => Exec { limits, plan, ..*spare },
            None => Exec::new(limits, plan),
        }
    }

    /// Keeps the vectors for the next check on this OS thread.
    pub(crate) fn give_back(mut self) {
        self.plan = Plan::new(Strategy::Away);
        // When the OS thread is ending there is no next check, and they are dropped here.
        _ = SPARE.try_with(|spare| spare.set(Some(Box::new(self))));
    }

    pub(crate) fn new(limits: Limits, plan: Plan) -> Exec {
        Exec {
            limits,
            epoch: 0,
            stride: 4,
            status: Status::Running,
            reason: None,
            current: Tid::MAIN,
            choice: 0,
            threads: Vec::new(),
            spawned: Vec::new(),
            runnable: Vec::new(),
            objs: Vec::new(),
            objs_len: 0,
            lazy: Vec::new(),
            events: Retained::default(),
            links: Retained::default(),
            replayed: 0,
            event_clock: Clocks::new(4),
            thread_clock: Clocks::new(4),
            group_clock: Clocks::new(4),
            happens: Happens::new(4),
            plan,
            notes: Vec::new(),
            described: Vec::new(),
            peeking: None,
            aside: false,
            truths: Vec::new(),
            alone: 0,
            idle_rounds: 0,
            preemptions: 0,
            preempting: Vec::new(),
            failing: None,
            unwinding_ops: 0,
            quiet: false,
            tracked: 0,
            races: Vec::new(),
            race_drops: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Makes ready for the next execution and gives the main thread its place.
    #[track_caller]
    pub(crate) fn reset(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.status = Status::Running;
        self.reason = None;
        for &tid in &self.spawned {
            self.threads[tid.index()].phase = Phase::Absent;
        }
        self.spawned.clear();
        self.runnable.clear();
        self.objs_len = 0;
        self.lazy.clear();
        self.rewind_events();
        self.group_clock.rewind();
        self.happens.reset();
        self.notes.clear();
        self.described.clear();
        self.truths.clear();
        self.keep_shared_races();
        self.peeking = None;
        self.aside = false;
        self.alone = 0;
        self.idle_rounds = 0;
        self.preemptions = 0;
        self.preempting.clear();
        self.failing = None;
        self.unwinding_ops = 0;
        self.tracked = 0;
        self.admit(Tid::MAIN, Tid::MAIN, Location::caller());
        self.current = Tid::MAIN;
    }

    /// Makes a thread part of this execution, ready to run local code.
    fn admit(&mut self, tid: Tid, parent: Tid, place: Place) {
        let index = tid.index();
        while self.threads.len() <= index {
            self.threads.push(Thread::absent(place));
            self.thread_clock.push_zero();
            self.happens.add_thread();
        }
        if index >= self.stride {
            self.restride((index + 1).next_multiple_of(4));
        }
        let limits = self.limits;
        let thread = &mut self.threads[index];
        thread.phase = Phase::Local;
        thread.seq = 0;
        thread.objects_made = 0;
        thread.objects_found = 0;
        thread.children = 0;
        thread.parent = parent;
        thread.spawn_place = place;
        thread.name = None;
        thread.weak_failures_left = limits.weak_failures;
        thread.spurious_left = limits.spurious_wakeups;
        thread.reads.clear();
        thread.awaited = None;
        thread.panicked = false;
        thread.unwinding = false;
        thread.collected = false;
        thread.locks_held = 0;
        thread.parker = ObjId::NONE;
        thread.forced = false;
        thread.spin = crate::hint::Spin::default();
        thread.notified_by = EventId::NONE;
        if parent == tid {
            self.thread_clock.get_mut(index).fill(0);
            self.happens.start(index);
        } else {
            self.thread_clock.copy(parent.index(), index);
            self.happens.spawn(parent.index(), index);
        }
        self.spawned.push(tid);
    }

    /// Gives the current thread a child. `None` when there are too many threads.
    pub(crate) fn spawn(&mut self, place: Place) -> Option<Tid> {
        let parent = self.current;
        let number = self.threads[parent.index()].children;
        self.threads[parent.index()].children += 1;
        // The same for the same child of the same parent in every execution, whatever the order of spawning.
        let tid = self.plan.family_tid(parent, number)?;
        self.admit(tid, parent, place);
        self.runnable.push(tid);
        Some(tid)
    }

    fn restride(&mut self, stride: usize) {
        self.stride = stride;
        self.event_clock.restride(stride);
        self.replayed = self.replayed.min(self.events.len());
        self.thread_clock.restride(stride);
        self.group_clock.restride(stride);
        self.happens.restride(stride);
    }

    /// Adds an object made by the current thread.
    pub(crate) fn add_object(&mut self, kind: ObjKind, init: u64, place: Place) -> ObjId {
        let thread = &mut self.threads[self.current.index()];
        let name = ObjName::new(self.current, thread.objects_made);
        thread.objects_made += 1;
        self.insert_object(kind, name, init, place)
    }

    /// Adds an object that was made elsewhere, at its first use, or finds it again by its address.
    pub(crate) fn add_lazy_object(&mut self, kind: ObjKind, init: u64, address: usize, place: Place) -> ObjId {
        if let Some(&(_, id)) = self.lazy.iter().find(|&&(at, _)| at == address) {
            return id;
        }
        let name = if self.events.is_empty() {
            let thread = &mut self.threads[self.current.index()];
            thread.objects_found += 1;
            ObjName::found_early(self.current, thread.objects_found)
        } else {
            ObjName::by_address(address)
        };
        let id = self.insert_object(kind, name, init, place);
        self.lazy.push((address, id));
        id
    }

    /// An object is dropped. If it was made in a constant, inside the model, and found late, its name (its address) may
    /// belong to another object in another execution, and the search cannot be trusted.
    pub(crate) fn object_dropped(&mut self, id: ObjId) {
        if !self.obj(id).name.is_by_address() || !self.plan.is_search() {
            return;
        }
        let message = format!(
            "{} was made in a constant inside the model, and first used at {} when threads had taken steps already; \
             the search cannot recognize it in other executions: make it with `new`, `named` or `from_raw`, or as a \
             `static`",
            self.obj_title(id),
            self.obj(id).place,
        );
        self.fail(Reason::Misuse { message });
    }

    fn insert_object(&mut self, kind: ObjKind, name: ObjName, init: u64, place: Place) -> ObjId {
        let id = ObjId(self.objs_len as u32);
        if self.objs_len == self.objs.len() {
            self.objs.push(Obj::blank(place));
        }
        let obj = &mut self.objs[self.objs_len];
        self.objs_len += 1;
        obj.kind = kind;
        obj.name = name;
        obj.place = place;
        obj.label = None;
        obj.init = init;
        obj.val = init;
        obj.last_link = NO_LINK;
        obj.before_group = NO_LINK;
        obj.class = Class::Nothing;
        obj.stale = false;
        obj.last_change = EventId::NONE;
        obj.writer = None;
        obj.readers.clear();
        obj.announced = None;
        obj.waiters.clear();
        obj.closed = false;
        self.group_clock.push_zero();
        self.group_clock.push_zero();
        self.happens.add_object();
        id
    }

    /// The parker of a thread, made when somebody first needs it.
    pub(crate) fn parker(&mut self, tid: Tid) -> ObjId {
        if self.threads[tid.index()].parker == ObjId::NONE {
            let place = self.threads[tid.index()].spawn_place;
            let name = ObjName::new(tid, 0xff_ffff);
            let id = self.insert_object(ObjKind::Parker, name, 0, place);
            self.threads[tid.index()].parker = id;
        }
        self.threads[tid.index()].parker
    }

    /// What the thread has read since event `start`, and the change that it saw of each.
    pub(crate) fn collect_reads(&self, tid: Tid, start: usize, reads: &mut Vec<(ObjId, EventId)>) {
        reads.clear();
        for index in (start..self.events.len()).rev() {
            let event = &self.events[index];
            if event.tid != tid {
                continue;
            }
            for at in event.first_link..event.first_link + event.links {
                let link = self.links[at as usize];
                if reads.iter().all(|&(o, _)| o != link.obj) {
                    reads.push((link.obj, self.change_seen_by(at)));
                }
            }
        }
        reads.reverse();
    }

    fn change_seen_by(&self, at: u32) -> EventId {
        let mut at = at;
        while at != NO_LINK {
            let link = self.links[at as usize];
            if link.class != Class::Read {
                return link.event;
            }
            at = link.prev;
        }
        EventId::NONE
    }

    /// The thread that took the last step, if it can go on: taking another one's step now is a preemption.
    pub(crate) fn running(&self) -> Option<Tid> {
        self.events.last().map(|event| event.tid).filter(|&tid| self.enabled(tid))
    }

    pub(crate) fn obj(&self, id: ObjId) -> &Obj {
        &self.objs[id.index()]
    }

    pub(crate) fn obj_mut(&mut self, id: ObjId) -> &mut Obj {
        &mut self.objs[id.index()]
    }

    pub(crate) fn thread(&self, tid: Tid) -> &Thread {
        &self.threads[tid.index()]
    }

    pub(crate) fn thread_mut(&mut self, tid: Tid) -> &mut Thread {
        &mut self.threads[tid.index()]
    }

    /// Where a release stands in the source: a guard's drop has no place of its own, so it gets that of the acquire.
    pub(crate) fn release_place(&self, obj: ObjId, fallback: Place) -> Place {
        if self.events.len() < self.replayed {
            return fallback; // The event is known, and its place with it.
        }
        let file = fallback.file();
        if !file.contains("/lock_api") && !file.contains("/library/") && !file.ends_with("sync/condvar.rs") {
            return fallback;
        }
        let obj = self.obj(obj);
        let mine = |h: &&Hold| h.tid == self.current;
        let hold = obj.writer.iter().find(mine).or_else(|| obj.readers.iter().rfind(mine));
        hold.map_or(fallback, |h| h.place)
    }

    /// What an event touched, under names that hold in other executions too.
    pub(crate) fn effect_of(&self, id: EventId) -> Effect {
        let event = &self.events[id.index()];
        let links = &self.links[event.first_link as usize..(event.first_link + event.links) as usize];
        match links {
            [] => Effect::NOTHING,
            [only] => Effect::one(Access { name: self.obj(only.obj).name, class: only.class }),
            many => Effect::reads(many.iter().map(|l| self.obj(l.obj).name)),
        }
    }

    /// Whether `first` happens before `second` in the dependence order.
    pub(crate) fn precedes(&self, first: EventId, second: EventId) -> bool {
        let e = &self.events[first.index()];
        self.event_clock.get(second.index())[e.tid.index()] >= e.seq
    }
}

impl Thread {
    fn absent(place: Place) -> Thread {
        let pending = Op { kind: Kind::Choose, obj: ObjId::NONE, a: 0, b: 0, place };
        Thread {
            phase: Phase::Absent,
            pending,
            seq: 0,
            objects_made: 0,
            objects_found: 0,
            children: 0,
            parent: Tid::MAIN,
            spawn_place: place,
            name: None,
            weak_failures_left: 0,
            spurious_left: 0,
            wake: Wake::Notified,
            reads: Vec::new(),
            awaited: None,
            panicked: false,
            unwinding: false,
            collected: false,
            locks_held: 0,
            parker: ObjId::NONE,
            forced: false,
            spin: crate::hint::Spin::default(),
            notified_by: EventId::NONE,
        }
    }
}

impl Obj {
    fn blank(place: Place) -> Obj {
        Obj {
            kind: ObjKind::Atomic,
            name: ObjName(0),
            place,
            label: None,
            init: 0,
            val: 0,
            last_link: NO_LINK,
            before_group: NO_LINK,
            class: Class::Nothing,
            stale: false,
            last_change: EventId::NONE,
            writer: None,
            readers: Vec::new(),
            announced: None,
            waiters: Vec::new(),
            closed: false,
        }
    }
}
