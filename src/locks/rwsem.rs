//! A fair reader-writer semaphore with a class.

use std::fmt;
use std::ops::{Deref, DerefMut};

use parking_lot::lock_api::{ArcRwLockReadGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::class::{LockClass, LockKey};
use super::held::{Mode, downgraded, got, instance, waits};
use super::spin::Told;
use crate::platform::{Arc, NewLock, Platform, remark};

/// A fair semaphore around what it protects (`struct rw_semaphore`): a waiting writer stops new readers.
pub struct RwSem<P: Platform, T> {
    class: LockClass,
    lock: RwLock<P::RawRwSem, T>,
}

impl<P: Platform, T> RwSem<P, T> {
    /// A free semaphore of the class `class`.
    pub fn new(class: LockClass, value: T) -> Self {
        Self { class, lock: RwLock::from_raw(P::RawRwSem::new_lock(class.name()), value) }
    }

    /// Waits to read.
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, P, T> {
        waits::<P>(self.class, Mode::Read);
        let guard = self.lock.read();
        remark::<P>(format_args!("read-lock {}", self.class));
        self.is_read(guard)
    }

    /// Reads if nobody writes or waits to; never waits itself.
    #[track_caller]
    pub fn try_read(&self) -> Option<ReadGuard<'_, P, T>> {
        let guard = self.lock.try_read()?;
        remark::<P>(format_args!("read-lock {} (tried)", self.class));
        Some(self.is_read(guard))
    }

    #[track_caller]
    fn is_read<'a>(&'a self, guard: RwLockReadGuard<'a, P::RawRwSem, T>) -> ReadGuard<'a, P, T> {
        got::<P>(self.class, Mode::Read, instance(self));
        ReadGuard { guard, _told: Told::new("read-unlock", self.class, instance(self)) }
    }

    /// Says that whoever comes here may have to wait to read, though this time they need not (`might_lock_read`).
    #[track_caller]
    pub fn might_read(&self) {
        waits::<P>(self.class, Mode::Read);
    }

    /// Waits to write.
    #[track_caller]
    pub fn write(&self) -> WriteGuard<'_, P, T> {
        self.write_as(LockKey::of(self.class))
    }

    /// As [`RwSem::write`], inside of another lock of the class: the caller knows why nobody does it the other way
    /// round (`down_write_nested`).
    #[track_caller]
    pub fn write_nested(&self) -> WriteGuard<'_, P, T> {
        self.write_as(LockKey::nested(self.class))
    }

    #[track_caller]
    fn write_as(&self, key: LockKey) -> WriteGuard<'_, P, T> {
        waits::<P>(key, Mode::Write);
        let guard = self.lock.write();
        remark::<P>(format_args!("write-lock {}", self.class));
        got::<P>(key, Mode::Write, instance(self));
        WriteGuard { guard, told: Told::new("write-unlock", self.class, instance(self)), class: self.class }
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
    class: LockClass,
}

impl<'a, P: Platform, T> WriteGuard<'a, P, T> {
    /// Goes on as a reader; no other writer comes in between (`mmap_write_downgrade`).
    pub fn downgrade(self) -> ReadGuard<'a, P, T> {
        let instance = self.told.forget();
        let guard = RwLockWriteGuard::downgrade(self.guard);
        remark::<P>(format_args!("downgrade {} to reading", self.class));
        downgraded::<P>(instance);
        ReadGuard { guard, _told: Told::new("read-unlock", self.class, instance) }
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
    class: LockClass,
    lock: Arc<RwLock<P::RawRwSem, ()>>,
}

impl<P: Platform> OwnedRwSem<P> {
    /// A free semaphore of the class `class`.
    pub fn new(class: LockClass) -> Self {
        Self { class, lock: Arc::new(RwLock::from_raw(P::RawRwSem::new_lock(class.name()), ())) }
    }

    /// Reads if nobody writes or waits to; never waits itself (`down_read_trylock`).
    #[track_caller]
    pub fn try_read(&self) -> Option<OwnedReadGuard<P>> {
        let guard = self.lock.try_read_arc()?;
        remark::<P>(format_args!("read-lock {} (tried)", self.class));
        Some(self.is_read(guard))
    }

    /// Waits to read (`down_read`).
    #[track_caller]
    pub fn read(&self) -> OwnedReadGuard<P> {
        waits::<P>(self.class, Mode::Read);
        let guard = self.lock.read_arc();
        remark::<P>(format_args!("read-lock {}", self.class));
        self.is_read(guard)
    }

    #[track_caller]
    fn is_read(&self, guard: ArcRwLockReadGuard<P::RawRwSem, ()>) -> OwnedReadGuard<P> {
        let instance = instance(&*self.lock);
        got::<P>(self.class, Mode::Read, instance);
        OwnedReadGuard { _guard: guard, _told: Told::new("read-unlock", self.class, instance) }
    }

    /// Waits until nobody reads, and lets everybody in again when `writing` is done.
    #[track_caller]
    pub fn write(&self, writing: impl FnOnce()) {
        let instance = instance(&*self.lock);
        waits::<P>(self.class, Mode::Write);
        let guard = self.lock.write();
        remark::<P>(format_args!("write-lock {}", self.class));
        got::<P>(self.class, Mode::Write, instance);
        let told = Told::<P>::new("write-unlock", self.class, instance);
        writing();
        drop(guard);
        drop(told);
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
