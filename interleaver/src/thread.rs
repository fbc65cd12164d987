//! Threads of the code under test: `spawn`, `scope`, `Builder`, `park`, names.

use crate::engine::awaits;
use crate::engine::coro::Seat;
use crate::engine::exec::{Phase, Status};
use crate::engine::op::{Kind, ObjId, Tid};
use crate::engine::rt::{self, Mode};
use crate::report::Reason;
use std::any::Any;
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::thread::Result as ThreadResult;

pub use crate::local::LocalKey;

/// A thread of the model.
#[derive(Clone, Debug)]
pub struct Thread {
    tid: Tid,
    name: Option<String>,
}

/// A thread's identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ThreadId(Tid);

impl Thread {
    /// Its identity.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        ThreadId(self.tid)
    }

    /// Its name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Lets the thread's next `park` return, now or later.
    #[track_caller]
    pub fn unpark(&self) {
        let place = Location::caller();
        if let Mode::Event = rt::mode() {
            let parker = rt::exec().parker(self.tid);
            rt::step(Kind::Unpark, parker, 0, 0, place);
        }
    }
}

/// The thread that runs.
///
/// # Panics
/// Outside a model.
#[must_use]
#[track_caller]
pub fn current() -> Thread {
    let exec = rt::exec();
    let tid = exec.current;
    Thread { tid, name: exec.thread(tid).name.clone() }
}

/// Waits for an `unpark` of this thread.
#[track_caller]
pub fn park() {
    let place = Location::caller();
    if let Mode::Event = rt::mode() {
        let exec = rt::exec();
        let parker = exec.parker(exec.current);
        rt::step(Kind::Park, parker, 0, 0, place);
    }
}

/// Whether the running thread unwinds. (The function of that name in the standard library says it of the OS thread, on
/// which all threads of a model run.)
#[must_use]
pub fn panicking() -> bool {
    rt::panicking()
}

/// Says that going on is pointless until another thread has run.
///
/// The first time, this does nothing. A thread that comes to the same `yield_now` again having read the same values and
/// written nothing is taken to spin: it waits until something that it read is changed, or nothing else can run. For a
/// loop that tries a number of times and gives up, this leaves out executions that give up early; `spin_until` has no
/// such rule.
#[track_caller]
pub fn yield_now() {
    let place = Location::caller();
    match rt::mode() {
        Mode::Event => crate::hint::spin_here(place),
        Mode::Peeking | Mode::Leaving => {}
    }
}

/// Waits for a thread and takes its result.
#[derive(Debug)]
pub struct JoinHandle<T> {
    thread: Thread,
    result: PhantomData<fn() -> T>,
}

impl<T: 'static> JoinHandle<T> {
    /// Waits for the thread to end. A panic of the thread is an error here if the check tolerates panics; else it has
    /// ended the execution.
    ///
    /// # Errors
    /// The payload of the thread's panic.
    #[track_caller]
    pub fn join(self) -> ThreadResult<T> {
        join_tid(self.thread.tid, Location::caller());
        take_result(self.thread.tid)
    }

    /// The thread.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}

fn take_result<T: 'static>(tid: Tid) -> ThreadResult<T> {
    let lost = || -> Box<dyn Any + Send> { Box::new("the execution is over") };
    let Some(runtime) = rt::try_runtime() else { return Err(lost()) };
    let seat = runtime.pool.seat(tid);
    runtime.exec.thread_mut(tid).collected = true;
    // SAFETY: the handle's type is that of the closure which `start` put there; it is consumed, so this happens once.
    let result = unsafe { seat.result.take::<ThreadResult<T>>() };
    result.unwrap_or_else(|| Err(lost()))
}

#[track_caller]
fn join_tid(tid: Tid, place: crate::engine::op::Place) {
    match rt::mode() {
        Mode::Event => {}
        Mode::Peeking => awaits::too_complex(),
        Mode::Leaving => return,
    }
    let exec = rt::exec();
    if exec.thread(tid).phase == Phase::Finished {
        exec.join_thread(exec.current, tid);
    } else {
        rt::wait_locally(Kind::Join, ObjId::NONE, u64::from(tid.0), place);
    }
}

/// Spawns a thread of the model.
///
/// # Panics
/// Outside a model, or with more threads than a check supports.
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    start(f, None, Location::caller())
}

fn start<F, T>(f: F, name: Option<String>, place: crate::engine::op::Place) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    if let Mode::Peeking = rt::mode() {
        awaits::too_complex();
    }
    let runtime = rt::runtime();
    let Some(tid) = runtime.exec.spawn(place) else {
        let message = format!("more than {} threads", Tid::LIMIT);
        runtime.exec.fail(Reason::Misuse { message });
        rt::abandon();
    };
    runtime.exec.thread_mut(tid).name.clone_from(&name);
    runtime.pool.seat(tid).assign(move || {
        let result = catch_unwind(AssertUnwindSafe(f));
        crate::local::drop_all(tid);
        finish(tid, result);
    });
    JoinHandle { thread: Thread { tid, name }, result: PhantomData }
}

