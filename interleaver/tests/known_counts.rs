//! Programs whose number of Mazurkiewicz traces is known.

use interleaver::raw::{RawMutex, RawRwLock};
use interleaver::sync::atomic::AtomicU64;
use interleaver::sync::atomic::Ordering::{Relaxed, SeqCst};
use interleaver::{Builder, thread};
use lock_api::{Mutex, RwLock};
use std::sync::Arc;

type Lock = Mutex<RawMutex, ()>;
type Rw = RwLock<RawRwLock, ()>;

fn lock() -> Lock {
    Mutex::from_raw(RawMutex::new(), ())
}

fn rw() -> Rw {
    RwLock::from_raw(RawRwLock::new(), ())
}

/// Runs `n` threads on a shared world and joins them.
fn threads<W: Send + Sync + 'static>(world: W, n: usize, f: impl Fn(&W, usize) + Clone + Send + 'static) {
    let world = Arc::new(world);
    let spawn = |i| {
        let (world, f) = (world.clone(), f.clone());
        thread::spawn(move || f(&world, i))
    };
    let handles: Vec<_> = (0..n).map(spawn).collect();
    for handle in handles {
        handle.join().expect("no thread panics");
    }
}

#[track_caller]
fn counts(expected: u64, f: impl Fn() + Send + Sync + 'static) {
    let report = Builder::new().check(f);
    report.expect_pass();
    assert!(report.is_complete());
    assert_eq!((report.executions, report.blocked), (expected, 0), "{report}");
}

#[test]
fn a_two_threads_lock_twice() {
    counts(6, || {
        threads(lock(), 2, |m, _| {
            for _ in 0..2 {
                drop(m.lock());
            }
        });
    });
}

#[test]
fn b_three_threads_add_twice() {
    counts(90, || {
        threads(AtomicU64::new(0), 3, |x, _| {
            for _ in 0..2 {
                x.fetch_add(1, SeqCst);
            }
        });
    });
}

#[test]
fn c_three_threads_two_mutexes_in_turn() {
    counts(36, || {
        let world = [(lock(), AtomicU64::new(0)), (lock(), AtomicU64::new(0))];
        threads(world, 3, |world, _| {
            for (m, x) in world {
                let _guard = m.lock();
                x.store(x.load(Relaxed) + 1, Relaxed);
            }
        });
    });
}

#[test]
fn d_private_loads_then_one_cas() {
    counts(2, || {
        let world: ([[AtomicU64; 6]; 2], AtomicU64) = Default::default();
        threads(world, 2, |(own, shared), i| {
            for x in &own[i] {
                x.load(Relaxed);
            }
            let _ = shared.compare_exchange(0, 1, SeqCst, SeqCst);
        });
    });
}

#[test]
fn e_three_faults_one_pte() {
    counts(3, || {
        threads((rw(), rw(), AtomicU64::new(0)), 3, |(mm, vma, pte), _| {
            let _mm = mm.read();
            let _vma = vma.read();
            let _ = pte.compare_exchange(0, 1, SeqCst, SeqCst);
        });
    });
}

#[test]
fn f_three_faults_two_share_a_ptl() {
    counts(2, || {
        threads((rw(), [lock(), lock()], <[AtomicU64; 3]>::default()), 3, |(mm, ptl, pte), i| {
            let _mm = mm.read();
            let _ptl = ptl[i / 2].lock();
            pte[i].store(pte[i].load(Relaxed) + 1, Relaxed);
        });
    });
}

#[test]
fn g_two_faults_and_a_writer() {
    counts(6, || {
        threads((rw(), lock(), AtomicU64::new(0)), 3, |(mm, ptl, pte), i| {
            if i < 2 {
                let _mm = mm.read();
                let _ptl = ptl.lock();
                pte.store(pte.load(Relaxed) + 1, Relaxed);
            } else {
                let _mm = mm.write();
                let _ptl = ptl.lock();
                pte.store(0, Relaxed);
            }
        });
    });
}

#[test]
fn four_threads_three_adds() {
    counts(369_600, || {
        threads(AtomicU64::new(0), 4, |x, _| {
            for _ in 0..3 {
                x.fetch_add(1, SeqCst);
            }
        });
    });
}
