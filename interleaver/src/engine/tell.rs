//! From an execution to what people are told of a failure: the steps with names, holders and notes.

use super::exec::{Event, Exec, Phase, Status};
use super::machine::ANNOUNCED;
use super::op::{Class, Kind, ObjId, Tid};
use crate::failure::{Effect, Failure, Held, Note, Pending, TraceStep};
use crate::report::Reason;
use crate::token::Token;

/// What the code calls an object from some step on.
pub(crate) struct Described {
    steps_before: usize,
    obj: ObjId,
    name: String,
    value: fn(u64) -> String,
}

impl Exec {
    /// Keeps a line for the trace; only replays have readers for it.
    pub(crate) fn note(&mut self, text: std::fmt::Arguments<'_>) {
        if self.is_told() {
            let at = self.events.len();
            self.notes.push((at, self.current, text.to_string()));
        }
    }

    /// Keeps what the code calls an object from now on, and how its values read. A name that begins with the one before
    /// tells more of the same thing, so it takes its place.
    pub(crate) fn describe(&mut self, obj: ObjId, name: std::fmt::Arguments<'_>, value: fn(u64) -> String) {
        let (name, steps_before) = (name.to_string(), self.events.len());
        match self.described.iter_mut().rfind(|known| known.obj == obj) {
            Some(known) if known.name.starts_with(&name) => {}
            Some(known) if name.starts_with(&known.name) => known.name = name,
            Some(_) | None => self.described.push(Described { steps_before, obj, name, value }),
        }
    }

    /// Whether somebody will read what is said of this execution.
    pub(crate) fn is_told(&self) -> bool {
        self.plan.is_replay() && self.status == Status::Running && self.peeking.is_none() && !self.aside
    }

    /// What the code calls the object after so many steps.
    fn description(&self, obj: ObjId, steps: usize) -> Option<&Described> {
        self.described.iter().rfind(|known| known.obj == obj && known.steps_before <= steps)
    }

    fn name_at(&self, obj: ObjId, steps: usize) -> String {
        self.description(obj, steps).map_or_else(|| self.obj_title(obj), |known| known.name.clone())
    }

    fn position(&self, tid: Tid) -> usize {
        self.spawned.iter().position(|&t| t == tid).unwrap_or_default()
    }

    /// The failing execution, for people.
    pub(crate) fn failure(&self, reason: Reason, name: &str) -> Failure {
        let mut held: Vec<(Tid, ObjId)> = Vec::new();
        let mut queued: Vec<(Tid, ObjId)> = Vec::new();
        let mut steps = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            update_held(&mut held, &mut queued, event);
            let mine = held.iter().filter(|(t, _)| *t == event.tid);
            let held = mine.map(|&(_, o)| Held { object: o.index(), name: self.name_at(o, index) }).collect();
            steps.push(TraceStep { held, ..self.told(index, event) });
        }
        let note = |(steps_before, tid, text): &(usize, Tid, String)| Note {
            steps_before: *steps_before,
            thread: self.position(*tid),
            text: text.clone(),
        };
        let is_about_to = |t: &Tid| matches!(self.thread(*t).phase, Phase::Pending | Phase::Waiting);
        Failure {
            reason,
            threads: self.spawned.iter().map(|&t| self.thread_title(t)).collect(),
            failing: self.failing.map(|tid| self.position(tid)),
            steps,
            notes: self.notes.iter().map(note).collect(),
            pending: self.spawned.iter().copied().filter(is_about_to).map(|t| self.pending_of(t)).collect(),
            preemptions: self.preemptions,
            token: Token { name: name.to_owned(), schedule: self.schedule() },
        }
    }

    fn told(&self, index: usize, event: &Event) -> TraceStep {
        let description = self.description(event.obj, index);
        let title = self.obj_title(event.obj);
        let name = description.map_or_else(|| title.clone(), |known| known.name.clone());
        let words = |value: u64| description.map_or_else(|| value.to_string(), |known| (known.value)(value));
        TraceStep {
            thread: self.position(event.tid),
            what: self.words_of(event, &name, &words),
            verb: Exec::verb(event.kind),
            object: (event.obj != ObjId::NONE).then(|| event.obj.index()),
            title,
            name,
            outcome: self.outcome_of(event, &words),
            effect: self.effect(event),
            preempts: self.preempting.contains(&index),
            place: event.place.to_string(),
            written: self.writes(event).then(|| (words(event.result), words(event.after))),
            held: Vec::new(),
        }
    }

    fn effect(&self, event: &Event) -> Effect {
        let links = &self.links[event.first_link as usize..(event.first_link + event.links) as usize];
        let only_looks = |class: Class| matches!(class, Class::Nothing | Class::Read);
        match links {
            [] => Effect::Nothing,
            links if links.iter().all(|link| only_looks(link.class)) => Effect::Reads,
            _ => Effect::Changes,
        }
    }

    /// Whether the event wrote a value.
    fn writes(&self, event: &Event) -> bool {
        let may_write = matches!(event.kind, Kind::Store | Kind::Rmw | Kind::Cas | Kind::CasWeak);
        may_write && self.effect(event) == Effect::Changes
    }

    fn pending_of(&self, tid: Tid) -> Pending {
        let op = &self.thread(tid).pending;
        let object = (op.obj != ObjId::NONE && op.kind != Kind::Join).then(|| op.obj.index());
        let what = match (op.kind, object) {
            (_, None) => self.op_words(op),
            (Kind::Granted, Some(_)) => format!("wait in the queue for {}", self.name_at(op.obj, self.events.len())),
            (kind, Some(_)) => format!("{} {}", Exec::verb(kind), self.name_at(op.obj, self.events.len())),
        };
        let mut waits_for: Vec<usize> = Vec::new();
        if !self.enabled(tid) {
            waits_for.extend(self.blockers(tid).iter().map(|hold| self.position(hold.tid)));
        }
        Pending { thread: self.position(tid), what, object, waits_for, place: op.place.to_string() }
    }
}

/// Follows who holds which lock. A writer that is queued behind readers holds it from when the last of them leaves.
fn update_held(held: &mut Vec<(Tid, ObjId)>, queued: &mut Vec<(Tid, ObjId)>, event: &Event) {
    let pair = (event.tid, event.obj);
    match event.kind {
        Kind::Write if event.result == ANNOUNCED => queued.push(pair),
        Kind::Lock | Kind::Read | Kind::Write => held.push(pair),
        Kind::TryLock | Kind::TryRead | Kind::TryWrite if event.result != 0 => held.push(pair),
        Kind::Unlock | Kind::ReadUnlock | Kind::WriteUnlock => {
            let mine = held.iter().rposition(|&h| h == pair);
            let index = mine.or_else(|| held.iter().rposition(|h| h.1 == event.obj));
            if let Some(index) = index {
                held.remove(index);
            }
            if held.iter().all(|h| h.1 != event.obj)
                && let Some(index) = queued.iter().position(|q| q.1 == event.obj)
            {
                held.push(queued.remove(index));
            }
        }
        _ => {}
    }
}