/// Leaves the result where `join` finds it; passes on a panic that the check does not tolerate.
fn finish<T: 'static>(tid: Tid, result: ThreadResult<T>) {
    let runtime = rt::runtime();
    let over = runtime.exec.status != Status::Running;
    match result {
        Err(payload) if over || !runtime.exec.limits.tolerate_panics => resume_unwind(payload),
        Err(payload) => {
            runtime.exec.thread_mut(tid).panicked = true;
            let seat: &mut Seat = runtime.pool.seat(tid);
            seat.result.put::<ThreadResult<T>>(Err(payload));
        }
        ok => runtime.pool.seat(tid).result.put::<ThreadResult<T>>(ok),
    }
}

/// A thread to be, with a name.
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
}

impl Builder {
    /// No name yet.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the thread; the name heads its column in a failure.
    #[must_use]
    pub fn name(mut self, name: String) -> Builder {
        self.name = Some(name);
        self
    }

    /// Accepted for compatibility; the stack size is that of the check.
    #[must_use]
    pub fn stack_size(self, _bytes: usize) -> Builder {
        self
    }

    /// Spawns the thread.
    ///
    /// # Errors
    /// Never; the signature is that of the standard library.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(start(f, self.name, Location::caller()))
    }
}

/// Threads that may borrow from the frame that spawns them.
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    threads: std::cell::RefCell<Vec<Tid>>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Waits for a scoped thread and takes its result.
#[derive(Debug)]
pub struct ScopedJoinHandle<'scope, T> {
    thread: Thread,
    result: PhantomData<&'scope T>,
}

/// Runs `f`, then waits for all threads that it spawned in the scope.
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { threads: std::cell::RefCell::default(), scope: PhantomData, env: PhantomData };
    let place = Location::caller();
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    let mut panicked = false;
    let mut index = 0;
    loop {
        let tid = scope.threads.borrow().get(index).copied();
        let Some(tid) = tid else { break };
        index += 1;
        wait_scoped(tid, place);
        if let Some(runtime) = rt::try_runtime() {
            let thread = runtime.exec.thread(tid);
            panicked |= thread.panicked && !thread.collected;
        }
    }
    match result {
        Ok(value) if panicked => {
            drop(value);
            panic!("a scoped thread panicked")
        }
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    }
}

/// Waits for a scoped thread even when the execution is over: its frame borrows from the one below.
fn wait_scoped(tid: Tid, place: crate::engine::op::Place) {
    let waited = catch_unwind(AssertUnwindSafe(|| join_tid(tid, place)));
    if let Some(runtime) = rt::try_runtime()
        && runtime.exec.status != Status::Running
    {
        rt::unwind_now(tid);
    }
    if let Err(payload) = waited {
        resume_unwind(payload);
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Spawns a thread that ends before the scope does.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let place = Location::caller();
        let runtime = rt::runtime();
        let Some(tid) = runtime.exec.spawn(place) else {
            let message = format!("more than {} threads", Tid::LIMIT);
            runtime.exec.fail(Reason::Misuse { message });
            rt::abandon();
        };
        self.threads.borrow_mut().push(tid);
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(f));
            crate::local::drop_all(tid);
            finish_scoped(tid, result);
        };
        let boxed: Box<dyn FnOnce() + 'scope> = Box::new(job);
        // SAFETY: only the lifetime changes. `scope` does not return before the thread has ended (`wait_scoped`), and a
        // job that never began is dropped with the execution, before the frame of `scope` is left.
        let job: Box<dyn FnOnce() + 'static> = unsafe { std::mem::transmute(boxed) };
        runtime.pool.seat(tid).assign(job);
        ScopedJoinHandle { thread: Thread { tid, name: None }, result: PhantomData }
    }
}

fn finish_scoped<T>(tid: Tid, result: ThreadResult<T>) {
    let runtime = rt::runtime();
    let over = runtime.exec.status != Status::Running;
    match result {
        Err(payload) if over || !runtime.exec.limits.tolerate_panics => resume_unwind(payload),
        result => {
            runtime.exec.thread_mut(tid).panicked = result.is_err();
            runtime.pool.seat(tid).result.put::<ThreadResult<T>>(result);
        }
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the thread to end.
    ///
    /// # Errors
    /// The payload of the thread's panic, if the check tolerates panics.
    #[track_caller]
    pub fn join(self) -> ThreadResult<T> {
        join_tid(self.thread.tid, Location::caller());
        let tid = self.thread.tid;
        let lost = || -> Box<dyn Any + Send> { Box::new("the execution is over") };
        let Some(runtime) = rt::try_runtime() else { return Err(lost()) };
        runtime.exec.thread_mut(tid).collected = true;
        // SAFETY: as in `take_result`.
        let result = unsafe { runtime.pool.seat(tid).result.take::<ThreadResult<T>>() };
        result.unwrap_or_else(|| Err(lost()))
    }

    /// The thread.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}
