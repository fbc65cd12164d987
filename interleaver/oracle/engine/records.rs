//! One check of a program, and what its executions showed.

use super::runner::Runner;
use super::world::{Making, Simple, World};
use crate::oracle::brute::Outcome;
use crate::oracle::program::Program;
use interleaver::sync::atomic::AtomicU8;
use interleaver::{Builder, Report, thread};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard};
use std::thread::ThreadId;

/// Values seen so far, by thread, and the values at the end.
#[derive(Default)]
struct Log {
    seen: Vec<Vec<u8>>,
    finals: Option<Vec<u8>>,
    running: bool,
}

#[derive(Default)]
pub(super) struct Records {
    /// One for each OS thread that explores.
    logs: HashMap<ThreadId, Log>,
    outcomes: HashSet<Outcome>,
}

impl Records {
    fn log(&mut self) -> &mut Log {
        self.logs.entry(std::thread::current().id()).or_default()
    }

    /// Keeps what an execution showed.
    fn harvest(&mut self, log: Log) {
        if log.running {
            self.outcomes.insert(Outcome { seen: log.seen, finals: log.finals });
        }
    }

    pub(super) fn see(&mut self, t: usize, value: u8) {
        self.log().seen[t].push(value);
    }
}

/// Runs the program under the engine: the outcomes and the report.
pub fn run(program: &Program, builder: &Builder, making: Making) -> (HashSet<Outcome>, Report) {
    let records = Arc::new(StdMutex::new(Records::default()));
    let (shared, code) = (records.clone(), Arc::new(program.clone()));
    let outside = (making == Making::AtFirstUse).then(|| Arc::new(Simple::in_constant()));
    let report = builder.clone().count_failures().check(move || {
        let simple = outside.clone().unwrap_or_else(|| Arc::new(Simple::inside()));
        execute(&code, &shared, simple);
    });
    if let Some(failure) = &report.failure {
        assert!(matches!(failure.reason.kind(), "deadlock" | "livelock"), "{failure}\n{:?}", program.threads);
    }
    let mut records = lock(&records);
    let logs = std::mem::take(&mut records.logs);
    logs.into_values().for_each(|log| records.harvest(log));
    (std::mem::take(&mut records.outcomes), report)
}

pub(super) fn lock(records: &StdMutex<Records>) -> MutexGuard<'_, Records> {
    records.lock().expect("no execution panicked while it held the records")
}

fn execute(program: &Arc<Program>, records: &Arc<StdMutex<Records>>, simple: Arc<Simple>) {
    let count = program.threads.len();
    {
        let mut records = lock(records);
        let log = Log { seen: vec![Vec::new(); count], finals: None, running: true };
        let before = std::mem::replace(records.log(), log);
        records.harvest(before);
    }
    let world = Arc::new(World::new(simple, program.barrier));
    let handles: Arc<StdMutex<Vec<Option<thread::Thread>>>> = Arc::default();
    let first = Runner::new(&world, records, &handles, program);
    let joins: Vec<_> = (0..count).map(|t| program.starts_by_itself(t).then(|| first.start(t))).collect();
    let threads = joins.iter().map(|j| j.as_ref().map(|j| j.thread().clone())).collect();
    *handles.lock().expect("not poisoned") = threads;
    for join in joins.into_iter().flatten() {
        join.join().expect("interpreters do not panic");
    }
    // SAFETY: all threads have been joined.
    let value = |x: &AtomicU8| unsafe { x.unsync_load() };
    let sums = world.counters.iter().map(|c| c.sum() as u8);
    let finals = world.simple.atomics.iter().map(value).chain(sums).collect();
    lock(records).log().finals = Some(finals);
}
