//! The oracle: an interpreter that tries every interleaving, one instruction at a time, with nothing clever in it.
//!
//! It gives the set of outcomes (search over states, each visited once) and the number of Mazurkiewicz traces (every
//! maximal interleaving, its dependence order written down, different ones counted).

use super::program::{ATOMICS, Ins, LOCKS, Program};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What one execution showed: values that each thread saw, values at the end, and whether it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome {
    pub seen: Vec<Vec<u8>>,
    pub finals: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stage {
    Start,
    Queued(usize),
    Enlisted,
    Asleep,
    Relock,
    ReadBoth,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Thread {
    pc: usize,
    stage: Stage,
    seen: Vec<u8>,
    weak_left: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    atomics: [u8; ATOMICS],
    counters: [u8; ATOMICS],
    mutexes: [bool; LOCKS],
    readers: [u8; LOCKS],
    writer: [bool; LOCKS],
    announced: [Option<usize>; LOCKS],
    waiters: Vec<usize>,
    tokens: [bool; 4],
    threads: Vec<Thread>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Read,
    Shared,
    Add,
    Write,
}

fn commute(a: Class, b: Class) -> bool {
    a == b && a != Class::Write
}

/// Which object an access is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Object {
    Atomic(usize),
    Counter(usize),
    Mutex(usize),
    Rw(usize),
    Condvar,
    Parker(usize),
}

/// One way in which a thread can take its next step.
struct Move {
    thread: usize,
    choice: usize,
}

/// What a step did, for the dependence order. Local steps touch nothing and are no events.
struct Done {
    access: Option<(Object, Class)>,
    is_event: bool,
    /// Threads that this step lets go on.
    wakes: Vec<usize>,
    /// The woken threads come after all accesses of this object so far.
    wakes_after: Option<Object>,
}

/// Whether releasing the mutex and falling asleep are one step, as the standard library has it, or two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    OneStep,
    TwoSteps,
}

struct Machine<'p> {
    program: &'p Program,
    waiting: Waiting,
}

