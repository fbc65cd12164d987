//! Locks without data, for the `lock_api` wrappers and for seams of one's own.

mod bit_lock;
mod mutex;
mod rwlock;

pub use bit_lock::BitLock;
pub use mutex::{Locked, RawMutex};
pub use rwlock::{RawFairRwLock, RawRwLock, ReadLocked, WriteLocked};
