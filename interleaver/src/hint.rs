//! Hints to the scheduler: spinning, and choices that the environment makes.

use crate::engine::awaits;
use crate::engine::op::{EventId, Kind, ObjId, Place};
use crate::engine::rt::{self, Mode};
use std::panic::Location;

/// As [`crate::thread::yield_now`].
#[track_caller]
pub fn spin_loop() {
    let place = Location::caller();
    match rt::mode() {
        Mode::Event => spin_here(place),
        Mode::Peeking | Mode::Leaving => {}
    }
}

/// Waits if this thread was here before and nothing has happened to it since.
pub(crate) fn spin_here(place: Place) {
    let exec = rt::exec();
    let me = exec.current;
    let start = exec.thread(me).spin.since;
    let signature = exec.spin_signature(me, start, place);
    let spin = &mut exec.thread_mut(me).spin;
    let again = signature.is_some() && spin.signature == signature;
    spin.signature = signature;
    if again {
        awaits::wait_for_change(start as usize, place);
    }
    let exec = rt::exec();
    exec.thread_mut(me).spin.since = exec.events.len() as u32;
}

/// Waits until `cond` holds. Times at which it does not are no steps, so waiting costs no executions.
///
/// A condition that reads one atomic is one step, taken in a state in which it holds. One that reads more is run step
/// by step, and again when something that it read has changed.
#[track_caller]
pub fn spin_until(mut cond: impl FnMut() -> bool) {
    awaits::spin_until(&mut cond, Location::caller());
}

/// One of `0..count`; every one of them is explored.
///
/// # Panics
/// If `count` is zero or more than 65,535.
#[track_caller]
pub fn choose(count: usize) -> usize {
    assert!((1..=usize::from(u16::MAX)).contains(&count), "choose wants 1 to 65535 possibilities, got {count}");
    let place = Location::caller();
    match rt::mode() {
        Mode::Event if count > 1 => rt::step(Kind::Choose, ObjId::NONE, count as u64, 0, place) as usize,
        Mode::Event | Mode::Leaving => 0,
        Mode::Peeking => awaits::too_complex(),
    }
}

/// What a thread remembers of its last visit to a spin hint.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spin {
    /// The first event after it.
    pub since: u32,
    pub signature: Option<u64>,
}

impl crate::engine::exec::Exec {
    /// A number for what the thread has read since event `start`; `None` when it made progress or read nothing.
    fn spin_signature(&self, tid: crate::engine::op::Tid, start: u32, place: Place) -> Option<u64> {
        let mut hash = std::ptr::from_ref(place).addr() as u64;
        let mut any = None;
        for event in self.events[start as usize..].iter().filter(|e| e.tid == tid) {
            let changed = event.kind != Kind::Load && event.after != event.result;
            let writes =
                matches!(event.kind, Kind::Store | Kind::Rmw | Kind::Add | Kind::Choose | Kind::Unpark | Kind::Park);
            if writes || (changed && matches!(event.kind, Kind::Cas | Kind::CasWeak)) {
                return None;
            }
            if event.kind == Kind::Yield {
                continue;
            }
            for part in [event.kind as u64, u64::from(event.obj.0), event.result] {
                hash = (hash ^ part).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
            }
            any = Some(EventId(0));
        }
        any.map(|_| hash)
    }
}
