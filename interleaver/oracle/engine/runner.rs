//! A thread that runs its part of a program, one instruction after the other.

use super::records::{Records, lock};
use super::world::World;
use crate::oracle::program::{Ins, Program};
use interleaver::raw::{Locked, ReadLocked, WriteLocked};
use interleaver::sync::MutexGuard;
use interleaver::sync::atomic::Ordering::SeqCst;
use interleaver::{choose, hint, spin_until, thread};
use lock_api::{RawMutex as _, RawRwLock as _, RawRwLockDowngrade as _};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

type Handles = StdMutex<Vec<Option<thread::Thread>>>;

/// What all threads of one execution share.
#[derive(Clone)]
pub(super) struct Runner {
    world: Arc<World>,
    records: Arc<StdMutex<Records>>,
    handles: Arc<Handles>,
    program: Arc<Program>,
}

/// One of them, running.
struct Thread<'r> {
    runner: &'r Runner,
    world: &'r World,
    t: usize,
    pc: usize,
    guard: Option<MutexGuard<'r, ()>>,
    children: Vec<(usize, thread::JoinHandle<()>)>,
}

impl Runner {
    pub(super) fn new(
        world: &Arc<World>,
        records: &Arc<StdMutex<Records>>,
        handles: &Arc<Handles>,
        program: &Arc<Program>,
    ) -> Runner {
        Runner { world: world.clone(), records: records.clone(), handles: handles.clone(), program: program.clone() }
    }

    pub(super) fn start(&self, t: usize) -> thread::JoinHandle<()> {
        let runner = self.clone();
        thread::spawn(move || {
            let world = &runner.world;
            Thread { runner: &runner, world, t, pc: 0, guard: None, children: Vec::new() }.run();
        })
    }
}

