//! The state of a program between two steps.

use crate::oracle::program::{ATOMICS, Ins, LOCKS, Program, THREADS};

/// Where in its instruction a thread is; most instructions are one step and stay at the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Stage {
    /// Nobody has started the thread.
    Unborn,
    Start,
    /// Queued for a fair lock as writer; the last reader lets it in.
    Queued,
    /// Among the condvar's waiters, and still holding the mutex.
    Enlisted,
    /// Has released the mutex, and finds out whether the environment will wake it.
    Deciding,
    Asleep,
    /// Asleep, and the environment will wake it if nobody does before.
    LightlyAsleep,
    Relock,
    /// So many of the atomics had the value when they were read.
    Reading(usize),
    AtBarrier,
    /// Inside the function of the `Once`, before and after its addition.
    InOnce,
    LeavingOnce,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Thread {
    pub pc: usize,
    pub stage: Stage,
    pub seen: Vec<u8>,
    pub weak_left: u32,
    pub spurious_left: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum OnceState {
    New,
    Running,
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub atomics: [u8; ATOMICS],
    pub counters: [u8; ATOMICS],
    pub mutexes: [bool; LOCKS],
    pub readers: [u8; LOCKS],
    pub writer: [bool; LOCKS],
    pub announced: [Option<usize>; LOCKS],
    pub waiters: Vec<usize>,
    pub tokens: [bool; THREADS],
    pub arrived: Vec<usize>,
    pub once: OnceState,
    pub bit: bool,
    pub threads: Vec<Thread>,
}

/// How a wait on the condvar is cut into steps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// As the standard library has it: releasing the mutex and falling asleep are one step, and a sleeper may wake by
    /// itself at any time.
    OneStep,
    /// As the engine has it, so that its traces can be counted: joining the waiters, releasing, and choosing whether
    /// to wake by itself are steps of their own.
    ManySteps,
}

pub(super) struct Machine<'p> {
    pub program: &'p Program,
    pub waiting: Waiting,
}

impl Machine<'_> {
    pub(super) fn initial(&self) -> State {
        let program = self.program;
        let thread = |t| Thread {
            pc: 0,
            stage: if program.starts_by_itself(t) { Stage::Start } else { Stage::Unborn },
            seen: Vec::new(),
            weak_left: program.weak_failures,
            spurious_left: program.spurious_wakeups,
        };
        State {
            atomics: [0; ATOMICS],
            counters: [0; ATOMICS],
            mutexes: [false; LOCKS],
            readers: [0; LOCKS],
            writer: [false; LOCKS],
            announced: [None; LOCKS],
            waiters: Vec::new(),
            tokens: [false; THREADS],
            arrived: Vec::new(),
            once: OnceState::New,
            bit: false,
            threads: (0..program.threads.len()).map(thread).collect(),
        }
    }

    /// The instruction at which the thread is; none at its end.
    pub(super) fn next(&self, state: &State, t: usize) -> Option<Ins> {
        self.program.threads[t].get(state.threads[t].pc).copied()
    }

    pub(super) fn has_ended(&self, state: &State, t: usize) -> bool {
        state.threads[t].stage != Stage::Unborn && self.next(state, t).is_none()
    }
}
