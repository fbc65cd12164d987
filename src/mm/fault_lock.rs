//! The fault lock: whichever lock keeps the VMA stable while a fault is handled. Today that is the mmap lock, read.
//!
//! # Invariants
//! - I1 (D52). Each fault takes the lock once and releases it once. The lock is a value: a handler returns it with its
//!   result or consumes it, so whether the lock is still held cannot be confused.
//! - I2. The VMA can only be reached through the lock, so nobody touches it after the lock is gone.

use crate::locks::ReadGuard;
use crate::platform::{Platform, enter};
use crate::x86::{Mode, VirtAddr};

use super::mm_struct::Mm;
use super::task::Task;
use super::vma::Vma;
use super::vma_tree::{VmaIndex, VmaTree};

/// The lock under which one fault is handled, and the VMA that it keeps stable.
#[must_use = "the fault lock is released when it is dropped"]
pub struct FaultLock<'m, P: Platform> {
    vmas: ReadGuard<'m, P, VmaTree<P>>,
    vma: VmaIndex,
    task: &'m Task,
}

impl<P: Platform> FaultLock<'_, P> {
    /// The VMA that covers the faulting address.
    pub fn vma(&self) -> &Vma<P> {
        self.vmas.vma(self.vma)
    }
}

impl<P: Platform> Drop for FaultLock<'_, P> {
    fn drop(&mut self) {
        self.task.count(|counts| counts.locks_released += 1);
    }
}

/// Takes the mmap lock and finds the VMA of the address (`mm/memory.c`, `lock_mm_and_find_vma`); `None` if there is
/// none, or if waiting for the lock in this mode could be waiting for oneself.
pub(super) fn lock_mm_and_find_vma<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    mode: Mode,
    address: VirtAddr,
) -> Option<FaultLock<'m, P>> {
    enter::<P>("lock_mm_and_find_vma", format_args!("address={address}")).run(
        || {
            let vmas = get_mmap_lock_carefully(mm, mode)?;
            let vma = vmas.lookup(address)?;
            task.count(|counts| counts.locks_taken += 1);
            Some(FaultLock { vmas, vma, task })
        },
        |lock| lock.as_ref().map_or("NULL".to_owned(), |lock| format!("vma {:?}", lock.vma())),
    )
}

/// Tries first; waits only where the kernel expected that it may fault (`get_mmap_lock_carefully`).
fn get_mmap_lock_carefully<P: Platform>(mm: &Mm<P>, mode: Mode) -> Option<ReadGuard<'_, P, VmaTree<P>>> {
    match (mm.mmap_lock().try_read(), mode) {
        (Some(vmas), _) => Some(vmas),
        (None, Mode::User | Mode::KernelUserCopy) => Some(mm.mmap_lock().read()),
        (None, Mode::Kernel) => None,
    }
}
