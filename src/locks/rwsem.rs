//! A fair reader-writer semaphore with a class.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

use parking_lot::lock_api::{ArcRwLockReadGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::spin::Told;
use crate::platform::{Arc, NewLock, Platform, remark};

/// A fair semaphore around what it protects (`struct rw_semaphore`): a waiting writer stops new readers.
pub struct RwSem<P: Platform, T> {
    class: &'static str,
    lock: RwLock<P::RawRwSem, T>,
}

impl<P: Platform, T> RwSem<P, T> {
    /// A free semaphore of the class `class`.
    pub fn new(class: &'static str, value: T) -> Self {
        Self { class, lock: RwLock::from_raw(P::RawRwSem::new_lock(class), value) }
    }

    /// Waits to read.
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, P, T> {
        let guard = self.lock.read();
        remark::<P>(format_args!("read-lock {}", self.class));
        ReadGuard { guard, _told: Told::new("read-unlock", self.class) }
    }

    /// Reads if nobody writes or waits to; never waits itself.
    #[track_caller]
    pub fn try_read(&self) -> Option<ReadGuard<'_, P, T>> {
        let guard = self.lock.try_read()?;
        remark::<P>(format_args!("read-lock {} (tried)", self.class));
        Some(ReadGuard { guard, _told: Told::new("read-unlock", self.class) })
    }

    /// Waits to write.
    #[track_caller]
    pub fn write(&self) -> WriteGuard<'_, P, T> {
        let guard = self.lock.write();
        remark::<P>(format_args!("write-lock {}", self.class));
        WriteGuard { guard, told: Told::new("write-unlock", self.class), class: self.class }
    }
}

impl<P: Platform, T> fmt::Debug for RwSem<P, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RwSem").field("class", &self.class).finish_non_exhaustive()
    }
}

/// The proof that an [`RwSem`] is held for reading.
#[must_use = "the semaphore is released when the guard is dropped"]
pub struct ReadGuard<'a, P: Platform, T> {
    guard: RwLockReadGuard<'a, P::RawRwSem, T>,
    _told: Told<P>,
}

impl<P: Platform, T> Deref for ReadGuard<'_, P, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

/// The proof that an [`RwSem`] is held for writing.
#[must_use = "the semaphore is released when the guard is dropped"]
pub struct WriteGuard<'a, P: Platform, T> {
    guard: RwLockWriteGuard<'a, P::RawRwSem, T>,
    told: Told<P>,
    class: &'static str,
}

impl<'a, P: Platform, T> WriteGuard<'a, P, T> {
    /// Goes on as a reader; no other writer comes in between (`mmap_write_downgrade`).
    pub fn downgrade(self) -> ReadGuard<'a, P, T> {
        mem::forget(self.told);
        let guard = RwLockWriteGuard::downgrade(self.guard);
        remark::<P>(format_args!("downgrade {} to reading", self.class));
        ReadGuard { guard, _told: Told::new("read-unlock", self.class) }
    }
}

impl<P: Platform, T> Deref for WriteGuard<'_, P, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<P: Platform, T> DerefMut for WriteGuard<'_, P, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A fair semaphore that its readers keep alive: it may be released after everybody else has forgotten it
/// (`struct vma_lock`, `struct hugetlb_vma_lock`).
pub struct OwnedRwSem<P: Platform> {
    class: &'static str,
    lock: Arc<RwLock<P::RawRwSem, ()>>,
}

impl<P: Platform> OwnedRwSem<P> {
    /// A free semaphore of the class `class`.
    pub fn new(class: &'static str) -> Self {
        Self { class, lock: Arc::new(RwLock::from_raw(P::RawRwSem::new_lock(class), ())) }
    }

    /// Reads if nobody writes or waits to; never waits itself (`down_read_trylock`).
    #[track_caller]
    pub fn try_read(&self) -> Option<OwnedReadGuard<P>> {
        let guard = self.lock.try_read_arc()?;
        remark::<P>(format_args!("read-lock {} (tried)", self.class));
        Some(OwnedReadGuard { _guard: guard, _told: Told::new("read-unlock", self.class) })
    }

    /// Waits to read (`down_read`).
    #[track_caller]
    pub fn read(&self) -> OwnedReadGuard<P> {
        let guard = self.lock.read_arc();
        remark::<P>(format_args!("read-lock {}", self.class));
        OwnedReadGuard { _guard: guard, _told: Told::new("read-unlock", self.class) }
    }

    /// Waits until nobody reads, and lets everybody in again when `writing` is done.
    #[track_caller]
    pub fn write(&self, writing: impl FnOnce()) {
        let guard = self.lock.write();
        remark::<P>(format_args!("write-lock {}", self.class));
        writing();
        drop(guard);
        remark::<P>(format_args!("write-unlock {}", self.class));
    }
}

impl<P: Platform> fmt::Debug for OwnedRwSem<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OwnedRwSem").field("class", &self.class).finish_non_exhaustive()
    }
}

/// The proof that an [`OwnedRwSem`] is held for reading.
#[must_use = "the semaphore is released when the guard is dropped"]
pub struct OwnedReadGuard<P: Platform> {
    _guard: ArcRwLockReadGuard<P::RawRwSem, ()>,
    _told: Told<P>,
}
