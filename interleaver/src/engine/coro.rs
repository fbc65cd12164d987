//! Coroutines that outlive executions: one for each thread number, each on its own stack, running one job after
//! another.
//!
//! # Life of a coroutine
//!
//! ```text
//!   idle --resume--> job --switch--> suspended --resume--> job ... job ends --> idle
//!                                        \--(execution over) resume: unwinds, or gives up--> idle | leaked
//! ```
//!
//! # Invariants
//! - C1. A job is put into a slot only while its coroutine is idle, and taken out by the coroutine before it runs.
//! - C2. A stack whose job would not unwind is leaked, never reused: what it borrows or owns stays valid.

use super::op::Tid;
use super::rt;
use crate::search::decide::Next;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::Cell;
use std::mem::ManuallyDrop;

type Fiber = Coroutine<(), Next, (), DefaultStack>;

/// A value of any type in a buffer that is kept for the next value.
#[derive(Default)]
pub(crate) struct Slot {
    words: Vec<u128>,
    drop: Option<unsafe fn(*mut u8)>,
}

impl Slot {
    pub(crate) fn put<T>(&mut self, value: T) {
        if align_of::<T>() > align_of::<u128>() {
            self.put_inline(Box::new(value));
        } else {
            self.put_inline(value);
        }
    }

    fn put_inline<T>(&mut self, value: T) {
        self.clear();
        let words = size_of::<T>().div_ceil(size_of::<u128>());
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
        // SAFETY: the buffer is large enough and aligned for `T` (`put`), and holds no live value after `clear`.
        unsafe { self.words.as_mut_ptr().cast::<T>().write(value) };
        // SAFETY: called once, by `clear`, on the value just written.
        self.drop = Some(|p| unsafe { p.cast::<T>().drop_in_place() });
    }

    /// Moves the value out.
    ///
    /// # Safety
    /// The value that was put last must be a `T`.
    pub(crate) unsafe fn take<T>(&mut self) -> Option<T> {
        self.drop.take()?;
        let at = self.words.as_ptr();
        if align_of::<T>() > align_of::<u128>() {
            // SAFETY: `put` boxed it; `drop` is cleared, so it is moved out once.
            return Some(*unsafe { at.cast::<Box<T>>().read() });
        }
        // SAFETY: the buffer holds a live `T`, by the caller's promise; `drop` is cleared, so it is moved out once.
        Some(unsafe { at.cast::<T>().read() })
    }

