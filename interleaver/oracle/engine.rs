//! The same programs on the engine.

use super::brute::Outcome;
use super::program::{Ins, Program};
use interleaver::raw::{RawFairRwLock, RawMutex, RawRwLock};
use interleaver::sync::atomic::AtomicU8;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::sync::{Condvar, Mutex, MutexGuard};
use interleaver::{Builder, Counter, Report, choose, spin_until, thread};
use lock_api::{RawMutex as _, RawRwLock as _, RawRwLockDowngrade as _};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex as StdMutex};
use std::thread::ThreadId;
use std::time::Duration;

/// The objects of one execution.
struct World {
    atomics: [AtomicU8; 2],
    counters: [Counter; 2],
    first: Mutex<()>,
    second: RawMutex,
    plain: RawRwLock,
    fair: RawFairRwLock,
    condvar: Condvar,
}

/// Values seen so far, by thread, and the values at the end.
#[derive(Default)]
struct Log {
    seen: Vec<Vec<u8>>,
    finals: Option<Vec<u8>>,
    running: bool,
}

#[derive(Default)]
struct Records {
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
}

/// Runs the program under the engine: the outcomes and the report.
pub fn run(program: &Program, builder: &Builder) -> (HashSet<Outcome>, Report) {
    let records = Arc::new(StdMutex::new(Records::default()));
    let (shared, code) = (records.clone(), Arc::new(program.clone()));
    let report = builder.clone().count_failures().check(move || execute(&code, &shared));
    if let Some(failure) = &report.failure {
        assert!(matches!(failure.reason.kind(), "deadlock" | "livelock"), "{failure}");
    }
    let mut records = records.lock().expect("no execution panicked while it held the records");
    let logs = std::mem::take(&mut records.logs);
    logs.into_values().for_each(|log| records.harvest(log));
    (std::mem::take(&mut records.outcomes), report)
}

fn lock(records: &StdMutex<Records>) -> std::sync::MutexGuard<'_, Records> {
    records.lock().expect("no execution panicked while it held the records")
}

fn execute(program: &Arc<Program>, records: &Arc<StdMutex<Records>>) {
    let count = program.threads.len();
    {
        let mut records = lock(records);
        let log = Log { seen: vec![Vec::new(); count], finals: None, running: true };
        let before = std::mem::replace(records.log(), log);
        records.harvest(before);
    }
    let world = Arc::new(World {
        atomics: [AtomicU8::new(0), AtomicU8::new(0)],
        counters: [Counter::new(), Counter::new()],
        first: Mutex::new(()),
        second: RawMutex::new(),
        plain: RawRwLock::new(),
        fair: RawFairRwLock::new(),
        condvar: Condvar::new(),
    });
    let handles: Arc<StdMutex<Vec<thread::Thread>>> = Arc::default();
    let spawn = |t: usize| {
        let (world, program, records, handles) = (world.clone(), program.clone(), records.clone(), handles.clone());
        thread::spawn(move || Runner { world: &world, records: &records, threads: &handles, t, pc: 0 }.run(&program))
    };
    let joins: Vec<_> = (0..count).map(spawn).collect();
    let threads = joins.iter().map(|j| j.thread().clone()).collect();
    *handles.lock().expect("not poisoned") = threads;
    for join in joins {
        join.join().expect("interpreters do not panic");
    }
    // SAFETY: all threads have been joined.
    let value = |x: &AtomicU8| unsafe { x.unsync_load() };
    let sums = world.counters.iter().map(|c| c.sum() as u8);
    let finals = world.atomics.iter().map(value).chain(sums).collect();
    lock(records).log().finals = Some(finals);
}

struct Runner<'w> {
    world: &'w World,
    records: &'w StdMutex<Records>,
    threads: &'w StdMutex<Vec<thread::Thread>>,
    t: usize,
    pc: usize,
}

impl<'w> Runner<'w> {
    fn see(&self, value: u8) {
        lock(self.records).log().seen[self.t].push(value);
    }

    fn run(&mut self, program: &Program) {
        let code = &program.threads[self.t];
        let mut guard: Option<MutexGuard<'w, ()>> = None;
        while let Some(&ins) = code.get(self.pc) {
            self.pc += 1;
            match ins {
                Ins::Lock(_) | Ins::TryLock(..) | Ins::Unlock(_) | Ins::IsLocked(_) | Ins::Wait | Ins::WaitTimeout => {
                    self.mutex(ins, &mut guard);
                }
                Ins::Read(_)
                | Ins::TryRead(..)
                | Ins::ReadUnlock(_)
                | Ins::Write(_)
                | Ins::TryWrite(..)
                | Ins::WriteUnlock(_)
                | Ins::Downgrade(_) => self.rwlock(ins),
                other => self.simple(other),
            }
        }
    }

