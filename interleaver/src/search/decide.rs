//! The scheduler: who goes next, and when an execution is over.

use super::plan::{Fidelity, Strategy};
use super::tree::{Tree, Visit};
use crate::engine::again::Again;
use crate::engine::exec::{Exec, Phase, Status};
use crate::engine::op::{Effect, EventId, Kind, Step, Tid};
use crate::report::Reason;

/// Who runs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Thread(Tid),
    /// The execution is over; control goes back to the checker.
    End,
    /// Nobody can go: `conclude_stuck` is to be called.
    Stuck,
}

/// How many times threads that only spin may be let round when nothing else can run.
const IDLE_ROUNDS: u32 = 64;

/// Why no thread was picked.
enum Pick {
    Go(Tid, u16),
    Nobody,
    Stop(Status),
    Fail(Reason),
}

impl Exec {
    /// Called by the running thread when it has published its next operation, or has ended.
    pub(crate) fn decide(&mut self) -> Next {
        if self.status != Status::Running {
            return Next::End;
        }
        if let Some(tid) = self.runnable.pop() {
            self.current = tid;
            return Next::Thread(tid);
        }
        if self.events.len() as u32 >= self.limits.max_steps {
            return self.fail(self.livelock());
        }
        let picked = match self.next_again() {
            Again::Step(tid, choice) => Pick::Go(tid, choice),
            Again::Mismatch => Pick::Fail(self.not_again()),
            Again::Over => self.pick(),
        };
        match picked {
            Pick::Go(tid, choice) => {
                if self.plan.is_replay() && self.running().is_some_and(|running| running != tid) {
                    self.preemptions += 1;
                    self.preempting.push(self.events.len());
                }
                self.current = tid;
                self.choice = choice;
                Next::Thread(tid)
            }
            Pick::Nobody => self.nobody(),
            Pick::Stop(status) => {
                self.status = status;
                Next::End
            }
            Pick::Fail(reason) => self.fail(reason),
        }
    }

    /// The code does not do what it did before under the same schedule.
    fn not_again(&self) -> Reason {
        let depth = self.events.len();
        let step = match &self.plan.strategy {
            Strategy::Search(tree) => tree.chosen(depth),
            _ => None,
        };
        self.mismatch(depth, step.map(|s| s.tid), step)
    }

    pub(crate) fn fail(&mut self, reason: Reason) -> Next {
        if self.status == Status::Running {
            self.status = Status::Failed;
            let is_ones_own = !matches!(reason, Reason::Deadlock { .. } | Reason::Livelock { .. });
            self.failing = is_ones_own.then_some(self.current);
            self.reason = Some(reason);
        }
        Next::End
    }

    /// No visible operation can be taken: the end, threads that spin, or a deadlock.
    fn nobody(&mut self) -> Next {
        if self.spawned.iter().all(|&t| self.thread(t).phase == Phase::Finished) {
            self.status = Status::Finished;
            return Next::End;
        }
        let spinning = |x: &Exec, t: Tid| {
            let thread = x.thread(t);
            thread.phase == Phase::Pending && thread.pending.kind == Kind::Yield && !thread.forced
        };
        let idle: Vec<Tid> = self.spawned.iter().copied().filter(|&t| spinning(self, t)).collect();
        if !idle.is_empty() && self.idle_rounds < IDLE_ROUNDS {
            self.idle_rounds += 1;
            for tid in idle {
                self.thread_clock_joins_all(tid);
                self.thread_mut(tid).forced = true;
            }
            return self.decide();
        }
        Next::Stuck
    }

    /// Threads are blocked for ever: finds the races of what they wait for, and names the failure.
    pub(crate) fn conclude_stuck(&mut self) -> Next {
        if self.plan.is_search() {
            self.find_races_of_blocked();
        }
        let spins = |t: &&Tid| self.thread(**t).pending.kind == Kind::Yield && self.thread(**t).phase == Phase::Pending;
        let reason = if self.spawned.iter().any(|t| spins(&t)) { self.livelock() } else { self.deadlock() };
        self.fail(reason)
    }

    fn pick(&mut self) -> Pick {
        let mut strategy = std::mem::replace(&mut self.plan.strategy, Strategy::Away);
        let pick = match &mut strategy {
            Strategy::Search(tree) => self.pick_search(tree),
            Strategy::Replay(decisions, fidelity) => {
                let decision = decisions.get(self.plan.position).copied();
                self.plan.position += 1;
                self.pick_replay(decision, *fidelity, self.plan.position)
            }
            Strategy::Random(walk) => {
                let options = self.options();
                match options.as_slice() {
                    [] => Pick::Nobody,
                    some => {
                        walk.width *= some.len() as f64;
                        let (tid, choice) = some[walk.rng.below(some.len())];
                        Pick::Go(tid, choice)
                    }
                }
            }
            Strategy::Pct(pct) => {
                let enabled: Vec<Tid> = self.spawned.iter().copied().filter(|&t| self.enabled(t)).collect();
                if enabled.is_empty() {
                    Pick::Nobody
                } else {
                    let tid = pct.pick(self.events.len(), &enabled);
                    let mut alternatives = Vec::new();
                    self.alternatives(tid, &mut alternatives);
                    Pick::Go(tid, alternatives[pct.rng.below(alternatives.len())])
                }
            }
            Strategy::Bounded(bounded) => {
                let mut options = self.options();
                if options.is_empty() {
                    Pick::Nobody
                } else {
                    let (tid, choice) = bounded.pick(self.running(), &mut options);
                    Pick::Go(tid, choice)
                }
            }
            Strategy::Away => Pick::Nobody,
        };
        self.plan.strategy = strategy;
        pick
    }

