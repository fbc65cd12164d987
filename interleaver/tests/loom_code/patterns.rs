//! What loom's users write. `super::loom` is the checker.

use super::loom;

use loom::cell::UnsafeCell;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, fence};
use loom::sync::{Arc, Condvar, Mutex, Notify, RwLock, mpsc};
use loom::thread;
use std::ptr::null_mut;

#[test]
#[should_panic(expected = "an increment was lost")]
fn a_load_and_a_store_are_no_increment() {
    loom::model(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let count = count.clone();
                thread::spawn(move || {
                    let value = count.load(Acquire);
                    count.store(value + 1, Release);
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(count.load(Relaxed), 2, "an increment was lost");
    });
}

/// A flag that hands over a value.
struct Handover<T> {
    value: UnsafeCell<Option<T>>,
    ready: AtomicBool,
}

// SAFETY: the value is touched before `ready` is set by one thread, and after it was seen by the other.
unsafe impl<T: Send> Sync for Handover<T> {}

impl<T> Handover<T> {
    fn new() -> Self {
        Handover { value: UnsafeCell::new(None), ready: AtomicBool::new(false) }
    }

    fn give(&self, value: T, order: loom::sync::atomic::Ordering) {
        // SAFETY: nobody looks before `ready` is set.
        self.value.with_mut(|at| unsafe { *at = Some(value) });
        self.ready.store(true, order);
    }

    fn take(&self) -> T {
        while !self.ready.load(Acquire) {
            thread::yield_now();
        }
        // SAFETY: the giver is done with it.
        self.value.with_mut(|at| unsafe { (*at).take() }).expect("it was given")
    }
}

fn hand_over(order: loom::sync::atomic::Ordering) {
    loom::model(move || {
        let slot = Arc::new(Handover::new());
        let giver = slot.clone();
        let thread = thread::spawn(move || giver.give(7, order));
        assert_eq!(slot.take(), 7);
        thread.join().unwrap();
    });
}

#[test]
fn a_released_flag_hands_over() {
    hand_over(Release);
}

#[test]
#[should_panic]
fn a_relaxed_flag_does_not() {
    hand_over(Relaxed);
}

/// A spinlock, with pointers that live as long as its guard.
struct Spin {
    held: AtomicBool,
    value: UnsafeCell<usize>,
}

// SAFETY: the value is reached with `held` set by this thread.
unsafe impl Sync for Spin {}

impl Spin {
    fn add_one(&self) {
        while self.held.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            loom::hint::spin_loop();
        }
        let value = self.value.get_mut();
        // SAFETY: the lock is held.
        unsafe { *value.deref() += 1 };
        drop(value);
        self.held.store(false, Release);
    }
}

#[test]
fn a_spinlock_excludes() {
    loom::model(|| {
        let lock = Arc::new(Spin { held: AtomicBool::new(false), value: UnsafeCell::new(0) });
        let other = lock.clone();
        let thread = thread::spawn(move || other.add_one());
        lock.add_one();
        thread.join().unwrap();
        let value = lock.value.get();
        // SAFETY: the other thread has been joined.
        assert_eq!(unsafe { *value.deref() }, 2);
    });
}

#[test]
fn a_condvar_wakes_who_waits() {
    loom::model(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let other = pair.clone();
        let thread = thread::spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        });
        let mut ready = pair.0.lock().unwrap();
        while !*ready {
            ready = pair.1.wait(ready).unwrap();
        }
        drop(ready);
        thread.join().unwrap();
    });
}

#[test]
fn a_parked_thread_is_unparked() {
    loom::model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let (other, main) = (flag.clone(), thread::current());
        let thread = thread::spawn(move || {
            other.store(true, Release);
            main.unpark();
        });
        while !flag.load(Acquire) {
            thread::park();
        }
        thread.join().unwrap();
    });
}

#[test]
fn readers_see_a_whole_write() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new((0, 0)));
        let other = lock.clone();
        let thread = thread::spawn(move || *other.write().unwrap() = (1, 1));
        let pair = *lock.read().unwrap();
        assert_eq!(pair.0, pair.1);
        thread.join().unwrap();
    });
}

#[test]
fn a_stack_of_one_pushes_and_pops() {
    loom::model(|| {
        let head = Arc::new(AtomicPtr::new(null_mut()));
        let other = head.clone();
        let thread = thread::spawn(move || {
            let node = Box::into_raw(Box::new(5));
            fence(Release);
            other.compare_exchange(null_mut(), node, Relaxed, Relaxed).expect("nobody else pushes");
        });
        let node = head.swap(null_mut(), AcqRel);
        thread.join().unwrap();
        let node = if node.is_null() { head.swap(null_mut(), AcqRel) } else { node };
        // SAFETY: it came from a box, and was taken out once.
        assert_eq!(*unsafe { Box::from_raw(node) }, 5);
    });
}

#[test]
fn the_last_owner_gets_the_value_back() {
    loom::model(|| {
        let shared = Arc::new(AtomicUsize::new(0));
        let other = shared.clone();
        let thread = thread::spawn(move || other.fetch_add(1, Relaxed));
        thread.join().unwrap();
        let mut value = Arc::try_unwrap(shared).map_err(drop).expect("the thread has dropped its own");
        value.with_mut(|v| assert_eq!(*v, 1));
    });
}

#[test]
fn a_channel_keeps_the_order() {
    loom::model(|| {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || (0..2).for_each(|i| sender.send(i).unwrap()));
        assert_eq!((receiver.recv().unwrap(), receiver.recv().unwrap()), (0, 1));
        thread.join().unwrap();
    });
}

#[test]
fn a_notification_is_kept() {
    loom::model(|| {
        let notify = Arc::new(Notify::new());
        let other = notify.clone();
        let thread = thread::spawn(move || other.notify());
        notify.wait();
        thread.join().unwrap();
    });
}
