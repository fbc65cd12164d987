//! The door between the code under test and the engine: what every operation of every object goes through.
//!
//! # Steps of a visible operation
//!
//! ```text
//!   publish the operation -> decide -> (switch away, come back when chosen) -> perform -> local code
//! ```
//!
//! # Invariants
//! - T1. A reference to the runtime is never held across `switch` or across user code.
//! - T2. Once an execution is over, operations of its threads make no events: they unwind, or, while unwinding, do
//!   the least that lets destructors run (`Mode::Leaving`).

use super::coro::{Pool, Seat};
use super::exec::{Exec, PeekOutcome, Phase, Status};
use super::op::{Kind, ObjId, ObjKind, Op, Place, Tid};
use super::spin::{refresh_awaits, refresh_truths, too_complex};
use crate::report::Reason;
use crate::search::decide::Next;
use crate::search::plan::{Plan, Strategy};
use std::any::Any;
use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64 as StdAtomicU64, Ordering};

/// One worker's engine.
pub(crate) struct Runtime {
    pub exec: Exec,
    pub pool: Pool,
    pub awaiting: u32,
}

thread_local! {
    static CURRENT: Cell<*mut Runtime> = const { Cell::new(std::ptr::null_mut()) };
}

/// The payload with which threads of a finished execution are unwound.
pub(crate) struct Abandoned;

/// How an operation is to be treated.
pub(crate) enum Mode {
    /// As an event.
    Event,
    /// Inside the evaluation of a `spin_until` condition.
    Peeking,
    /// The execution is over, or there is none; do the least.
    Leaving,
}

const OUTSIDE: &str = "an interleaver object was used outside a model: run the code inside `interleaver::model`";
const OPS_WHILE_LEAVING: u32 = 10_000;

impl Runtime {
    pub(crate) fn new(exec: Exec, stack_bytes: usize) -> Runtime {
        Runtime { exec, pool: Pool::borrow(stack_bytes), awaiting: 0 }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        std::mem::take(&mut self.pool).give_back();
        let nothing = Exec::new(self.exec.limits, Plan::new(Strategy::Away));
        std::mem::replace(&mut self.exec, nothing).give_back();
    }
}

/// The runtime of the present execution, if there is one.
///
/// The reference must end before user code runs or another thread is switched to (T1).
pub(crate) fn try_runtime() -> Option<&'static mut Runtime> {
    let at = CURRENT.get();
    // SAFETY: `run_once` sets the pointer for as long as the runtime lives and is used by this OS thread only; T1 keeps
    // references from overlapping.
    (!at.is_null()).then(|| unsafe { &mut *at })
}

#[track_caller]
pub(crate) fn runtime() -> &'static mut Runtime {
    match try_runtime() {
        Some(runtime) => runtime,
        None => panic!("{OUTSIDE}"),
    }
}

pub(crate) fn exec() -> &'static mut Exec {
    &mut runtime().exec
}

/// The identity of an object: where it stands in the table of the present execution.
pub(crate) struct Handle {
    /// Execution and index; an execution that is not the present one means "register again".
    key: StdAtomicU64,
    init: StdAtomicU64,
    kind: ObjKind,
    label: Cell<Option<&'static str>>,
}

// SAFETY: `label` is written only through `&mut` or before the handle is shared (`set_label` takes `&mut self`).
unsafe impl Sync for Handle {}

const INDEX_BITS: u32 = 24;

impl Handle {
    /// A handle that finds its object at the first use.
    pub(crate) const fn lazy(kind: ObjKind, init: u64) -> Handle {
        Handle { key: StdAtomicU64::new(0), init: StdAtomicU64::new(init), kind, label: Cell::new(None) }
    }

    /// A handle whose object is made now, if a model runs.
    pub(crate) fn new(kind: ObjKind, init: u64, place: Place) -> Handle {
        let handle = Handle::lazy(kind, init);
        if let Some(rt) = try_runtime()
            && rt.exec.status == Status::Running
        {
            let id = rt.exec.add_object(kind, init, place);
            handle.remember(&rt.exec, id);
        }
        handle
    }

