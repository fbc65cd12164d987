//! Which steps can be taken in a state.

use super::state::{Machine, OnceState, Stage, State, Waiting};
use crate::oracle::program::Ins;

/// One way in which a thread can take its next step.
#[derive(Clone, Copy)]
pub(super) struct Move {
    pub thread: usize,
    pub choice: usize,
}

impl Machine<'_> {
    pub(super) fn moves(&self, state: &State) -> Vec<Move> {
        (0..state.threads.len()).flat_map(|t| self.moves_of(state, t)).collect()
    }

    fn moves_of(&self, s: &State, t: usize) -> Vec<Move> {
        let Some(ins) = self.next(s, t) else { return Vec::new() };
        let thread = &s.threads[t];
        let ways = |n: usize| (0..n).map(|choice| Move { thread: t, choice }).collect();
        let one = |yes: bool| if yes { ways(1) } else { Vec::new() };
        match (thread.stage, ins) {
            (Stage::Unborn | Stage::Queued | Stage::AtBarrier, _) => one(false),
            (Stage::Enlisted | Stage::LightlyAsleep | Stage::InOnce | Stage::LeavingOnce, _) => one(true),
            (Stage::Deciding, _) => ways(2),
            (Stage::Asleep, ins) => {
                let may_wake = self.waiting == Waiting::OneStep && thread.spurious_left > 0 && s.waiters.contains(&t);
                match ins {
                    Ins::WaitTimeout => ways(1 + usize::from(may_wake)),
                    _ => one(may_wake),
                }
            }
            (Stage::Relock, _) => one(!s.mutexes[0]),
            (_, Ins::Lock(m)) => one(!s.mutexes[m]),
            (_, Ins::Read(r)) => one(!s.writer[r] && s.announced[r].is_none()),
            (_, Ins::Write(0)) => one(!s.writer[0] && s.readers[0] == 0),
            (_, Ins::Write(r)) => one(!s.writer[r] && s.announced[r].is_none()),
            (_, Ins::Park) => one(s.tokens[t]),
            (_, Ins::Await(x, v) | Ins::Spin(x, v) | Ins::SpinCas(x, v, _)) => one(s.atomics[x] == v),
            (Stage::Start, Ins::AwaitAll(_, v) | Ins::SpinAll(_, v)) => one(s.atomics[0] == v),
            (_, Ins::BitLock | Ins::BitWait) => one(!s.bit),
            (_, Ins::Once) => one(s.once != OnceState::Running),
            (_, Ins::Join(child)) => one(self.has_ended(s, child)),
            (_, Ins::Choose(n)) => ways(n as usize),
            (_, Ins::CasWeak(x, old, _)) if s.atomics[x] == old && thread.weak_left > 0 => ways(2),
            (_, Ins::NotifyOne) if !s.waiters.is_empty() => {
                s.waiters.iter().map(|&w| Move { thread: t, choice: w }).collect()
            }
            _ => one(true),
        }
    }

    /// Whether this step may be put off for ever: reading in vain, and waking without a reason.
    pub(super) fn may_be_left_out(&self, s: &State, mv: &Move) -> bool {
        let thread = &s.threads[mv.thread];
        match self.next(s, mv.thread) {
            Some(Ins::AwaitAll(n, v) | Ins::SpinAll(n, v)) => s.atomics[..n].iter().any(|&x| x != v),
            Some(Ins::Wait) => thread.stage == Stage::Asleep,
            _ => false,
        }
    }
}