impl Thread<'_> {
    fn see(&self, value: u8) {
        lock(&self.runner.records).see(self.t, value);
    }

    fn run(&mut self) {
        while let Some(&ins) = self.runner.program.threads[self.t].get(self.pc) {
            self.pc += 1;
            match ins {
                Ins::Lock(_) | Ins::TryLock(..) | Ins::Unlock(_) | Ins::IsLocked(_) | Ins::Wait | Ins::WaitTimeout => {
                    self.mutex(ins);
                }
                Ins::Read(_)
                | Ins::TryRead(..)
                | Ins::ReadUnlock(_)
                | Ins::Write(_)
                | Ins::TryWrite(..)
                | Ins::WriteUnlock(_)
                | Ins::Downgrade(_) => self.rwlock(ins),
                Ins::Await(..) | Ins::AwaitAll(..) | Ins::Spin(..) | Ins::SpinAll(..) | Ins::SpinCas(..) => {
                    self.await_value(ins);
                }
                Ins::Spawn(_) | Ins::Join(_) | Ins::Park | Ins::Unpark(_) => self.thread(ins),
                other => self.simple(other),
            }
        }
    }

    fn simple(&self, ins: Ins) {
        let w = self.world;
        match ins {
            Ins::Load(x) => self.see(w.simple.atomics[x].load(SeqCst)),
            Ins::Store(x, v) => w.simple.atomics[x].store(v, SeqCst),
            Ins::FetchAdd(x) => self.see(w.simple.atomics[x].fetch_add(1, SeqCst)),
            Ins::Cas(x, old, new) => self.see_cas(w.simple.atomics[x].compare_exchange(old, new, SeqCst, SeqCst)),
            Ins::CasWeak(x, old, new) => {
                self.see_cas(w.simple.atomics[x].compare_exchange_weak(old, new, SeqCst, SeqCst))
            }
            Ins::Bump(x) => w.counters[x].add(1),
            Ins::Sum(x) => self.see(w.counters[x].sum() as u8),
            Ins::NotifyOne => w.condvar.notify_one(),
            Ins::NotifyAll => w.condvar.notify_all(),
            Ins::Choose(n) => self.see(choose(n.into()) as u8),
            Ins::Arrive => self.see(u8::from(w.barrier.wait().is_leader())),
            Ins::Once => w.once.call_once(|| self.see(w.simple.atomics[0].fetch_add(1, SeqCst))),
            Ins::IsDone => self.see(u8::from(w.once.is_completed())),
            Ins::BitLock => w.bit.lock(),
            Ins::BitTry => self.see(u8::from(w.bit.try_lock())),
            Ins::BitUnlock => w.bit.unlock(),
            Ins::BitWait => w.bit.wait(),
            Ins::IsBitLocked => self.see(u8::from(w.bit.is_locked())),
            other => unreachable!("{other:?} is handled elsewhere"),
        }
    }

    fn await_value(&self, ins: Ins) {
        let x = &self.world.simple.atomics;
        match ins {
            Ins::Await(i, v) => spin_until(|| x[i].load(SeqCst) == v),
            Ins::AwaitAll(n, v) => spin_until(|| x[..n].iter().all(|x| x.load(SeqCst) == v)),
            Ins::Spin(i, v) => {
                while x[i].load(SeqCst) != v {
                    hint::spin_loop();
                }
            }
            Ins::SpinAll(n, v) => {
                while !x[..n].iter().all(|x| x.load(SeqCst) == v) {
                    thread::yield_now();
                }
            }
            Ins::SpinCas(i, old, new) => {
                while x[i].compare_exchange(old, new, SeqCst, SeqCst).is_err() {
                    hint::spin_loop();
                }
            }
            other => unreachable!("{other:?} waits for no value"),
        }
    }

    fn thread(&mut self, ins: Ins) {
        match ins {
            Ins::Spawn(child) => self.children.push((child, self.runner.start(child))),
            Ins::Join(child) => {
                let at = self.children.iter().position(|c| c.0 == child).expect("programs join what they started");
                self.children.swap_remove(at).1.join().expect("interpreters do not panic");
            }
            Ins::Park => thread::park(),
            Ins::Unpark(who) => {
                let thread = self.runner.handles.lock().expect("not poisoned")[who].clone();
                thread.expect("programs unpark threads that are there from the beginning").unpark();
            }
            other => unreachable!("{other:?} is of no thread"),
        }
    }

    fn see_cas(&self, result: Result<u8, u8>) {
        match result {
            Ok(old) => self.see(old * 2 + 1),
            Err(old) => self.see(old * 2),
        }
    }

    fn mutex(&mut self, ins: Ins) {
        let w = self.world;
        match ins {
            Ins::Lock(0) => self.guard = Some(w.first.lock().expect("not poisoned")),
            Ins::Lock(_) => _ = w.simple.second.lock(),
            Ins::TryLock(0, otherwise) => {
                self.guard = w.first.try_lock().ok();
                self.tried(self.guard.is_some(), otherwise);
            }
            Ins::TryLock(_, otherwise) => {
                let got = w.simple.second.try_lock().is_some();
                self.tried(got, otherwise);
            }
            Ins::Unlock(0) => self.guard = None,
            // SAFETY: programs unlock what they have locked.
            Ins::Unlock(_) => unsafe { w.simple.second.unlock(Locked::assumed()) },
            Ins::IsLocked(0) => self.see(u8::from(w.first.is_locked())),
            Ins::IsLocked(_) => self.see(u8::from(w.simple.second.is_locked())),
            Ins::Wait => {
                let held = self.guard.take().expect("programs wait with the lock held");
                self.guard = Some(w.condvar.wait(held).expect("not poisoned"));
            }
            Ins::WaitTimeout => {
                let held = self.guard.take().expect("programs wait with the lock held");
                let (held, over) = w.condvar.wait_timeout(held, Duration::ZERO).expect("not poisoned");
                self.see(u8::from(over.timed_out()));
                self.guard = Some(held);
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
        let (plain, fair) = (&self.world.simple.plain, &self.world.simple.fair);
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