    pub(crate) fn set_label(&mut self, label: &'static str) {
        self.label.set(Some(label));
        if let Some(rt) = try_runtime() {
            let id = self.id(&mut rt.exec, Location::caller());
            rt.exec.obj_mut(id).label = Some(label);
        }
    }

    /// Says what the code calls the object from now on, and how its values read; only replays keep it.
    pub(crate) fn describe(&self, name: std::fmt::Arguments<'_>, value: fn(u64) -> String) {
        if let Some(rt) = try_runtime()
            && rt.exec.is_told()
        {
            let id = self.id(&mut rt.exec, Location::caller());
            rt.exec.describe(id, name, value);
        }
    }

    fn remember(&self, exec: &Exec, id: ObjId) {
        // ORDER none: an object is used by one OS thread at a time; a static shared by workers is found by its address.
        self.key.store(exec.epoch << INDEX_BITS | u64::from(id.0), Ordering::Relaxed);
    }

    pub(crate) fn id(&self, exec: &mut Exec, place: Place) -> ObjId {
        // ORDER none: as in `remember`.
        let key = self.key.load(Ordering::Relaxed);
        if key >> INDEX_BITS == exec.epoch {
            return ObjId((key & ((1 << INDEX_BITS) - 1)) as u32);
        }
        // ORDER none: the initial value changes only through `&mut`.
        let init = self.init.load(Ordering::Relaxed);
        let id = exec.add_lazy_object(self.kind, init, std::ptr::from_ref(self).addr(), place);
        exec.obj_mut(id).label = self.label.get();
        self.remember(exec, id);
        id
    }

