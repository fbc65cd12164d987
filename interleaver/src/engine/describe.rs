//! Words for what happened: steps, waits and cycles.

use super::exec::{Event, Exec, Hold, Phase};
use super::machine::ANNOUNCED;
use super::op::{Class, Kind, ObjId, ObjKind, Op, Step, Tid};
use crate::report::Reason;
use crate::search::plan::Decision;

impl Exec {
    /// "thread 2 `reader`", by order of spawning.
    pub(crate) fn thread_title(&self, tid: Tid) -> String {
        let number = self.spawned.iter().position(|&t| t == tid).unwrap_or_default();
        match &self.thread(tid).name {
            Some(name) => format!("thread {number} `{name}`"),
            None if number == 0 => "thread 0 `main`".to_owned(),
            None => format!("thread {number}"),
        }
    }

    pub(crate) fn obj_title(&self, id: ObjId) -> String {
        if id == ObjId::NONE {
            return String::new();
        }
        let obj = self.obj(id);
        let kind = match obj.kind {
            ObjKind::Atomic => "atomic",
            ObjKind::Counter => "counter",
            ObjKind::Mutex => "mutex",
            ObjKind::BitLock => "bit lock",
            ObjKind::RwLock => "rwlock",
            ObjKind::FairRwLock => "fair rwlock",
            ObjKind::Condvar => "condvar",
            ObjKind::Parker => "parker",
            ObjKind::Barrier => "barrier",
        };
        match obj.label {
            Some(label) => format!("`{label}`"),
            None => format!("{kind} #{}", id.0),
        }
    }

