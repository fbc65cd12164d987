//! The number of Mazurkiewicz traces: every maximal interleaving, its dependence order written down, different ones
//! counted.

use super::moves::Move;
use super::state::{Machine, Stage, State, Waiting};
use super::steps::{Access, Class, Done};
use crate::oracle::program::{Ins, Program, THREADS};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many events of each thread come before.
type Clock = [u8; THREADS];

/// One event of the present interleaving.
#[derive(Clone, Copy)]
struct Event {
    thread: usize,
    choice: usize,
    access: Option<Access>,
    clock: Clock,
}

struct Counting<'p> {
    machine: Machine<'p>,
    events: Vec<Event>,
    clocks: Vec<Clock>,
    /// What a thread will come after once it has gone to sleep: it was notified before.
    owed: Vec<Clock>,
    traces: HashSet<u64>,
    interleavings: u64,
    most: u64,
}

fn join(into: &mut Clock, from: &Clock) {
    for (a, b) in into.iter_mut().zip(from) {
        *a = (*a).max(*b);
    }
}

/// Whether the engine takes another number of steps for it than this interpreter: it reads in vain, or is made of
/// several objects.
fn has_no_fixed_steps(ins: Ins) -> bool {
    matches!(ins, Ins::AwaitAll(..) | Ins::Spin(..) | Ins::SpinAll(..) | Ins::SpinCas(..) | Ins::Once | Ins::IsDone)
}

/// The number of Mazurkiewicz traces, or `None` when there are too many interleavings, or no fixed number of steps.
pub fn count_traces(program: &Program, most: u64) -> Option<u64> {
    if program.instructions().any(has_no_fixed_steps) {
        return None;
    }
    let machine = Machine { program, waiting: Waiting::ManySteps };
    let start = machine.initial();
    let clocks = vec![[0; THREADS]; program.threads.len()];
    let mut counting = Counting {
        machine,
        events: Vec::new(),
        owed: clocks.clone(),
        clocks,
        traces: HashSet::new(),
        interleavings: 0,
        most,
    };
    counting.descend(&start);
    (counting.interleavings <= most).then_some(counting.traces.len() as u64)
}

/// The order of threads that starts and joins make; they are no events, since they commute with everything.
fn is_local(ins: Option<Ins>) -> bool {
    matches!(ins, Some(Ins::Spawn(_) | Ins::Join(_)))
}

impl Counting<'_> {
    fn descend(&mut self, state: &State) {
        let moves = self.machine.moves(state);
        if moves.is_empty() {
            self.interleavings += 1;
            let form = self.canonical_form();
            self.traces.insert(form);
            return;
        }
        // A local step is taken at once: putting it off changes no order of events.
        let local = moves.iter().position(|mv| is_local(self.machine.next(state, mv.thread)));
        let moves = local.map_or(moves.clone(), |at| vec![moves[at]]);
        for mv in moves {
            if self.interleavings > self.most {
                return;
            }
            let mut next = state.clone();
            let before = (self.clocks.clone(), self.owed.clone(), self.events.len());
            let done = self.machine.step(&mut next, &mv);
            match self.machine.next(state, mv.thread) {
                Some(Ins::Spawn(child)) => self.clocks[child] = self.clocks[mv.thread],
                Some(Ins::Join(child)) => {
                    let end = self.clocks[child];
                    join(&mut self.clocks[mv.thread], &end);
                }
                _ => self.order(&mv, &done, state, &next),
            }
            self.descend(&next);
            self.events.truncate(before.2);
            (self.clocks, self.owed) = (before.0, before.1);
        }
    }

    fn order(&mut self, mv: &Move, done: &Done, before: &State, after: &State) {
        let mut clock = self.clocks[mv.thread];
        if let Some((object, class)) = done.access {
            let commutes = |c: Class| c == class && class != Class::Write;
            for event in &self.events {
                if event.access.is_some_and(|(o, c)| o == object && !commutes(c)) {
                    join(&mut clock, &event.clock);
                }
            }
        }
        clock[mv.thread] += 1;
        self.clocks[mv.thread] = clock;
        self.events.push(Event { thread: mv.thread, choice: mv.choice, access: done.access, clock });
        for &woken in &done.wakes {
            if matches!(before.threads[woken].stage, Stage::Enlisted | Stage::Deciding) {
                join(&mut self.owed[woken], &clock);
                continue;
            }
            join(&mut self.clocks[woken], &clock);
            if let Some(object) = done.wakes_after {
                for event in &self.events {
                    if event.access.is_some_and(|(o, _)| o == object) {
                        let from = event.clock;
                        join(&mut self.clocks[woken], &from);
                    }
                }
            }
        }
        self.pay_what_is_owed(mv.thread, before, after);
    }

    /// A thread that was notified before it went to sleep goes on at once, after the notification.
    fn pay_what_is_owed(&mut self, t: usize, before: &State, after: &State) {
        let was_going_to_sleep = matches!(before.threads[t].stage, Stage::Enlisted | Stage::Deciding);
        if was_going_to_sleep && after.threads[t].stage != Stage::Deciding {
            let owed = std::mem::take(&mut self.owed[t]);
            if after.threads[t].stage == Stage::Relock {
                join(&mut self.clocks[t], &owed);
            }
        }
    }

    /// A number for the dependence order, whatever the interleaving that shows it.
    fn canonical_form(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for thread in 0..self.clocks.len() {
            for event in self.events.iter().filter(|e| e.thread == thread) {
                (thread, event.choice, event.clock).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}
