//! A lock bit with a queue of waiters, natively: one word, and queues that are shared by all locks (Linux:
//! `folio_wait_table`).
//!
//! # State
//!
//! | word | meaning |
//! |---|---|
//! | 0 | free |
//! | 1 | locked |
//! | 2 | locked, and somebody may wait: the unlock must wake |
//!
//! # Invariants
//! - I1. A waiter makes the word 2 under the queue's mutex and sleeps before it lets go of it; whoever unlocks a 2
//!   takes that mutex before it wakes. So no wake-up is lost.
//!
//! # Memory ordering
//! - O1. Taking the lock is `Acquire`, releasing it `Release`: what was done under the lock is seen under the next one.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use super::super::seam::{NewLock, RawBitLock};

const FREE: u32 = 0;
const LOCKED: u32 = 1;
const AWAITED: u32 = 2;

/// A lock without an owner, 4 bytes large.
#[derive(Debug)]
pub struct BitLock(AtomicU32);

struct Queue {
    mutex: Mutex<()>,
    woken: Condvar,
}

const QUEUES: usize = 256;

static WAIT_TABLE: [Queue; QUEUES] = [const { Queue { mutex: Mutex::new(()), woken: Condvar::new() } }; QUEUES];

impl BitLock {
    fn queue(&self) -> &'static Queue {
        let address = ptr::from_ref(self).addr();
        &WAIT_TABLE[(address >> 2 ^ address >> 12) % QUEUES]
    }

    /// Sleeps in the queue until `entered` says so.
    fn wait_until(&self, entered: impl Fn(&AtomicU32) -> bool) {
        let queue = self.queue();
        let mut asleep: MutexGuard<'_, ()> = queue.mutex.lock().expect("nobody panics in the queue");
        while !entered(&self.0) {
            asleep = queue.woken.wait(asleep).expect("nobody panics in the queue");
        }
    }
}

impl NewLock for BitLock {
    fn new_lock(_class: &'static str) -> Self {
        Self(AtomicU32::new(FREE))
    }
}

impl RawBitLock for BitLock {
    #[inline]
    fn lock(&self) {
        if !self.try_lock() {
            // ORDER O1. Others may wait besides us, so whoever was woken leaves the word awaited.
            self.wait_until(|word| word.swap(AWAITED, Ordering::Acquire) == FREE);
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        // ORDER O1; a failure tells nothing but that the lock is held.
        self.0.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    fn unlock(&self) {
        // ORDER O1.
        let before = self.0.swap(FREE, Ordering::Release);
        assert!(before != FREE, "a lock bit was cleared that nobody had set");
        if before == AWAITED {
            let queue = self.queue();
            drop(queue.mutex.lock().expect("nobody panics in the queue"));
            queue.woken.notify_all();
        }
    }

    fn wait(&self) {
        // ORDER O1: what was done under the lock is seen by whoever waited for its end.
        let is_free =
            |word: &AtomicU32| match word.compare_exchange(LOCKED, AWAITED, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => false,
                Err(now) => now == FREE,
            };
        if self.is_locked() {
            self.wait_until(is_free);
        }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        // ORDER O1: as in `wait`.
        self.0.load(Ordering::Acquire) != FREE
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::thread;

    use super::*;

    #[test]
    fn it_excludes_and_wakes() {
        let (lock, count) = (BitLock::new_lock("test"), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        lock.lock();
                        // Not an update: two threads in here would lose one.
                        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                        lock.unlock();
                        lock.wait();
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 8000);
        assert!(!lock.is_locked());
    }

    #[test]
    fn another_thread_may_unlock() {
        let lock = BitLock::new_lock("test");
        lock.lock();
        assert!(!lock.try_lock());
        thread::scope(|scope| {
            scope.spawn(|| lock.unlock());
            lock.wait();
        });
        assert!(lock.try_lock());
    }
}
