//! What a step does: dispatch, and everything but locks.

use super::moves::Move;
use super::state::{Machine, OnceState, Stage, State};
use crate::oracle::program::Ins;

/// When two accesses of one object commute: both are of the same class, and that class is not `Write`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Read,
    Shared,
    Add,
    Write,
}

/// Which object an access is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Object {
    Atomic(usize),
    Counter(usize),
    Mutex(usize),
    Rw(usize),
    Condvar,
    Parker(usize),
    Barrier,
    Bit,
}

pub(super) type Access = (Object, Class);

/// What a step did, for the dependence order.
#[derive(Default)]
pub(super) struct Done {
    pub access: Option<Access>,
    /// Threads that this step lets go on.
    pub wakes: Vec<usize>,
    /// The woken threads come after all accesses of this object so far.
    pub wakes_after: Option<Object>,
}

/// Where a thread stands after its step.
pub(super) enum Goto {
    Next,
    /// At the same instruction, in another stage.
    Stay(Stage),
    Jump(usize),
}

impl Machine<'_> {
    /// Takes a step.
    pub(super) fn step(&self, s: &mut State, mv: &Move) -> Done {
        let t = mv.thread;
        let ins = self.next(s, t).expect("a move is of a thread that has an instruction");
        let mut done = Done::default();
        let mut goto = Goto::Next;
        done.access = match ins {
            Ins::Load(_)
            | Ins::Store(..)
            | Ins::FetchAdd(_)
            | Ins::Cas(..)
            | Ins::CasWeak(..)
            | Ins::Await(..)
            | Ins::Spin(..)
            | Ins::SpinCas(..) => Some(self.atomic_step(s, t, ins, mv.choice)),
            Ins::AwaitAll(n, v) | Ins::SpinAll(n, v) => {
                let read = if let Stage::Reading(read) = s.threads[t].stage { read } else { 0 };
                goto = match read + 1 {
                    _ if s.atomics[read] != v => Goto::Stay(Stage::Start),
                    all if all == n => Goto::Next,
                    some => Goto::Stay(Stage::Reading(some)),
                };
                None
            }
            Ins::Choose(_) => {
                s.threads[t].seen.push(mv.choice as u8);
                None
            }
            Ins::Spawn(child) => {
                s.threads[child].stage = Stage::Start;
                None
            }
            Ins::Join(_) => None,
            Ins::Once | Ins::IsDone => {
                goto = self.once_step(s, t, ins);
                None
            }
            Ins::Bump(_) | Ins::Sum(_) | Ins::Park | Ins::Unpark(_) => Some(self.shared_step(s, t, ins)),
            Ins::Arrive => {
                goto = self.arrive(s, t, &mut done);
                Some((Object::Barrier, Class::Write))
            }
            Ins::BitLock | Ins::BitTry | Ins::BitUnlock | Ins::BitWait | Ins::IsBitLocked => {
                Some((Object::Bit, self.bit_step(s, t, ins)))
            }
            Ins::Lock(_) | Ins::TryLock(..) | Ins::Unlock(_) | Ins::IsLocked(_) => {
                Some(self.mutex_step(s, t, ins, &mut goto))
            }
            Ins::Wait | Ins::WaitTimeout => self.wait_step(s, t, mv.choice, &mut goto),
            Ins::NotifyOne | Ins::NotifyAll => Some(self.notify_step(s, ins, mv.choice, &mut done)),
            Ins::Read(_)
            | Ins::TryRead(..)
            | Ins::ReadUnlock(_)
            | Ins::Write(_)
            | Ins::TryWrite(..)
            | Ins::WriteUnlock(_)
            | Ins::Downgrade(_) => Some(self.rw_step(s, t, ins, &mut goto, &mut done)),
        };
        let thread = &mut s.threads[t];
        (thread.pc, thread.stage) = match goto {
            Goto::Next => (thread.pc + 1, Stage::Start),
            Goto::Stay(stage) => (thread.pc, stage),
            Goto::Jump(pc) => (pc, Stage::Start),
        };
        done
    }

    fn atomic_step(&self, s: &mut State, t: usize, ins: Ins, choice: usize) -> Access {
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
            Ins::Await(x, _) | Ins::Spin(x, _) => (x, Class::Read),
            Ins::SpinCas(x, _, new) => {
                s.atomics[x] = new;
                (x, Class::Write)
            }
            other => unreachable!("{other:?} is of no atomic"),
        };
        (Object::Atomic(x), class)
    }

    fn shared_step(&self, s: &mut State, t: usize, ins: Ins) -> Access {
        match ins {
            Ins::Bump(x) => {
                s.counters[x] += 1;
                (Object::Counter(x), Class::Add)
            }
            Ins::Sum(x) => {
                let sum = s.counters[x];
                s.threads[t].seen.push(sum);
                (Object::Counter(x), Class::Read)
            }
            Ins::Park => {
                s.tokens[t] = false;
                (Object::Parker(t), Class::Write)
            }
            Ins::Unpark(who) => {
                s.tokens[who] = true;
                (Object::Parker(who), Class::Add)
            }
            other => unreachable!("{other:?} is of no counter or parker"),
        }
    }

    fn arrive(&self, s: &mut State, t: usize, done: &mut Done) -> Goto {
        s.arrived.push(t);
        if s.arrived.len() < self.program.barrier {
            return Goto::Stay(Stage::AtBarrier);
        }
        s.arrived.pop();
        done.wakes = std::mem::take(&mut s.arrived);
        for &waiter in &done.wakes {
            s.threads[waiter].seen.push(0);
            s.threads[waiter].stage = Stage::Start;
            s.threads[waiter].pc += 1;
        }
        s.threads[t].seen.push(1);
        Goto::Next
    }

    fn once_step(&self, s: &mut State, t: usize, ins: Ins) -> Goto {
        if ins == Ins::IsDone {
            s.threads[t].seen.push(u8::from(s.once == OnceState::Done));
            return Goto::Next;
        }
        match s.threads[t].stage {
            Stage::InOnce => {
                let value = s.atomics[0];
                s.threads[t].seen.push(value);
                s.atomics[0] += 1;
                Goto::Stay(Stage::LeavingOnce)
            }
            Stage::LeavingOnce => {
                s.once = OnceState::Done;
                Goto::Next
            }
            _ if s.once == OnceState::New => {
                s.once = OnceState::Running;
                Goto::Stay(Stage::InOnce)
            }
            _ => Goto::Next,
        }
    }

    fn bit_step(&self, s: &mut State, t: usize, ins: Ins) -> Class {
        let was = s.bit;
        match ins {
            Ins::BitLock => s.bit = true,
            Ins::BitUnlock => s.bit = false,
            Ins::BitTry => {
                s.bit = true;
                s.threads[t].seen.push(u8::from(!was));
            }
            Ins::IsBitLocked => s.threads[t].seen.push(u8::from(was)),
            _ => {}
        }
        match ins {
            Ins::BitTry if was => Class::Read,
            Ins::BitLock | Ins::BitUnlock | Ins::BitTry => Class::Write,
            _ => Class::Read,
        }
    }
}