    pub(crate) fn clear(&mut self) {
        if let Some(drop) = self.drop.take() {
            // SAFETY: `drop` was set by `put` for the value that the buffer holds.
            unsafe { drop(self.words.as_mut_ptr().cast()) };
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What a coroutine needs to know, at an address that does not change.
#[derive(Default)]
pub(crate) struct Seat {
    pub job: Slot,
    /// # Safety
    /// Whoever calls it passes the `job` that it was stored with, once.
    pub run: Option<unsafe fn(&mut Slot)>,
    pub result: Slot,
    pub locals: Vec<(usize, Box<dyn std::any::Any>)>,
    yielder: Option<*const Yielder<(), Next>>,
    idle: bool,
    stuck: bool,
}

impl Seat {
    /// Gives the coroutine its next job.
    pub(crate) fn assign<F: FnOnce() + 'static>(&mut self, job: F) {
        self.result.clear();
        self.job.put(job);
        // SAFETY: called right after, on the job that was put just now.
        self.run = Some(|slot| {
            // SAFETY: `assign` put an `F`, and nobody else takes jobs (C1).
            if let Some(job) = unsafe { slot.take::<F>() } {
                job();
            }
        });
    }

    /// Leaves the running coroutine for `next`; returns when it is resumed.
    pub(crate) fn switch(&self, next: Next) {
        if let Some(yielder) = self.yielder {
            // SAFETY: the yielder lives on the coroutine's stack as long as the coroutine, and only that coroutine
            // calls this.
            unsafe { (*yielder).suspend(next) };
        }
    }

    /// Never to be resumed again; see C2.
    pub(crate) fn give_up(&mut self) -> ! {
        self.stuck = true;
        loop {
            self.switch(Next::End);
        }
    }
}

thread_local! {
    static SPARE: Cell<Option<Pool>> = const { Cell::new(None) };
}

struct Berth {
    seat: Box<Seat>,
    fiber: ManuallyDrop<Fiber>,
}

/// The coroutines of one worker.
#[derive(Default)]
pub(crate) struct Pool {
    /// Boxed, because a running coroutine may spawn: the vector grows while one of its fibers is being resumed.
    #[expect(clippy::vec_box, reason = "a fiber must not move while it is being resumed")]
    berths: Vec<Box<Berth>>,
    stack_bytes: usize,
}

impl Pool {
    /// The pool that the last check on this OS thread left, if its stacks have the right size; a new one else.
    pub(crate) fn borrow(stack_bytes: usize) -> Pool {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        spare.filter(|p| p.stack_bytes == stack_bytes).unwrap_or(Pool { berths: Vec::new(), stack_bytes })
    }

    /// Keeps the coroutines for the next check on this OS thread.
    pub(crate) fn give_back(self) {
        // When the OS thread is ending there is no next check, and the pool is dropped here.
        _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }

    /// The seat of a thread; its coroutine is made at first need.
    pub(crate) fn seat(&mut self, tid: Tid) -> &mut Seat {
        while self.berths.len() <= tid.index() {
            let berth = Berth::new(self.stack_bytes);
            self.berths.push(Box::new(berth));
        }
        &mut self.berths[tid.index()].seat
    }

    /// Runs a thread until it hands over.
    ///
    /// # Safety
    /// `pool` is valid, and no reference into it is alive; the coroutine may use the pool.
    pub(crate) unsafe fn resume(pool: *mut Pool, tid: Tid) -> Next {
        // SAFETY: by the caller's promise; the reference into the vector ends with this statement.
        let berth: *mut Berth = unsafe { &mut *(&mut (*pool).berths)[tid.index()] };
        // SAFETY: berths are boxed and none is dropped while an execution runs.
        match unsafe { (*berth).fiber.resume(()) } {
            CoroutineResult::Yield(next) => next,
            CoroutineResult::Return(()) => Next::End,
        }
    }

    /// Whether the thread has a job that began and has not ended.
    pub(crate) fn is_suspended(&self, tid: Tid) -> bool {
        self.berths.get(tid.index()).is_some_and(|b| b.fiber.started() && !b.seat.idle)
    }

    /// Unwinds what is left of a thread's job after the execution is over.
    ///
    /// # Safety
    /// As `resume`.
    pub(crate) unsafe fn unwind(pool: *mut Pool, tid: Tid) {
        // SAFETY: by the caller's promise.
        if unsafe { (*pool).is_suspended(tid) } {
            // SAFETY: by the caller's promise.
            unsafe { Pool::resume(pool, tid) };
        }
    }

    /// Drops what a thread left behind: a job that never began, a result that nobody collected.
    pub(crate) fn discard(&mut self, tid: Tid) {
        let stack_bytes = self.stack_bytes;
        let Some(berth) = self.berths.get_mut(tid.index()) else { return };
        if berth.seat.stuck {
            let lost = std::mem::replace(&mut **berth, Berth::new(stack_bytes));
            std::mem::forget(lost); // C2
            return;
        }
        berth.seat.job.clear();
        berth.seat.locals.clear();
        berth.seat.result.clear();
    }
}

impl Berth {
    fn new(stack_bytes: usize) -> Berth {
        let mut seat = Box::new(Seat { idle: true, ..Seat::default() });
        let at: *mut Seat = &mut *seat;
        let stack = DefaultStack::new(stack_bytes).expect("the system has memory for one more stack");
        // SAFETY: the seat is boxed and outlives the fiber, which is never dropped while it runs.
        let fiber = Fiber::with_stack(stack, move |yielder, ()| unsafe { attend(at, yielder) });
        Berth { seat, fiber: ManuallyDrop::new(fiber) }
    }
}

/// The body of every coroutine.
///
/// # Safety
/// `seat` outlives the coroutine, and nobody holds a reference to it across a resume.
unsafe fn attend(seat: *mut Seat, yielder: &Yielder<(), Next>) {
    loop {
        // SAFETY: by the caller's promise; the reference ends before the job runs.
        let run = unsafe {
            (*seat).yielder = Some(yielder);
            (*seat).idle = false;
            (*seat).run.take()
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if let Some(run) = run {
                // SAFETY: `run` belongs to the job in the seat (C1), and the slot's address is stable.
                unsafe { run(&mut (*seat).job) };
            }
        }));
        let next = rt::thread_ended(outcome.err());
        // SAFETY: as above.
        unsafe { (*seat).idle = true };
        yielder.suspend(next);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for berth in &mut self.berths {
            if berth.seat.idle || !berth.fiber.started() {
                if berth.fiber.started() {
                    // SAFETY: an idle coroutine stands at the end of `attend`'s loop, where nothing on its stack
                    // needs to be dropped.
                    unsafe { berth.fiber.force_reset() };
                }
                // SAFETY: dropped once, here; the fiber is done or was never started.
                unsafe { ManuallyDrop::drop(&mut berth.fiber) };
            }
        }
    }
}