    fn simple(&mut self, ins: Ins) {
        let w = self.world;
        match ins {
            Ins::Load(x) => self.see(w.atomics[x].load(SeqCst)),
            Ins::Store(x, v) => w.atomics[x].store(v, SeqCst),
            Ins::FetchAdd(x) => self.see(w.atomics[x].fetch_add(1, SeqCst)),
            Ins::Cas(x, old, new) => self.see_cas(w.atomics[x].compare_exchange(old, new, SeqCst, SeqCst)),
            Ins::CasWeak(x, old, new) => self.see_cas(w.atomics[x].compare_exchange_weak(old, new, SeqCst, SeqCst)),
            Ins::Bump(x) => w.counters[x].add(1),
            Ins::Sum(x) => self.see(w.counters[x].sum() as u8),
            Ins::NotifyOne => w.condvar.notify_one(),
            Ins::NotifyAll => w.condvar.notify_all(),
            Ins::Choose(n) => self.see(choose(n.into()) as u8),
            Ins::Await(x, v) => spin_until(|| w.atomics[x].load(SeqCst) == v),
            Ins::AwaitBoth(v) => spin_until(|| w.atomics[0].load(SeqCst) == v && w.atomics[1].load(SeqCst) == v),
            Ins::Park => thread::park(),
            Ins::Unpark(who) => {
                let thread = self.threads.lock().expect("not poisoned")[who].clone();
                thread.unpark();
            }
            other => unreachable!("{other:?} is handled elsewhere"),
        }
    }

    fn see_cas(&self, result: Result<u8, u8>) {
        match result {
            Ok(old) => self.see(old * 2 + 1),
            Err(old) => self.see(old * 2),
        }
    }

    fn mutex(&mut self, ins: Ins, guard: &mut Option<MutexGuard<'w, ()>>) {
        let w = self.world;
        match ins {
            Ins::Lock(0) => *guard = Some(w.first.lock().expect("not poisoned")),
            Ins::Lock(_) => _ = w.second.lock(),
            Ins::TryLock(0, otherwise) => {
                *guard = w.first.try_lock().ok();
                self.tried(guard.is_some(), otherwise);
            }
            Ins::TryLock(_, otherwise) => {
                let got = w.second.try_lock().is_some();
                self.tried(got, otherwise);
            }
            Ins::Unlock(0) => *guard = None,
            // SAFETY: programs unlock what they have locked.
            Ins::Unlock(_) => unsafe { w.second.unlock(interleaver::raw::Locked::assumed()) },
            Ins::IsLocked(0) => self.see(u8::from(w.first.is_locked())),
            Ins::IsLocked(_) => self.see(u8::from(w.second.is_locked())),
            Ins::Wait => {
                let held = guard.take().expect("programs wait with the lock held");
                *guard = Some(w.condvar.wait(held).expect("not poisoned"));
            }
            Ins::WaitTimeout => {
                let held = guard.take().expect("programs wait with the lock held");
                let (held, over) = w.condvar.wait_timeout(held, Duration::ZERO).expect("not poisoned");
                self.see(u8::from(over.timed_out()));
                *guard = Some(held);
            }
            other => unreachable!("{other:?} is of no mutex"),
        }
    }

    fn tried(&mut self, got: bool, otherwise: usize) {
        self.see(u8::from(got));
        if !got {
            self.pc = otherwise;
        }
    }

    fn rwlock(&mut self, ins: Ins) {
        let (plain, fair) = (&self.world.plain, &self.world.fair);
        use interleaver::raw::{ReadLocked, WriteLocked};
        // SAFETY (of the releases below): programs release what they have acquired.
        match ins {
            Ins::Read(0) => _ = plain.lock_shared(),
            Ins::Read(_) => _ = fair.lock_shared(),
            Ins::Write(0) => _ = plain.lock_exclusive(),
            Ins::Write(_) => _ = fair.lock_exclusive(),
            Ins::TryRead(r, otherwise) => {
                let got = if r == 0 { plain.try_lock_shared().is_some() } else { fair.try_lock_shared().is_some() };
                self.tried(got, otherwise);
            }
            Ins::TryWrite(r, otherwise) => {
                let got =
                    if r == 0 { plain.try_lock_exclusive().is_some() } else { fair.try_lock_exclusive().is_some() };
                self.tried(got, otherwise);
            }
            // SAFETY: as above.
            Ins::ReadUnlock(0) => unsafe { plain.unlock_shared(ReadLocked::assumed()) },
            // SAFETY: as above.
            Ins::ReadUnlock(_) => unsafe { fair.unlock_shared(ReadLocked::assumed()) },
            // SAFETY: as above.
            Ins::WriteUnlock(0) => unsafe { plain.unlock_exclusive(WriteLocked::assumed()) },
            // SAFETY: as above.
            Ins::WriteUnlock(_) => unsafe { fair.unlock_exclusive(WriteLocked::assumed()) },
            // SAFETY: as above.
            Ins::Downgrade(0) => _ = unsafe { plain.downgrade(WriteLocked::assumed()) },
            // SAFETY: as above.
            Ins::Downgrade(_) => _ = unsafe { fair.downgrade(WriteLocked::assumed()) },
            other => unreachable!("{other:?} is of no rwlock"),
        }
    }
}
