//! Reader-writer locks: one that prefers readers, and one where a queued writer keeps new readers out.
//!
//! Fair: a writer that finds readers inside is *queued* (a step of its own, which other threads can see), new readers
//! then wait for it, and it is let in by the last reader. So a thread that reads, and reads again while a writer is
//! queued, waits for ever, and the checker finds that.

use crate::engine::handle::Handle;
use crate::engine::machine::ANNOUNCED;
use crate::engine::op::{Kind, ObjKind};
use crate::engine::rt::{exec, step_on, wait_locally};
use std::panic::Location;

/// Proof of shared access.
#[derive(Debug)]
pub struct ReadLocked(pub(crate) ());

impl ReadLocked {
    /// For code that keeps no guards.
    ///
    /// # Safety
    /// The lock is held in this way, and nobody else has or makes the proof.
    #[must_use]
    pub unsafe fn assumed() -> ReadLocked {
        ReadLocked(())
    }
}

/// Proof of exclusive access.
#[derive(Debug)]
pub struct WriteLocked(pub(crate) ());

impl WriteLocked {
    /// For code that keeps no guards.
    ///
    /// # Safety
    /// The lock is held in this way, and nobody else has or makes the proof.
    #[must_use]
    pub unsafe fn assumed() -> WriteLocked {
        WriteLocked(())
    }
}

macro_rules! rwlock {
    ($name:ident, $kind:expr, $doc:literal) => {
        #[doc = $doc]
        ///
        /// Implements `lock_api::RawRwLock` and `lock_api::RawRwLockDowngrade`. Use `lock_api::RwLock::from_raw`
        /// with `new()` rather than `lock_api::RwLock::new`, for the reason given at [`super::RawMutex`].
        pub struct $name {
            handle: Handle,
        }

        impl $name {
            /// A free lock.
            #[must_use]
            #[track_caller]
            pub fn new() -> $name {
                $name { handle: Handle::new($kind, 0, Location::caller()) }
            }

            /// A free lock with a name or class.
            #[must_use]
            #[track_caller]
            pub fn named(label: &'static str) -> $name {
                $name::new().with_label(label)
            }

            #[track_caller]
            pub(crate) fn with_label(mut self, label: &'static str) -> $name {
                self.handle.set_label(label);
                self
            }
        }

        impl Default for $name {
            #[track_caller]
            fn default() -> $name {
                $name::new()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        // SAFETY: the engine lets in either readers or one writer: `Read` is enabled only without a writer, `Write`
        // enters only when the lock is free, or is granted when the last reader leaves.
        unsafe impl lock_api::RawRwLock for $name {
            const INIT: $name = $name { handle: Handle::lazy($kind, 0) };

            type SharedGuard = ReadLocked;
            type ExclusiveGuard = WriteLocked;

            #[track_caller]
            fn lock_shared(&self) -> ReadLocked {
                step_on(&self.handle, Kind::Read, 0, 0);
                ReadLocked(())
            }

            #[track_caller]
            fn try_lock_shared(&self) -> Option<ReadLocked> {
                let got = step_on(&self.handle, Kind::TryRead, 0, 0).unwrap_or(1);
                (got != 0).then_some(ReadLocked(()))
            }

            #[track_caller]
            unsafe fn unlock_shared(&self, _guard: ReadLocked) {
                step_on(&self.handle, Kind::ReadUnlock, 0, 0);
            }

            #[track_caller]
            fn lock_exclusive(&self) -> WriteLocked {
                lock_exclusive(&self.handle);
                WriteLocked(())
            }

            #[track_caller]
            fn try_lock_exclusive(&self) -> Option<WriteLocked> {
                let got = step_on(&self.handle, Kind::TryWrite, 0, 0).unwrap_or(1);
                (got != 0).then_some(WriteLocked(()))
            }

            #[track_caller]
            unsafe fn unlock_exclusive(&self, _guard: WriteLocked) {
                step_on(&self.handle, Kind::WriteUnlock, 0, 0);
            }

            #[track_caller]
            fn is_locked(&self) -> bool {
                step_on(&self.handle, Kind::Peek, 0, 0).unwrap_or_default() != 0
            }

            #[track_caller]
            fn is_locked_exclusive(&self) -> bool {
                step_on(&self.handle, Kind::Peek, 0, 0).unwrap_or_default() & 2 != 0
            }
        }

        // SAFETY: the engine turns the writer into a reader in one step; nobody can write in between.
        unsafe impl lock_api::RawRwLockDowngrade for $name {
            #[track_caller]
            unsafe fn downgrade(&self, _guard: WriteLocked) -> ReadLocked {
                step_on(&self.handle, Kind::Downgrade, 0, 0);
                ReadLocked(())
            }
        }
    };
}

rwlock!(RawRwLock, ObjKind::RwLock, "A reader-writer lock that lets readers in whenever no writer holds it.");
rwlock!(RawFairRwLock, ObjKind::FairRwLock, "A reader-writer lock in which a queued writer keeps new readers out.");

/// Takes the lock, or is queued and then let in by the last reader.
#[track_caller]
fn lock_exclusive(handle: &Handle) {
    let place = Location::caller();
    if step_on(handle, Kind::Write, 0, 0) == Some(ANNOUNCED) {
        let obj = handle.id(exec(), place);
        wait_locally(Kind::Granted, obj, 0, place);
    }
}
