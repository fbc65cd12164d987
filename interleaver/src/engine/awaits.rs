//! `spin_until`: conditions that are evaluated while their thread waits, and threads that wait for a change.
//!
//! A condition that reads one location is one step, taken when it holds; looking at it makes no events (`glance`). Any
//! other is run step by step.

use super::exec::{Condition, PeekOutcome, Peeking, Phase, Status};
use super::handle::Handle;
use super::op::{Class, EventId, Kind, ObjId, Op, Place, Tid};
use super::rt::{Mode, Orders, exec, mode, publish, runtime, step, try_runtime};

/// The payload that ends the evaluation of a condition which must be run step by step.
struct TooComplex;

/// An access of an atomic inside a condition: it makes no event.
pub(super) fn peek_atomic(handle: &Handle, kind: Kind, a: u64, orders: Orders, place: Place) -> u64 {
    let exec = exec();
    let id = handle.id(exec, place);
    let current = exec.obj(id).val;
    let tid = exec.current;
    let Some(peeking) = &mut exec.peeking else { return current };
    let known = *peeking.read.get_or_insert(id);
    if known != id {
        too_complex();
    }
    let value = peeking.instead.unwrap_or(current);
    match kind {
        Kind::Load => {}
        Kind::Cas | Kind::CasWeak if value != a => {}
        _ => too_complex(),
    }
    if peeking.outcome == PeekOutcome::Committed {
        let order = if kind == Kind::Load { orders.success } else { orders.failure };
        exec.happens.load(tid, id, order);
    }
    value
}

/// Ends the evaluation of a condition that must be run step by step.
pub(crate) fn too_complex() -> ! {
    std::panic::resume_unwind(Box::new(TooComplex))
}

/// What looking at a condition showed.
///
/// The first location that a condition reads does not depend on what other threads did, so the thread can wait at it,
/// whatever the condition goes on to do.
#[derive(Clone, Copy)]
struct Glance {
    first: Option<ObjId>,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Fails,
    /// It reads a second location or writes: it must be run step by step.
    Complex,
}

/// A condition of `spin_until`.
type Cond = dyn FnMut() -> bool + 'static;

/// Evaluates a condition without events. `instead` replaces the value of the location that it reads.
fn glance(tid: Tid, call: *mut Cond, instead: Option<u64>, outcome: PeekOutcome) -> Glance {
    let exec = exec();
    let before = std::mem::replace(&mut exec.current, tid);
    exec.peeking = Some(Peeking { read: None, instead, outcome });
    // SAFETY: the condition lives in the frame of `spin_until`, whose thread is this one or is suspended inside it.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| unsafe { (*call)() }));
    let exec = self::exec();
    exec.current = before;
    let first = exec.peeking.take().and_then(|p| p.read);
    let verdict = match result {
        Ok(true) => Verdict::Holds,
        Ok(false) => Verdict::Fails,
        Err(_) => Verdict::Complex,
    };
    Glance { first, verdict }
}

/// Waits until a condition holds, without a step for each time that it does not.
pub(crate) fn spin_until(cond: &mut dyn FnMut() -> bool, place: Place) {
    match mode() {
        Mode::Event => {}
        Mode::Peeking => too_complex(),
        Mode::Leaving => return,
    }
    // SAFETY: only the lifetime changes; `awaited` is cleared before this frame ends, unwinding included, because a
    // thread that is not pending is never asked for its condition.
    let call: *mut Cond = unsafe { std::mem::transmute(std::ptr::from_mut(cond)) };
    let me = exec().current;
    let Glance { first, verdict } = glance(me, call, None, PeekOutcome::Simple);
    match (first, verdict) {
        (None, Verdict::Holds) => return,
        (None, Verdict::Complex) => {}
        (None, Verdict::Fails) => {
            await_condition(me, call, ObjId::NONE, Condition { call, ready: false, seen: EventId::NONE }, place);
            return;
        }
        (Some(obj), verdict) => {
            let seen = exec().obj(obj).last_change;
            await_condition(me, call, obj, Condition { call, ready: verdict != Verdict::Fails, seen }, place);
            if exec().status != Status::Running
                || glance(me, call, None, PeekOutcome::Committed).verdict != Verdict::Complex
            {
                return;
            }
        }
    }
    spin_stepwise(call, place);
}

