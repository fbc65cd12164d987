//! Programs a to h, written once and built for each engine.

/// Their names, and what they do.
pub const NAMES: [(&str, &str); 8] = [
    ("a", "2 threads x 2 lock/unlock of one mutex"),
    ("b", "3 threads x 2 fetch_add whose results are used"),
    ("c", "3 threads x {lock, load, store, unlock} on 2 mutexes in turn"),
    ("d", "2 threads x 6 loads of distinct atomics, then 1 CAS on a shared one"),
    ("e", "3 threads x {mm.read, vma.read, CAS one pte}"),
    ("f", "3 threads, mm.read, split PTL (two share one), load/store own pte"),
    ("g", "2 x {mm.read, ptl, load/store} + 1 x {mm.write, ptl, store}"),
    ("h", "4 threads x 3 fetch_add whose results are used"),
];

macro_rules! programs {
    () => {
        pub const PROGRAMS: [fn(); 8] = [a, b, c, d, e, f, g, h];

        fn threads<W: Send + Sync + 'static>(world: W, n: usize, body: fn(&W, usize)) {
            let world = std::sync::Arc::new(world);
            let spawn = |i| {
                let world = world.clone();
                thread::spawn(move || body(&world, i))
            };
            let handles: Vec<_> = (0..n).map(spawn).collect();
            for handle in handles {
                handle.join().expect("no thread panics");
            }
        }

        fn step(x: &AtomicU64) {
            x.store(x.load(SeqCst) + 1, SeqCst);
        }

        fn atomics<const N: usize>() -> [AtomicU64; N] {
            std::array::from_fn(|_| AtomicU64::new(0))
        }

        fn a() {
            threads(Mutex::new(()), 2, |m, _| {
                for _ in 0..2 {
                    drop(m.lock().expect("not poisoned"));
                }
            });
        }

        fn b() {
            threads(AtomicU64::new(0), 3, |x, _| {
                for _ in 0..2 {
                    std::hint::black_box(x.fetch_add(1, SeqCst));
                }
            });
        }

        fn c() {
            let world = [(Mutex::new(()), AtomicU64::new(0)), (Mutex::new(()), AtomicU64::new(0))];
            threads(world, 3, |world, _| {
                for (m, x) in world {
                    let _guard = m.lock().expect("not poisoned");
                    step(x);
                }
            });
        }

        fn d() {
            threads((atomics::<12>(), AtomicU64::new(0)), 2, |(own, shared), i| {
                for x in &own[6 * i..6 * i + 6] {
                    x.load(SeqCst);
                }
                let _ = shared.compare_exchange(0, 1, SeqCst, SeqCst);
            });
        }

        fn e() {
            threads((RwLock::new(()), RwLock::new(()), AtomicU64::new(0)), 3, |(mm, vma, pte), _| {
                let _mm = mm.read().expect("not poisoned");
                let _vma = vma.read().expect("not poisoned");
                let _ = pte.compare_exchange(0, 1, SeqCst, SeqCst);
            });
        }

        fn f() {
            let world = (RwLock::new(()), [Mutex::new(()), Mutex::new(())], atomics::<3>());
            threads(world, 3, |(mm, ptl, pte), i| {
                let _mm = mm.read().expect("not poisoned");
                let _ptl = ptl[i / 2].lock().expect("not poisoned");
                step(&pte[i]);
            });
        }

        fn g() {
            threads((RwLock::new(()), Mutex::new(()), AtomicU64::new(0)), 3, |(mm, ptl, pte), i| {
                if i < 2 {
                    let _mm = mm.read().expect("not poisoned");
                    let _ptl = ptl.lock().expect("not poisoned");
                    step(pte);
                } else {
                    let _mm = mm.write().expect("not poisoned");
                    let _ptl = ptl.lock().expect("not poisoned");
                    pte.store(0, SeqCst);
                }
            });
        }

        fn h() {
            threads(AtomicU64::new(0), 4, |x, _| {
                for _ in 0..3 {
                    std::hint::black_box(x.fetch_add(1, SeqCst));
                }
            });
        }
    };
}

pub mod interleaved {
    use interleaver::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use interleaver::sync::{Mutex, RwLock};
    use interleaver::thread;
    programs!();
}

pub mod loomed {
    use loom::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use loom::sync::{Mutex, RwLock};
    use loom::thread;
    programs!();
}

pub mod shuttled {
    use shuttle::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use shuttle::sync::{Mutex, RwLock};
    use shuttle::thread;
    programs!();
}