impl Machine<'_> {
    fn initial(&self) -> State {
        let thread = Thread { pc: 0, stage: Stage::Start, seen: Vec::new(), weak_left: 1 };
        State {
            atomics: [0; ATOMICS],
            counters: [0; ATOMICS],
            mutexes: [false; LOCKS],
            readers: [0; LOCKS],
            writer: [false; LOCKS],
            announced: [None; LOCKS],
            waiters: Vec::new(),
            tokens: [false; 4],
            threads: vec![thread; self.program.threads.len()],
        }
    }

    fn next(&self, state: &State, t: usize) -> Option<Ins> {
        self.program.threads[t].get(state.threads[t].pc).copied()
    }

    fn moves(&self, state: &State) -> Vec<Move> {
        (0..state.threads.len()).flat_map(|t| self.moves_of(state, t)).collect()
    }

    fn moves_of(&self, s: &State, t: usize) -> Vec<Move> {
        let Some(ins) = self.next(s, t) else { return Vec::new() };
        let thread = &s.threads[t];
        let one = |yes: bool| if yes { vec![Move { thread: t, choice: 0 }] } else { Vec::new() };
        match (thread.stage, ins) {
            (Stage::Queued(_), _) => Vec::new(),
            (Stage::Enlisted, _) => one(true),
            (Stage::Asleep, Ins::WaitTimeout) => one(true),
            (Stage::Asleep, _) => Vec::new(),
            (Stage::Relock, _) => one(!s.mutexes[0]),
            (_, Ins::Lock(m)) => one(!s.mutexes[m]),
            (_, Ins::Read(r)) => one(!s.writer[r] && s.announced[r].is_none()),
            (_, Ins::Write(0)) => one(!s.writer[0] && s.readers[0] == 0),
            (_, Ins::Write(r)) => one(!s.writer[r] && s.announced[r].is_none()),
            (_, Ins::Park) => one(s.tokens[t]),
            (_, Ins::Await(x, v)) => one(s.atomics[x] == v),
            (Stage::Start, Ins::AwaitBoth(v)) => one(s.atomics[0] == v),
            (_, Ins::Choose(n)) => (0..n as usize).map(|choice| Move { thread: t, choice }).collect(),
            (_, Ins::CasWeak(x, old, _)) if s.atomics[x] == old && thread.weak_left > 0 => {
                (0..2).map(|choice| Move { thread: t, choice }).collect()
            }
            (_, Ins::NotifyOne) if !s.waiters.is_empty() => {
                s.waiters.iter().map(|&w| Move { thread: t, choice: w }).collect()
            }
            _ => one(true),
        }
    }

    /// Takes a step.
    fn step(&self, s: &mut State, mv: &Move) -> Done {
        let t = mv.thread;
        let ins = self.next(s, t).expect("a move is of a thread that has an instruction");
        let mut done = Done { access: None, is_event: true, wakes: Vec::new(), wakes_after: None };
        let mut goto = s.threads[t].pc + 1;
        let access = match ins {
            Ins::Load(_) | Ins::Store(..) | Ins::FetchAdd(_) | Ins::Cas(..) | Ins::CasWeak(..) | Ins::Await(..) => {
                Some(self.atomic_step(s, t, ins, mv.choice))
            }
            Ins::AwaitBoth(v) => {
                if s.threads[t].stage == Stage::Start {
                    s.threads[t].stage = Stage::ReadBoth;
                    goto -= 1;
                } else {
                    s.threads[t].stage = Stage::Start;
                    goto -= usize::from(s.atomics[1] != v);
                }
                None
            }
            Ins::Bump(x) => {
                s.counters[x] += 1;
                Some((Object::Counter(x), Class::Add))
            }
            Ins::Sum(x) => {
                let sum = s.counters[x];
                s.threads[t].seen.push(sum);
                Some((Object::Counter(x), Class::Read))
            }
            Ins::Choose(_) => {
                s.threads[t].seen.push(mv.choice as u8);
                None
            }
            Ins::Park => {
                s.tokens[t] = false;
                Some((Object::Parker(t), Class::Write))
            }
            Ins::Unpark(who) => {
                s.tokens[who] = true;
                Some((Object::Parker(who), Class::Add))
            }
            Ins::Lock(_) | Ins::TryLock(..) | Ins::Unlock(_) | Ins::IsLocked(_) => {
                Some(self.mutex_step(s, t, ins, &mut goto))
            }
            Ins::Wait | Ins::WaitTimeout => Some(self.wait_step(s, t, &mut goto)),
            Ins::NotifyOne | Ins::NotifyAll => Some(self.notify_step(s, ins, mv.choice, &mut done)),
            _ => Some(self.rw_step(s, t, ins, &mut goto, &mut done)),
        };
        done.access = access;
        s.threads[t].pc = goto;
        done
    }

    fn atomic_step(&self, s: &mut State, t: usize, ins: Ins, choice: usize) -> (Object, Class) {
        let (x, class) = match ins {
            Ins::Load(x) => {
                let value = s.atomics[x];
                s.threads[t].seen.push(value);
                (x, Class::Read)
            }
            Ins::Store(x, v) => {
                s.atomics[x] = v;
                (x, Class::Write)
            }
            Ins::FetchAdd(x) => {
                let value = s.atomics[x];
                s.threads[t].seen.push(value);
                s.atomics[x] += 1;
                (x, Class::Write)
            }
            Ins::Cas(x, old, new) | Ins::CasWeak(x, old, new) => {
                let value = s.atomics[x];
                let spurious = choice == 1;
                s.threads[t].seen.push(value * 2 + u8::from(value == old && !spurious));
                if spurious {
                    s.threads[t].weak_left -= 1;
                }
                if value == old && !spurious {
                    s.atomics[x] = new;
                    (x, Class::Write)
                } else {
                    (x, Class::Read)
                }
            }
            Ins::Await(x, _) => (x, Class::Read),
            other => unreachable!("{other:?} is of no atomic"),
        };
        (Object::Atomic(x), class)
    }

    fn mutex_step(&self, s: &mut State, t: usize, ins: Ins, goto: &mut usize) -> (Object, Class) {
        let (m, class) = match ins {
            Ins::Lock(m) => {
                s.mutexes[m] = true;
                (m, Class::Write)
            }
            Ins::TryLock(m, otherwise) => {
                let free = !s.mutexes[m];
                s.threads[t].seen.push(u8::from(free));
                s.mutexes[m] = true;
                if !free {
                    *goto = otherwise;
                }
                (m, if free { Class::Write } else { Class::Read })
            }
            Ins::Unlock(m) => {
                s.mutexes[m] = false;
                (m, Class::Write)
            }
            Ins::IsLocked(m) => {
                let locked = s.mutexes[m];
                s.threads[t].seen.push(u8::from(locked));
                (m, Class::Read)
            }
            other => unreachable!("{other:?} is of no mutex"),
        };
        (Object::Mutex(m), class)
    }

    fn wait_step(&self, s: &mut State, t: usize, goto: &mut usize) -> (Object, Class) {
        let next = *goto;
        *goto -= 1;
        match s.threads[t].stage {
            Stage::Start => {
                s.waiters.push(t);
                s.threads[t].stage = Stage::Enlisted;
                if self.waiting == Waiting::OneStep {
                    s.mutexes[0] = false;
                    s.threads[t].stage = Stage::Asleep;
                }
                (Object::Condvar, Class::Shared)
            }
            Stage::Enlisted => {
                s.mutexes[0] = false;
                let timed = self.next(s, t) == Some(Ins::WaitTimeout);
                let asleep = timed || s.waiters.contains(&t);
                s.threads[t].stage = if asleep { Stage::Asleep } else { Stage::Relock };
                (Object::Mutex(0), Class::Write)
            }
            Stage::Asleep => {
                let over = s.waiters.contains(&t);
                s.waiters.retain(|&w| w != t);
                s.threads[t].seen.push(u8::from(over));
                s.threads[t].stage = Stage::Relock;
                (Object::Condvar, Class::Write)
            }
            _ => {
                s.mutexes[0] = true;
                s.threads[t].stage = Stage::Start;
                *goto = next;
                (Object::Mutex(0), Class::Write)
            }
        }
    }

    fn notify_step(&self, s: &mut State, ins: Ins, choice: usize, done: &mut Done) -> (Object, Class) {
        let chosen: Vec<usize> = match ins {
            Ins::NotifyAll => s.waiters.clone(),
            _ => s.waiters.iter().copied().filter(|&w| w == choice).collect(),
        };
        let class = if s.waiters.is_empty() { Class::Read } else { Class::Write };
        s.waiters.retain(|w| !chosen.contains(w));
        for waiter in chosen {
            let timed = self.next(s, waiter) == Some(Ins::WaitTimeout);
            if !timed {
                done.wakes.push(waiter);
                if s.threads[waiter].stage == Stage::Asleep {
                    s.threads[waiter].stage = Stage::Relock;
                }
            }
        }
        (Object::Condvar, class)
    }

    fn rw_step(&self, s: &mut State, t: usize, ins: Ins, goto: &mut usize, done: &mut Done) -> (Object, Class) {
        let (r, class) = match ins {
            Ins::Read(r) => {
                s.readers[r] += 1;
                (r, Class::Shared)
            }
            Ins::TryRead(r, otherwise) => {
                let open = !s.writer[r] && s.announced[r].is_none();
                s.threads[t].seen.push(u8::from(open));
                s.readers[r] += u8::from(open);
                if !open {
                    *goto = otherwise;
                }
                (r, if open { Class::Shared } else { Class::Read })
            }
            Ins::ReadUnlock(r) => {
                s.readers[r] -= 1;
                if s.readers[r] == 0
                    && let Some(writer) = s.announced[r].take()
                {
                    s.writer[r] = true;
                    s.threads[writer].stage = Stage::Start;
                    s.threads[writer].pc += 1;
                    done.wakes.push(writer);
                    done.wakes_after = Some(Object::Rw(r));
                }
                (r, Class::Shared)
            }
            Ins::Write(r) if s.readers[r] > 0 => {
                s.announced[r] = Some(t);
                s.threads[t].stage = Stage::Queued(r);
                *goto -= 1;
                (r, Class::Write)
            }
            Ins::Write(r) => {
                s.writer[r] = true;
                (r, Class::Write)
            }
            Ins::TryWrite(r, otherwise) => {
                let free = !s.writer[r] && s.readers[r] == 0 && s.announced[r].is_none();
                s.threads[t].seen.push(u8::from(free));
                if free {
                    s.writer[r] = true;
                } else {
                    *goto = otherwise;
                }
                (r, if free { Class::Write } else { Class::Read })
            }
            Ins::WriteUnlock(r) => {
                s.writer[r] = false;
                (r, Class::Write)
            }
            Ins::Downgrade(r) => {
                s.writer[r] = false;
                s.readers[r] += 1;
                (r, Class::Write)
            }
            other => unreachable!("{other:?} is of no rwlock"),
        };
        (Object::Rw(r), class)
    }

    fn outcome(&self, s: &State) -> Outcome {
        let over = (0..s.threads.len()).all(|t| self.next(s, t).is_none());
        let finals = over.then(|| s.atomics.iter().chain(&s.counters).copied().collect());
        Outcome { seen: s.threads.iter().map(|t| t.seen.clone()).collect(), finals }
    }

    /// Whether nothing but vain reading can happen any more.
    fn is_stuck(&self, s: &State, moves: &[Move]) -> bool {
        moves.iter().all(|m| match self.next(s, m.thread) {
            Some(Ins::AwaitBoth(v)) => {
                let first = s.threads[m.thread].stage == Stage::ReadBoth || s.atomics[0] == v;
                !(first && s.atomics[1] == v)
            }
            _ => false,
        })
    }
}

