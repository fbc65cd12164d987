//! Every schedule with at most `n` preemptions: plain depth-first search without reduction.
//!
//! A preemption is a switch away from a thread that could go on. Reduction and bound do not go together (an equivalent
//! schedule may need more preemptions than the one left out), so this strategy counts schedules, not Mazurkiewicz
//! traces.

use super::tree::Advance;
use crate::engine::op::Tid;

#[derive(Default)]
pub(crate) struct Bounded {
    pub most: u32,
    path: Vec<Frame>,
    used: u32,
    depth: usize,
}

struct Frame {
    options: Vec<(Tid, u16)>,
    at: usize,
    preemptions_before: u32,
}

impl Bounded {
    pub(crate) fn new(most: u32) -> Bounded {
        Bounded { most, ..Bounded::default() }
    }

    pub(crate) fn start(&mut self) {
        self.used = 0;
        self.depth = 0;
    }

    /// The option for this step. `running` is the current thread when it could go on; `options` has its options first.
    pub(crate) fn pick(&mut self, running: Option<Tid>, options: &mut Vec<(Tid, u16)>) -> (Tid, u16) {
        if self.depth == self.path.len() {
            if self.used >= self.most
                && let Some(tid) = running
            {
                options.retain(|&(t, _)| t == tid);
            }
            self.path.push(Frame { options: options.clone(), at: 0, preemptions_before: self.used });
        }
        let frame = &self.path[self.depth];
        let picked = frame.options[frame.at.min(frame.options.len() - 1)];
        self.used = frame.preemptions_before + u32::from(running.is_some_and(|tid| tid != picked.0));
        self.depth += 1;
        picked
    }

    /// Goes to the next schedule.
    pub(crate) fn advance(&mut self) -> Advance {
        while let Some(frame) = self.path.last_mut() {
            frame.at += 1;
            if frame.at < frame.options.len() {
                return Advance::Ready;
            }
            self.path.pop();
        }
        Advance::Done
    }
}