fn await_condition(me: Tid, call: *mut Cond, obj: ObjId, condition: Condition, place: Place) {
    let rt = runtime();
    rt.awaiting += 1;
    rt.exec.thread_mut(me).awaited = Some(condition);
    let guard = AwaitGuard(me);
    publish(Op { kind: Kind::Await, obj, a: 0, b: 0, place });
    drop(guard);
    let exec = exec();
    if exec.status != Status::Running {
        return;
    }
    let id = EventId(exec.events.len() as u32);
    if exec.plan.wants_races(id) {
        note_truths(me, call, obj, id);
    }
    self::exec().perform();
}

/// Forgets the condition when the wait is over, or unwound.
struct AwaitGuard(Tid);

impl Drop for AwaitGuard {
    fn drop(&mut self) {
        if let Some(rt) = try_runtime() {
            rt.awaiting -= 1;
            rt.exec.thread_mut(self.0).awaited = None;
        }
    }
}

/// Notes for every value that the location has had whether the condition would have held.
fn note_truths(me: Tid, call: *mut Cond, obj: ObjId, id: EventId) {
    if obj == ObjId::NONE {
        return;
    }
    let mut values = std::mem::take(&mut exec().scratch.values);
    values.clear();
    values.push(exec().obj(obj).init);
    let mut at = exec().obj(obj).last_link;
    while at != super::exec::NO_LINK {
        let link = exec().links[at as usize];
        if link.class != Class::Read {
            values.push(exec().events[link.event.index()].after);
        }
        at = link.prev;
    }
    values.sort_unstable();
    values.dedup();
    for &value in &values {
        let truth = glance(me, call, Some(value), PeekOutcome::Simple).verdict != Verdict::Fails;
        exec().truths.push((id, value, truth));
    }
    exec().scratch.values = values;
}

/// Before the races of a deadlock: the truths of all conditions that are still waited for.
pub(super) fn refresh_truths() {
    let id = EventId(exec().events.len() as u32);
    for index in 0..exec().spawned.len() {
        let tid = exec().spawned[index];
        let thread = exec().thread(tid);
        if thread.phase == Phase::Pending
            && let Some(condition) = thread.awaited
        {
            note_truths(tid, condition.call, thread.pending.obj, id);
        }
    }
}

/// Looks again at the conditions whose location has changed.
pub(super) fn refresh_awaits() {
    if runtime().awaiting == 0 {
        return;
    }
    for index in 0..exec().spawned.len() {
        let exec = exec();
        let tid = exec.spawned[index];
        let thread = exec.thread(tid);
        let Some(condition) = thread.awaited else { continue };
        let obj = thread.pending.obj;
        if thread.phase != Phase::Pending || obj == ObjId::NONE || exec.obj(obj).last_change == condition.seen {
            continue;
        }
        let seen = exec.obj(obj).last_change;
        let ready = glance(tid, condition.call, None, PeekOutcome::Simple).verdict != Verdict::Fails;
        self::exec().thread_mut(tid).awaited = Some(Condition { call: condition.call, ready, seen });
    }
}

fn spin_stepwise(call: *mut Cond, place: Place) {
    loop {
        let start = exec().events.len();
        // SAFETY: the condition lives in the caller's frame and nobody else runs it now.
        if unsafe { (*call)() } || exec().status != Status::Running {
            return;
        }
        wait_for_change(start, place);
    }
}

/// Waits until something that this thread has read since event `start` is changed.
pub(crate) fn wait_for_change(start: usize, place: Place) {
    let exec = exec();
    let me = exec.current;
    let mut reads = std::mem::take(&mut exec.thread_mut(me).reads);
    exec.collect_reads(me, start, &mut reads);
    exec.thread_mut(me).reads = reads;
    step(Kind::Yield, ObjId::NONE, 0, 0, place);
}
