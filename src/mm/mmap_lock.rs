//! The lock of an address space (`mm->mmap_lock`): who holds it may read the tree of VMAs, or change it.
//!
//! # Invariants
//! - I1 (D51). However the write lock ends, the write locks of all VMAs end just before it.

use std::ops::{Deref, DerefMut};

use crate::locks::{LockClass, ReadGuard, RwSem, WriteGuard};
use crate::platform::Platform;

use super::task::Task;
use super::vma_tree::VmaTree;

/// The lock, around the tree of VMAs.
#[derive(Debug)]
pub struct MmapLock<P: Platform>(RwSem<P, VmaTree<P>>);

impl<P: Platform> MmapLock<P> {
    pub(super) fn new(tree: VmaTree<P>) -> Self {
        Self(RwSem::new(LockClass::MmapLock, tree))
    }

    /// Waits to read (`mmap_read_lock`).
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, P, VmaTree<P>> {
        self.0.read()
    }

    /// Reads if nobody writes or waits to (`mmap_read_trylock`).
    #[track_caller]
    pub fn try_read(&self) -> Option<ReadGuard<'_, P, VmaTree<P>>> {
        self.0.try_read()
    }

    /// Waits to read, unless the task is killed meanwhile (`mmap_read_lock_killable`). Trying has failed already.
    #[track_caller]
    pub(super) fn wait_to_read(&self, task: &Task) -> Option<ReadGuard<'_, P, VmaTree<P>>> {
        (!task.is_dying::<P>()).then(|| self.read())
    }

    /// Waits to write (`mmap_write_lock`).
    #[track_caller]
    pub fn write(&self) -> MmapWriteGuard<'_, P> {
        MmapWriteGuard(Some(self.0.write()))
    }

    /// As [`MmapLock::write`], with the parent's lock held: nobody knows the child yet (`mmap_write_lock_nested`).
    #[track_caller]
    pub fn write_nested(&self) -> MmapWriteGuard<'_, P> {
        MmapWriteGuard(Some(self.0.write_nested()))
    }

    /// Says that the task may have to wait to read, though this time it need not (`might_lock_read`).
    #[track_caller]
    pub(super) fn might_read(&self) {
        self.0.might_read();
    }
}

/// The proof that the mmap lock is held for writing.
#[must_use = "the lock is released when the guard is dropped"]
pub struct MmapWriteGuard<'m, P: Platform>(Option<WriteGuard<'m, P, VmaTree<P>>>);

const HELD: &str = "the guard has its lock until it is dropped or downgraded";

impl<'m, P: Platform> MmapWriteGuard<'m, P> {
    /// Goes on as a reader; no other writer comes in between (`mmap_write_downgrade`).
    #[track_caller]
    pub fn downgrade(mut self) -> ReadGuard<'m, P, VmaTree<P>> {
        let mut guard = self.0.take().expect(HELD);
        guard.end_write_all();
        guard.downgrade()
    }
}

impl<P: Platform> Drop for MmapWriteGuard<'_, P> {
    fn drop(&mut self) {
        if let Some(guard) = &mut self.0 {
            guard.end_write_all();
        }
    }
}

impl<P: Platform> Deref for MmapWriteGuard<'_, P> {
    type Target = VmaTree<P>;

    fn deref(&self) -> &VmaTree<P> {
        self.0.as_ref().expect(HELD)
    }
}

impl<P: Platform> DerefMut for MmapWriteGuard<'_, P> {
    fn deref_mut(&mut self) -> &mut VmaTree<P> {
        self.0.as_mut().expect(HELD)
    }
}