    pub(super) fn verb(kind: Kind) -> &'static str {
        match kind {
            Kind::Choose => "choose",
            Kind::Load => "load",
            Kind::Store => "store",
            Kind::Rmw => "update",
            Kind::Cas => "cas",
            Kind::CasWeak => "weak cas",
            Kind::Add => "add",
            Kind::Sum => "sum",
            Kind::Lock => "lock",
            Kind::TryLock => "try lock",
            Kind::Unlock => "unlock",
            Kind::Peek => "is locked?",
            Kind::WaitFree => "wait until free",
            Kind::Read => "read lock",
            Kind::TryRead => "try read lock",
            Kind::ReadUnlock => "read unlock",
            Kind::Write => "write lock",
            Kind::TryWrite => "try write lock",
            Kind::WriteUnlock => "write unlock",
            Kind::Downgrade => "downgrade",
            Kind::Enlist => "wait on",
            Kind::Wake => "wake from",
            Kind::NotifyOne => "notify one",
            Kind::NotifyAll => "notify all",
            Kind::Park => "park",
            Kind::Unpark => "unpark",
            Kind::Arrive => "arrive at",
            Kind::Await => "spin until",
            Kind::Yield => "spin: wait for a change",
            Kind::Granted => "queued for",
            Kind::Join => "join",
            Kind::Passed => "wait at",
        }
    }

    /// What an event did, with the object under its own title.
    fn event_words(&self, event: &Event) -> String {
        self.words_of(event, &self.obj_title(event.obj), &|value| value.to_string())
    }

    /// The same with the object under another name, and its values in other words.
    pub(super) fn words_of(&self, event: &Event, name: &str, value: &dyn Fn(u64) -> String) -> String {
        let verb = Exec::verb(event.kind);
        let outcome = self.outcome_of(event, value);
        match event.kind {
            Kind::Load | Kind::Store => format!("{verb} {name} {outcome} {:?}", event.order),
            Kind::Rmw => format!("{verb} {name}: {outcome} {:?}", event.order),
            Kind::Sum => format!("{verb} {name} {outcome}"),
            Kind::Choose => format!("{verb} {outcome}"),
            Kind::Add => format!("add {} to {name}", event.a),
            Kind::NotifyOne if event.result > 0 => format!("notify one of {name}: {outcome}"),
            _ if outcome.is_empty() => format!("{verb} {name}").trim_end().to_owned(),
            _ => format!("{verb} {name}: {outcome}"),
        }
    }

    /// What an event read or wrote, or whether it succeeded; nothing if that goes without saying.
    pub(super) fn outcome_of(&self, event: &Event, value: &dyn Fn(u64) -> String) -> String {
        match event.kind {
            Kind::Load | Kind::Sum => format!("= {}", value(event.result)),
            Kind::Store => format!(":= {}", value(event.a)),
            Kind::Rmw => format!("{} -> {}", value(event.result), value(event.after)),
            Kind::Cas | Kind::CasWeak => {
                let done = event.result == event.a && self.links[event.first_link as usize].class == Class::Write;
                let outcome = if done { "ok".to_owned() } else { format!("failed, was {}", value(event.result)) };
                format!("{} -> {} {outcome}", value(event.a), value(event.b))
            }
            Kind::TryLock | Kind::TryRead | Kind::TryWrite => {
                if event.result != 0 { "ok" } else { "failed" }.to_owned()
            }
            Kind::Write if event.result == ANNOUNCED => "queued, readers inside".to_owned(),
            Kind::Choose => format!("{} of {}", event.result, event.a),
            Kind::Add => format!("+{}", event.a),
            Kind::Wake => if event.result != 0 { "notified" } else { "by itself" }.to_owned(),
            Kind::NotifyOne if event.result > 0 => self.thread_title(Tid((event.result - 1) as u8)),
            _ => String::new(),
        }
    }

    pub(crate) fn op_words(&self, op: &Op) -> String {
        if op.kind == Kind::Join {
            return format!("join {}", self.thread_title(Tid(op.a as u8)));
        }
        format!("{} {}", Exec::verb(op.kind), self.obj_title(op.obj)).trim_end().to_owned()
    }

    /// Who the thread's pending operation waits for.
    pub(super) fn blockers(&self, tid: Tid) -> Vec<Hold> {
        let op = &self.thread(tid).pending;
        if op.kind == Kind::Join {
            return vec![Hold { tid: Tid(op.a as u8), place: op.place }];
        }
        if op.obj == ObjId::NONE {
            return Vec::new();
        }
        let obj = self.obj(op.obj);
        let readers_block = matches!(op.kind, Kind::Write | Kind::Granted);
        let readers = obj.readers.iter().filter(|_| readers_block);
        let announced = obj.announced.iter().filter(|h| h.tid != tid);
        obj.writer.iter().chain(announced).chain(readers).copied().collect()
    }

    /// The threads that can never go on, a cycle of them first if there is one.
    pub(crate) fn deadlock(&self) -> Reason {
        let stuck = |t: Tid| matches!(self.thread(t).phase, Phase::Pending | Phase::Waiting);
        let blocked: Vec<Tid> = self.spawned.iter().copied().filter(|&t| stuck(t)).collect();
        let cycle = blocked.iter().find_map(|&t| self.cycle_from(t)).unwrap_or_default();
        let rest = blocked.iter().copied().filter(|t| !cycle.contains(t));
        let waits = cycle.iter().copied().chain(rest).map(|t| self.wait_words(t, &cycle)).collect();
        Reason::Deadlock { waits, cycle: cycle.len() }
    }

    fn cycle_from(&self, start: Tid) -> Option<Vec<Tid>> {
        let mut path = vec![start];
        self.extend_cycle(start, &mut path).then_some(path)
    }

    fn extend_cycle(&self, start: Tid, path: &mut Vec<Tid>) -> bool {
        let last = path[path.len() - 1];
        for hold in self.blockers(last) {
            if hold.tid == start {
                return true;
            }
            if !path.contains(&hold.tid) && self.thread(hold.tid).phase != Phase::Finished {
                path.push(hold.tid);
                if self.extend_cycle(start, path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    fn wait_words(&self, tid: Tid, cycle: &[Tid]) -> String {
        let op = &self.thread(tid).pending;
        let title = self.thread_title(tid);
        let mut words = match op.kind {
            Kind::Granted => format!("{title} waits in the queue for {} at {}", self.obj_title(op.obj), op.place),
            _ => format!("{title} waits to {} at {}", self.op_words(op), op.place),
        };
        let mut holders = self.blockers(tid);
        holders.sort_by_key(|h| !cycle.contains(&h.tid));
        for hold in holders.iter().filter(|_| op.kind != Kind::Join) {
            let queued = self.obj(op.obj).announced.is_some_and(|a| a.tid == hold.tid);
            let how = if queued { "queued for as writer" } else { "held" };
            words.push_str(&format!(", {how} by {} since {}", self.thread_title(hold.tid), hold.place));
        }
        words
    }

    /// The bound on steps was reached: the shortest part at the end that comes twice, else the last steps.
    pub(crate) fn livelock(&self) -> Reason {
        let same = |a: &Event, b: &Event| a.tid == b.tid && a.kind == b.kind && a.obj == b.obj && a.place == b.place;
        let n = self.events.len();
        let repeats = |len: usize| (0..len).all(|i| same(&self.events[n - 1 - i], &self.events[n - 1 - i - len]));
        let len = (1..=(n / 2).min(256)).find(|&len| repeats(len)).unwrap_or(n.min(20));
        let words = |e: &Event| format!("{}: {} at {}", self.thread_title(e.tid), self.event_words(e), e.place);
        let mut repeating: Vec<String> = self.events[n - len..].iter().map(words).collect();
        if n < self.limits.max_steps as usize {
            repeating.push("every thread that is left only spins".to_owned());
        }
        Reason::Livelock { repeating, steps: n }
    }

    pub(crate) fn mismatch(&self, step: usize, tid: Option<Tid>, expected: Option<Step>) -> Reason {
        let Some(tid) = tid.filter(|t| t.index() < self.threads.len()) else {
            let met = format!("{} threads", self.spawned.len());
            return Reason::Nondeterminism { step, expected: "a thread that does not exist".to_owned(), met };
        };
        let wanted = expected.map_or("a step".to_owned(), |s| Exec::verb(s.kind).to_owned());
        let thread = self.thread(tid);
        let state = match thread.phase {
            Phase::Pending if self.enabled(tid) => self.op_words(&thread.pending),
            Phase::Pending | Phase::Waiting => format!("{}, which cannot go on", self.op_words(&thread.pending)),
            Phase::Finished => "the end of the thread".to_owned(),
            Phase::Absent | Phase::Local => "no thread".to_owned(),
        };
        let expected = format!("{wanted} by {}", self.thread_title(tid));
        Reason::Nondeterminism { step, expected, met: format!("{state} at {}", thread.pending.place) }
    }

    /// The decisions of this execution, in terms that hold in another process.
    pub(crate) fn schedule(&self) -> Vec<Decision> {
        let position = |tid: Tid| self.spawned.iter().position(|&t| t == tid).unwrap_or_default() as u16;
        let decision = |e: &Event| {
            let names_thread = e.kind == Kind::NotifyOne && e.result > 0;
            let choice = if names_thread { position(Tid(e.choice as u8)) } else { e.choice };
            Decision { thread: position(e.tid), choice }
        };
        self.events.iter().map(decision).collect()
    }
}
