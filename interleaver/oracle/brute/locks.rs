//! What steps of mutexes, the condvar and reader-writer locks do.

use super::state::{Machine, Stage, State, Waiting};
use super::steps::{Access, Class, Done, Goto, Object};
use crate::oracle::program::Ins;

impl Machine<'_> {
    pub(super) fn mutex_step(&self, s: &mut State, t: usize, ins: Ins, goto: &mut Goto) -> Access {
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
                    *goto = Goto::Jump(otherwise);
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

    pub(super) fn wait_step(&self, s: &mut State, t: usize, choice: usize, goto: &mut Goto) -> Option<Access> {
        let timed = self.next(s, t) == Some(Ins::WaitTimeout);
        let listed = s.waiters.contains(&t);
        let sleep = if timed || listed { Stage::Asleep } else { Stage::Relock };
        let (stage, access) = match s.threads[t].stage {
            Stage::Start => {
                s.waiters.push(t);
                if self.waiting == Waiting::OneStep {
                    s.mutexes[0] = false;
                }
                let stage = if self.waiting == Waiting::OneStep { Stage::Asleep } else { Stage::Enlisted };
                (stage, Some((Object::Condvar, Class::Shared)))
            }
            Stage::Enlisted => {
                s.mutexes[0] = false;
                let stage = if s.threads[t].spurious_left > 0 { Stage::Deciding } else { sleep };
                (stage, Some((Object::Mutex(0), Class::Write)))
            }
            Stage::Deciding => (if choice == 1 { Stage::LightlyAsleep } else { sleep }, None),
            Stage::Asleep | Stage::LightlyAsleep => {
                self.wake_by_itself(s, t, choice);
                (Stage::Relock, Some((Object::Condvar, Class::Write)))
            }
            _ => {
                s.mutexes[0] = true;
                *goto = Goto::Next;
                return Some((Object::Mutex(0), Class::Write));
            }
        };
        *goto = Goto::Stay(stage);
        access
    }

    /// A sleeper goes on: its time is over, or it wakes without a reason, unless it was notified before.
    fn wake_by_itself(&self, s: &mut State, t: usize, choice: usize) {
        let listed = s.waiters.contains(&t);
        s.waiters.retain(|&w| w != t);
        let timed = self.next(s, t) == Some(Ins::WaitTimeout);
        let for_no_reason = !timed || choice == 1 || s.threads[t].stage == Stage::LightlyAsleep;
        if timed {
            s.threads[t].seen.push(u8::from(listed && !for_no_reason));
        }
        if listed && for_no_reason {
            s.threads[t].spurious_left -= 1;
        }
    }

    pub(super) fn notify_step(&self, s: &mut State, ins: Ins, choice: usize, done: &mut Done) -> Access {
        let chosen: Vec<usize> = match ins {
            Ins::NotifyAll => s.waiters.clone(),
            _ => s.waiters.iter().copied().filter(|&w| w == choice).collect(),
        };
        let class = if s.waiters.is_empty() { Class::Read } else { Class::Write };
        s.waiters.retain(|w| !chosen.contains(w));
        for waiter in chosen {
            // Whoever wakes by a step of its own learns of it there.
            let timed = self.next(s, waiter) == Some(Ins::WaitTimeout);
            if !timed && s.threads[waiter].stage != Stage::LightlyAsleep {
                done.wakes.push(waiter);
                if s.threads[waiter].stage == Stage::Asleep {
                    s.threads[waiter].stage = Stage::Relock;
                }
            }
        }
        (Object::Condvar, class)
    }

    pub(super) fn rw_step(&self, s: &mut State, t: usize, ins: Ins, goto: &mut Goto, done: &mut Done) -> Access {
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
                    *goto = Goto::Jump(otherwise);
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
                *goto = Goto::Stay(Stage::Queued);
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
                    *goto = Goto::Jump(otherwise);
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
}