/// Every outcome of the program.
pub fn outcomes(program: &Program, waiting: Waiting) -> HashSet<Outcome> {
    let machine = Machine { program, waiting };
    let mut visited = HashSet::new();
    let mut todo = vec![machine.initial()];
    let mut outcomes = HashSet::new();
    while let Some(state) = todo.pop() {
        if !visited.insert(state.clone()) {
            continue;
        }
        let moves = machine.moves(&state);
        if machine.is_stuck(&state, &moves) {
            outcomes.insert(machine.outcome(&state));
            continue;
        }
        for mv in moves {
            let mut next = state.clone();
            machine.step(&mut next, &mv);
            todo.push(next);
        }
    }
    outcomes
}

type Clock = [u8; 4];

/// One event of the present interleaving.
#[derive(Clone, Copy)]
struct Event {
    thread: usize,
    choice: usize,
    access: Option<(Object, Class)>,
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

/// The number of Mazurkiewicz traces, or `None` when there are too many interleavings, or no fixed number of steps.
pub fn count_traces(program: &Program, most: u64) -> Option<u64> {
    if program.threads.iter().flatten().any(|i| matches!(i, Ins::AwaitBoth(_))) {
        return None;
    }
    let machine = Machine { program, waiting: Waiting::TwoSteps };
    let start = machine.initial();
    let clocks = vec![[0; 4]; program.threads.len()];
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

impl Counting<'_> {
    fn descend(&mut self, state: &State) {
        let moves = self.machine.moves(state);
        if moves.is_empty() {
            self.interleavings += 1;
            let form = self.canonical_form();
            self.traces.insert(form);
            return;
        }
        for mv in moves {
            if self.interleavings > self.most {
                return;
            }
            let mut next = state.clone();
            let before = (self.clocks.clone(), self.owed.clone());
            let enlisted = state.threads[mv.thread].stage == Stage::Enlisted;
            let done = self.machine.step(&mut next, &mv);
            self.order(&mv, &done, state);
            if enlisted {
                let owed = std::mem::take(&mut self.owed[mv.thread]);
                join(&mut self.clocks[mv.thread], &owed);
            }
            self.descend(&next);
            self.events.pop();
            (self.clocks, self.owed) = before;
        }
    }

    fn order(&mut self, mv: &Move, done: &Done, before: &State) {
        let mut clock = self.clocks[mv.thread];
        if let Some((object, class)) = done.access {
            for event in &self.events {
                if event.access.is_some_and(|(o, c)| o == object && !commute(c, class)) {
                    join(&mut clock, &event.clock);
                }
            }
        }
        clock[mv.thread] += 1;
        self.clocks[mv.thread] = clock;
        let choice = mv.choice;
        self.events.push(Event { thread: mv.thread, choice, access: done.access, clock });
        for &woken in &done.wakes {
            if before.threads[woken].stage == Stage::Enlisted {
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
        debug_assert!(done.is_event);
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