    /// Everything that can be done now, the running thread's own steps first.
    fn options(&self) -> Vec<(Tid, u16)> {
        let mut options = Vec::new();
        let mut alternatives = Vec::new();
        let running = self.running();
        let others = self.spawned.iter().copied().filter(|&t| Some(t) != running);
        for tid in running.into_iter().chain(others) {
            if self.enabled(tid) {
                self.alternatives(tid, &mut alternatives);
                options.extend(alternatives.iter().map(|&c| (tid, c)));
            }
        }
        options
    }

    /// The running thread if it can go on, else the first that can.
    fn first_enabled(&self) -> Option<Tid> {
        self.running().or_else(|| self.spawned.iter().copied().find(|&t| self.enabled(t)))
    }

    fn pick_replay(&mut self, wanted: Option<super::plan::Decision>, fidelity: Fidelity, position: usize) -> Pick {
        let mut alternatives = Vec::new();
        if let Some(wanted) = wanted {
            let tid = self.spawned.get(usize::from(wanted.thread)).copied();
            if let Some(tid) = tid.filter(|&t| self.enabled(t)) {
                self.alternatives(tid, &mut alternatives);
                let choice = self.choice_from_record(tid, wanted.choice);
                if alternatives.contains(&choice) {
                    return Pick::Go(tid, choice);
                }
            }
            if fidelity == Fidelity::Exact {
                return Pick::Fail(self.mismatch(position - 1, tid, None));
            }
        }
        match self.first_enabled() {
            Some(tid) => {
                self.alternatives(tid, &mut alternatives);
                Pick::Go(tid, alternatives[0])
            }
            None => Pick::Nobody,
        }
    }

    fn pick_search(&mut self, tree: &mut Tree) -> Pick {
        let depth = self.events.len();
        if let Some(step) = tree.chosen(depth) {
            let first_time = tree.is_fresh(EventId(depth as u32));
            if !self.fits(&step) || (!first_time && self.effect_now(step.tid, step.choice) != step.effect) {
                return Pick::Fail(self.mismatch(depth, Some(step.tid), Some(step)));
            }
            if first_time {
                self.offer_alternatives(tree, depth, step.tid, step.choice);
            }
            return Pick::Go(step.tid, step.choice);
        }
        let place_holder = Step { tid: self.current, kind: Kind::Choose, choice: 0, effect: Effect::NOTHING };
        match tree.visit(place_holder) {
            Visit::Told(step) => {
                if !self.fits(&step) {
                    return Pick::Fail(self.mismatch(depth, Some(step.tid), Some(step)));
                }
                self.offer_alternatives(tree, depth, step.tid, step.choice);
                Pick::Go(step.tid, step.choice)
            }
            Visit::Free => self.pick_free(tree, depth),
        }
    }

    fn fits(&self, step: &Step) -> bool {
        self.enabled(step.tid) && self.thread(step.tid).pending.kind == step.kind
    }

    fn pick_free(&mut self, tree: &mut Tree, depth: usize) -> Pick {
        let mut alternatives = std::mem::take(&mut self.scratch.alternatives);
        let mut picked = None;
        let mut any_enabled = false;
        for index in 0..=self.spawned.len() {
            let tid = if index == 0 { self.current } else { self.spawned[index - 1] };
            if !self.enabled(tid) {
                continue;
            }
            any_enabled = true;
            self.alternatives(tid, &mut alternatives);
            let awake = alternatives.iter().find(|&&c| !tree.is_asleep(tid, c));
            if let Some(&choice) = awake {
                picked = Some((tid, choice));
                break;
            }
        }
        self.scratch.alternatives = alternatives;
        let Some((tid, choice)) = picked else {
            tree.forget_last();
            return if any_enabled { Pick::Stop(Status::Redundant) } else { Pick::Nobody };
        };
        tree.choose(Step { tid, kind: self.thread(tid).pending.kind, choice, effect: Effect::NOTHING });
        self.offer_alternatives(tree, depth, tid, choice);
        Pick::Go(tid, choice)
    }

    /// Other ways in which the chosen step could go are explored from here too.
    fn offer_alternatives(&mut self, tree: &mut Tree, depth: usize, tid: Tid, choice: u16) {
        let kind = self.thread(tid).pending.kind;
        if !kind.may_have_alternatives() {
            return;
        }
        let mut alternatives = std::mem::take(&mut self.scratch.alternatives);
        self.alternatives(tid, &mut alternatives);
        if alternatives.len() > 1 {
            tree.note_alternatives();
        }
        for &other in alternatives.iter().filter(|&&c| c != choice) {
            let effect = self.effect_now(tid, other);
            tree.insert(EventId(depth as u32), 0, &[Step { tid, kind, choice: other, effect }]);
        }
        self.scratch.alternatives = alternatives;
    }

    /// Choices that name a thread are recorded by order of spawning; this turns a record back.
    fn choice_from_record(&self, tid: Tid, recorded: u16) -> u16 {
        if self.thread(tid).pending.kind != Kind::NotifyOne {
            return recorded;
        }
        self.spawned.get(usize::from(recorded)).map_or(recorded, |t| u16::from(t.0))
    }
}
