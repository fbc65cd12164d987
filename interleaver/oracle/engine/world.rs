//! The objects that the threads of one execution share.

use crate::oracle::program::ATOMICS;
use interleaver::Counter;
use interleaver::raw::{BitLock, RawFairRwLock, RawMutex, RawRwLock};
use interleaver::sync::atomic::AtomicU8;
use interleaver::sync::{Barrier, Condvar, Mutex, Once};
use std::sync::Arc;

/// When the engine learns of an object, if it is of a kind that can be made in a constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Making {
    /// As it is made, in each execution anew.
    AtOnce,
    /// At its first use in each execution: it is made once for the check, as a `static` is.
    AtFirstUse,
}

/// Objects that can be made in a constant.
pub(super) struct Simple {
    pub atomics: [AtomicU8; ATOMICS],
    pub second: RawMutex,
    pub plain: RawRwLock,
    pub fair: RawFairRwLock,
}

impl Simple {
    pub(super) const fn in_constant() -> Simple {
        Simple {
            atomics: [const { AtomicU8::const_new(0) }; ATOMICS],
            second: <RawMutex as lock_api::RawMutex>::INIT,
            plain: <RawRwLock as lock_api::RawRwLock>::INIT,
            fair: <RawFairRwLock as lock_api::RawRwLock>::INIT,
        }
    }

    pub(super) fn inside() -> Simple {
        Simple {
            atomics: std::array::from_fn(|_| AtomicU8::new(0)),
            second: RawMutex::new(),
            plain: RawRwLock::new(),
            fair: RawFairRwLock::new(),
        }
    }
}

pub(super) struct World {
    pub simple: Arc<Simple>,
    pub counters: [Counter; ATOMICS],
    pub first: Mutex<()>,
    pub condvar: Condvar,
    pub barrier: Barrier,
    pub once: Once,
    pub bit: BitLock,
}

impl World {
    pub(super) fn new(simple: Arc<Simple>, barrier: usize) -> World {
        World {
            simple,
            counters: std::array::from_fn(|_| Counter::new()),
            first: Mutex::new(()),
            condvar: Condvar::new(),
            barrier: Barrier::new(barrier),
            once: Once::new(),
            bit: BitLock::new(),
        }
    }
}
