//! Once the engine's vectors have grown, an execution allocates nothing, but for thread names and scopes: what is left
//! is what the code under test allocates itself.

use interleaver::raw::RawMutex;
use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};
use interleaver::{Builder, spin_until, thread};
use lock_api::RawMutex as _;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::{Arc, Mutex};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting by thread: the test harness has threads of its own.
struct Counting;

// SAFETY: every call is passed on as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Executions in one measurement.
const EXECUTIONS: u64 = 1_500;
const MEASUREMENTS: usize = 4;

/// Allocations in `EXECUTIONS` executions: the fewest of several measurements, since a vector may still grow in one.
fn allocations(code: impl Fn() + Send + Sync + 'static) -> u64 {
    let samples: Arc<Mutex<Vec<u64>>> = Arc::new(Mutex::new(Vec::with_capacity(MEASUREMENTS + 1)));
    let sink = samples.clone();
    let budget = EXECUTIONS * (MEASUREMENTS as u64 + 1);
    let report = Builder::new()
        .budget(budget)
        .on_progress(EXECUTIONS, move |_| sink.lock().expect("not poisoned").push(ALLOCATIONS.get()))
        .check(code);
    report.expect_pass();
    assert!(!report.is_complete(), "there is more to explore than {budget} executions");
    let samples = samples.lock().expect("not poisoned");
    let differences = samples.windows(2).map(|w| w[1] - w[0]);
    differences.min().expect("there were several measurements")
}

/// Runs four threads without a heap of their own, and joins them.
fn four(f: fn(usize)) {
    let handles = [0, 1, 2, 3].map(|i| thread::spawn(move || f(i)));
    for handle in handles {
        handle.join().expect("no thread panics");
    }
}

static WORDS: [AtomicU64; 2] = [const { AtomicU64::const_new(0) }; 2];
static MUTEX: RawMutex = RawMutex::INIT;

fn atomics(i: usize) {
    WORDS[0].fetch_add(1, SeqCst);
    WORDS[1].load(Acquire);
    let _ = WORDS[i % 2].compare_exchange_weak(1, 2, AcqRel, Acquire);
    WORDS[0].store(3, SeqCst);
}

fn mutexes(i: usize) {
    for _ in 0..2 {
        let held = MUTEX.lock();
        WORDS[i % 2].store(1, SeqCst);
        // SAFETY: it is what `lock` gave.
        unsafe { MUTEX.unlock(held) };
    }
    if let Some(held) = MUTEX.try_lock() {
        // SAFETY: it is what `try_lock` gave.
        unsafe { MUTEX.unlock(held) };
    }
}

fn conditions(i: usize) {
    WORDS[0].fetch_add(1, SeqCst);
    spin_until(|| WORDS[0].load(Acquire) > 1);
    WORDS[1].swap(i as u64, SeqCst);
    WORDS[1].swap(i as u64, SeqCst);
    WORDS[1].fetch_add(1, SeqCst);
}

#[test]
fn atomics_mutexes_and_conditions_cost_no_allocation() {
    for code in [atomics, mutexes, conditions] {
        assert_eq!(allocations(move || four(code)), 0);
    }
}

#[test]
fn a_name_and_a_scope_cost_two_allocations_each() {
    let named = allocations(|| {
        let builder = thread::Builder::new().name("named".to_owned());
        let named = builder.spawn(|| atomics(0)).expect("there is room for a thread");
        four(atomics);
        named.join().expect("no thread panics");
    });
    assert_eq!(named, 2 * EXECUTIONS, "the name, and the trace's copy of it");
    let scoped = allocations(|| {
        thread::scope(|s| {
            s.spawn(|| WORDS[0].load(SeqCst));
        });
        four(atomics);
    });
    assert_eq!(scoped, 2 * EXECUTIONS, "the list of threads, and the closure");
}