    /// The value outside any schedule: for `&mut` access, for debugging, and when no model runs.
    pub(crate) fn raw_value(&self) -> u64 {
        match try_runtime() {
            Some(rt) => {
                let id = self.id(&mut rt.exec, Location::caller());
                rt.exec.obj(id).val
            }
            // ORDER none: no model runs.
            None => self.init.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn set_raw_value(&mut self, value: u64) {
        match try_runtime() {
            Some(rt) => {
                let id = self.id(&mut rt.exec, Location::caller());
                rt.exec.obj_mut(id).val = value;
            }
            None => *self.init.get_mut() = value,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(rt) = try_runtime()
            && !rt.exec.lazy.is_empty()
            && *self.key.get_mut() >> INDEX_BITS == rt.exec.epoch
        {
            let id = self.id(&mut rt.exec, Location::caller());
            rt.exec.object_dropped(id);
        }
    }
}

/// Decides how an operation is treated; unwinds a thread whose execution is over.
#[track_caller]
pub(crate) fn mode() -> Mode {
    let Some(rt) = try_runtime() else {
        if std::thread::panicking() {
            return Mode::Leaving;
        }
        panic!("{OUTSIDE}");
    };
    if rt.exec.status == Status::Running {
        let looks = rt.exec.aside || rt.exec.peeking.is_some();
        return if looks { Mode::Peeking } else { Mode::Event };
    }
    leave(rt)
}

#[cold]
fn leave(rt: &mut Runtime) -> Mode {
    rt.exec.unwinding_ops += 1;
    if rt.exec.unwinding_ops > OPS_WHILE_LEAVING {
        let tid = rt.exec.current;
        let seat: *mut Seat = rt.pool.seat(tid);
        // SAFETY: seats are boxed and outlive the execution; no other reference to this one is alive.
        unsafe { (*seat).give_up() }
    }
    if rt.exec.quiet || panicking() {
        return Mode::Leaving;
    }
    abandon()
}

/// Unwinds the running thread: its execution is over.
pub(crate) fn abandon() -> ! {
    let exec = exec();
    let me = exec.current;
    exec.thread_mut(me).unwinding = true;
    std::panic::resume_unwind(Box::new(Abandoned))
}

/// Whether the running thread of the model unwinds. The standard library knows only whether one of the threads on this
/// OS thread does; it may be another one, whose destructors take steps.
///
/// If nobody is known to have begun, it is this thread, by `resume_unwind`. A thread that catches its own panic while
/// another unwinds is taken to unwind until both have stopped.
pub(crate) fn panicking() -> bool {
    let somebody = std::thread::panicking();
    let Some(rt) = try_runtime() else { return somebody };
    let exec = &mut rt.exec;
    let me = exec.current;
    if !somebody {
        exec.thread_mut(me).unwinding = false;
        return false;
    }
    exec.thread(me).unwinding || !exec.spawned.iter().any(|&t| exec.thread(t).unwinding)
}

/// Runs `f` without steps: loads and plain reads see the present values, and order nothing.
pub(crate) fn aside<R>(f: impl FnOnce() -> R) -> R {
    let was = try_runtime().map(|rt| std::mem::replace(&mut rt.exec.aside, true));
    let result = f();
    if let Some((rt, was)) = try_runtime().zip(was) {
        rt.exec.aside = was;
    }
    result
}

/// Publishes the operation and waits until this thread is chosen to take it.
pub(super) fn publish(op: Op) {
    let rt = runtime();
    let me = rt.exec.current;
    rt.exec.thread_mut(me).pending = op;
    if rt.awaiting == 0 && rt.exec.goes_on_again(me) {
        return;
    }
    rt.exec.thread_mut(me).phase = Phase::Pending;
    hand_over(me);
    self::exec().thread_mut(me).phase = Phase::Local;
}

/// Lets the scheduler choose; comes back when this thread is to go on.
fn hand_over(me: Tid) {
    refresh_awaits();
    let next = decide();
    if next != Next::Thread(me) {
        let seat: *const Seat = runtime().pool.seat(me);
        // SAFETY: seats are boxed and live as long as the pool; the shared use ends when the thread is resumed.
        unsafe { (*seat).switch(next) };
    }
    let rt = runtime();
    if rt.exec.status != Status::Running {
        rt.exec.current = me;
        leave(rt);
    }
}

fn decide() -> Next {
    match runtime().exec.decide() {
        Next::Stuck => {
            if runtime().exec.plan.is_search() {
                refresh_truths();
            }
            runtime().exec.conclude_stuck()
        }
        next => next,
    }
}

/// Takes one step that touches a lock, condvar, counter or nothing.
pub(crate) fn step(kind: Kind, obj: ObjId, a: u64, b: u64, place: Place) -> u64 {
    publish(Op { kind, obj, a, b, place });
    let exec = exec();
    if exec.status != Status::Running {
        return 0;
    }
    exec.perform()
}

/// As `step`, for an object given by its handle. While leaving it does nothing and returns `None`.
#[track_caller]
pub(crate) fn step_on(handle: &Handle, kind: Kind, a: u64, b: u64) -> Option<u64> {
    let place = Location::caller();
    match mode() {
        Mode::Event => {
            let id = handle.id(exec(), place);
            let releases = matches!(kind, Kind::Unlock | Kind::ReadUnlock | Kind::WriteUnlock);
            let place = if releases { exec().release_place(id, place) } else { place };
            Some(step(kind, id, a, b, place))
        }
        Mode::Peeking => too_complex(),
        Mode::Leaving => None,
    }
}

/// Orderings of one atomic operation.
#[derive(Clone, Copy)]
pub(crate) struct Orders {
    pub success: Ordering,
    pub failure: Ordering,
}

impl Orders {
    pub(crate) fn both(order: Ordering) -> Orders {
        Orders { success: order, failure: Ordering::Relaxed }
    }
}

/// Takes one step of an atomic; returns the old value.
#[track_caller]
pub(crate) fn atomic(handle: &Handle, kind: Kind, a: u64, b: u64, orders: Orders, new: impl FnOnce(u64) -> u64) -> u64 {
    let place = Location::caller();
    match mode() {
        Mode::Event => {
            let obj = handle.id(exec(), place);
            if exec().is_alone(kind, obj) {
                return exec().perform_alone(kind, obj, a, orders, new);
            }
            publish(Op { kind, obj, a, b, place });
            let exec = exec();
            if exec.status != Status::Running {
                return exec.obj(obj).val;
            }
            exec.perform_atomic(orders.success, orders.failure, new)
        }
        Mode::Peeking => peek_atomic(handle, kind, a, orders, place),
        Mode::Leaving => leaving_atomic(handle, kind, a, new),
    }
}

/// Whether the weak CAS that the running thread just took failed although the value was as expected.
pub(crate) fn failed_spuriously() -> bool {
    let Some(rt) = try_runtime() else { return false };
    rt.exec.status == Status::Running && rt.exec.peeking.is_none() && rt.exec.choice == super::machine::SPURIOUS
}

fn leaving_atomic(handle: &Handle, kind: Kind, a: u64, new: impl FnOnce(u64) -> u64) -> u64 {
    let Some(rt) = try_runtime() else { return handle.raw_value() };
    let id = handle.id(&mut rt.exec, Location::caller());
    let obj = rt.exec.obj_mut(id);
    let old = obj.val;
    match kind {
        Kind::Load => {}
        Kind::Store => obj.val = a,
        Kind::Cas | Kind::CasWeak if old != a => {}
        _ => obj.val = new(old),
    }
    old
}

fn peek_atomic(handle: &Handle, kind: Kind, a: u64, orders: Orders, place: Place) -> u64 {
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

/// Waits without an event until somebody makes this thread runnable. The caller has published why.
pub(crate) fn wait_locally(kind: Kind, obj: ObjId, a: u64, place: Place) {
    let exec = exec();
    let me = exec.current;
    let thread = exec.thread_mut(me);
    thread.pending = Op { kind, obj, a, b: 0, place };
    thread.phase = Phase::Waiting;
    hand_over(me);
    self::exec().thread_mut(me).phase = Phase::Local;
}

/// A coroutine's job is over; says who goes on.
pub(crate) fn thread_ended(panic: Option<Box<dyn Any + Send>>) -> Next {
    let rt = runtime();
    let me = rt.exec.current;
    if rt.exec.status != Status::Running {
        return Next::End;
    }
    if let Some(payload) = panic {
        let message = message_of(&*payload);
        let place = rt.exec.thread(me).pending.place;
        return rt.exec.fail(Reason::panic(&rt.exec.thread_title(me), &message, &place.to_string()));
    }
    rt.exec.end_thread(me);
    refresh_awaits();
    decide()
}

pub(crate) fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not text".to_owned()
    }
}

/// Unwinds a thread that borrows from the frame of the thread that calls this; the execution is over.
pub(crate) fn unwind_now(tid: Tid) {
    let rt: *mut Runtime = runtime();
    // SAFETY: the other thread is suspended or never began; this one resumes it as the checker's loop would, and no
    // reference into the runtime is alive.
    unsafe {
        let me = (*rt).exec.current;
        (*rt).exec.current = tid;
        Pool::unwind(&raw mut (*rt).pool, tid);
        (*rt).exec.quiet = true;
        (*rt).pool.discard(tid);
        (*rt).exec.quiet = false;
        (*rt).exec.current = me;
    }
}

/// Runs one execution of `main` to its end.
pub(crate) fn run_once(rt: *mut Runtime, epoch: u64, main: fn(*const ()), argument: *const ()) {
    CURRENT.set(rt);
    // SAFETY: the caller's runtime is alive and used by this OS thread only; the reference ends here.
    unsafe {
        (*rt).exec.reset(epoch);
        (*rt).awaiting = 0;
        (*rt).pool.seat(Tid::MAIN).assign(move || main(argument));
    }
    let mut next = Next::Thread(Tid::MAIN);
    while let Next::Thread(tid) = next {
        // SAFETY: no reference into the runtime is alive.
        next = unsafe { Pool::resume(&raw mut (*rt).pool, tid) };
    }
    // SAFETY: as above; the list of threads does not change while they are unwound.
    unsafe {
        let spawned = &(*rt).exec.spawned;
        let count = spawned.len();
        for index in 0..count {
            let tid = (&(*rt).exec.spawned)[index];
            (*rt).exec.unwinding_ops = 0;
            (*rt).exec.current = tid;
            Pool::unwind(&raw mut (*rt).pool, tid);
        }
        (*rt).exec.quiet = true;
        for index in 0..count {
            let tid = (&(*rt).exec.spawned)[index];
            (*rt).pool.discard(tid);
        }
        (*rt).exec.quiet = false;
    }
    CURRENT.set(std::ptr::null_mut());
}
