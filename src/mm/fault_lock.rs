//! The fault lock: whichever lock keeps the VMA stable while a fault is handled, the mmap lock or the VMA's own.
//!
//! # Invariants
//! - I1 (D52). Each try of a fault takes the lock once and releases it once. The lock is a value: a handler returns it
//!   with its result or consumes it, so whether the lock is still held cannot be confused.
//! - I2. The VMA can only be reached through the lock, so nobody touches it after the lock is gone.

use crate::locks::{OwnedReadGuard, ReadGuard};
use crate::platform::{Arc, Platform, Variant, enter, recheck};

use super::bad_area::{Exception, may_wait_for_mmap_lock};
use super::expand_stack::expand_stack_locked;
use super::expand_stack_4_4::expand_stack;
use super::fault_flags::FaultFlags;
use super::generation::StackGrowth;
use super::mm_struct::Mm;
use super::mmap_lock::MmapWriteGuard;
use super::task::Task;
use super::vm_flags::VmFlags;
use super::vma::Vma;
use super::vma_tree::{VmaIndex, VmaTree};
use super::vmf::Effort;

/// The lock under which one fault is handled, and the VMA that it keeps stable.
#[must_use = "the fault lock is released when it is dropped"]
pub struct FaultLock<'m, P: Platform> {
    held: Held<'m, P>,
    task: &'m Task,
}

/// Which lock it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultLockKind {
    /// The mmap lock, read.
    MmapRead,
    /// The lock of the VMA, read.
    VmaRead,
}

impl FaultLockKind {
    /// What the fault's flags say of it.
    pub(super) fn flag(self) -> FaultFlags {
        match self {
            Self::MmapRead => FaultFlags::empty(),
            Self::VmaRead => FaultFlags::VMA_LOCK,
        }
    }

    /// The flags of the next try, after a handler gave up this lock: one that gave up the lock of a VMA without waiting
    /// only wants the mmap lock, and has not been tried.
    pub(super) fn flags_after_retry(self, flags: FaultFlags, effort: Effort) -> FaultFlags {
        match (self, effort) {
            (Self::VmaRead, Effort::Minor) => flags,
            (Self::VmaRead, Effort::Major) | (Self::MmapRead, _) => flags | FaultFlags::TRIED,
        }
    }
}

enum Held<'m, P: Platform> {
    MmapRead { vmas: ReadGuard<'m, P, VmaTree<P>>, vma: VmaIndex },
    VmaRead { vma: Arc<Vma<P>>, _guard: OwnedReadGuard<P> },
}

impl<'m, P: Platform> FaultLock<'m, P> {
    pub(super) fn of_mmap(vmas: ReadGuard<'m, P, VmaTree<P>>, vma: VmaIndex, task: &'m Task) -> Self {
        Self::taken(Held::MmapRead { vmas, vma }, task)
    }

    pub(super) fn of_vma(guard: OwnedReadGuard<P>, vma: Arc<Vma<P>>, task: &'m Task) -> Self {
        Self::taken(Held::VmaRead { vma, _guard: guard }, task)
    }

    fn taken(held: Held<'m, P>, task: &'m Task) -> Self {
        task.count(|counts| counts.locks_taken += 1);
        Self { held, task }
    }

    /// The VMA that covers the faulting address.
    pub fn vma(&self) -> &Vma<P> {
        match &self.held {
            Held::MmapRead { vmas, vma } => vmas.vma(*vma),
            Held::VmaRead { vma, .. } => vma,
        }
    }

    /// The tree that the VMA stands in, if the mmap lock keeps it stable.
    pub(super) fn under_mmap_lock(&self) -> Option<(&VmaTree<P>, VmaIndex)> {
        match &self.held {
            Held::MmapRead { vmas, vma } => Some((vmas, *vma)),
            Held::VmaRead { .. } => None,
        }
    }

    /// The same lock for another try, which need not take it (`__get_user_pages`).
    pub(super) fn go_on(self) -> Self {
        self.task.count(|counts| counts.locks_kept += 1);
        self
    }

    /// Which lock it is.
    pub fn kind(&self) -> FaultLockKind {
        match &self.held {
            Held::MmapRead { .. } => FaultLockKind::MmapRead,
            Held::VmaRead { .. } => FaultLockKind::VmaRead,
        }
    }
}

impl<P: Platform> Drop for FaultLock<'_, P> {
    fn drop(&mut self) {
        self.task.count(|counts| counts.locks_released += 1);
    }
}

/// Takes the mmap lock and finds the VMA of the address (`mm/memory.c`, `lock_mm_and_find_vma`); `None` if there is
/// none, if waiting for the lock in this mode could be waiting for oneself, or if the task was killed while it waited.
pub(super) fn lock_mm_and_find_vma<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    exception: Exception,
) -> Option<FaultLock<'m, P>> {
    enter::<P>("lock_mm_and_find_vma", format_args!("address={}", exception.address)).run(
        || {
            let vmas = get_mmap_lock_carefully(mm, task, exception)?;
            let vma = vmas.find(exception.address)?;
            if vmas.vma(vma).start() <= exception.address {
                return Some(FaultLock::of_mmap(vmas, vma, task));
            }
            match mm.generation().stack_growth() {
                StackGrowth::AmongReaders => {
                    expand_stack(mm, task, &vmas, vma, exception.address).ok()?;
                    Some(FaultLock::of_mmap(vmas, vma, task))
                }
                StackGrowth::Alone => {
                    let is_stack = vmas.vma(vma).flags().contains(VmFlags::GROWSDOWN);
                    drop(vmas);
                    if is_stack { grow_stack(mm, task, exception, vma) } else { None }
                }
            }
        },
        |lock| lock.as_ref().map_or("NULL".to_owned(), |lock| format!("vma {:?}", lock.vma())),
    )
}

/// Lets the stack above the address grow down to it. There is no way from reading to writing without a gap, and in the
/// gap the stack, which was `seen`, may have gone, grown, or given way to another mapping: so it is looked for again
/// (M42).
fn grow_stack<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    exception: Exception,
    seen: VmaIndex,
) -> Option<FaultLock<'m, P>> {
    let mut vmas = upgrade_mmap_lock_carefully(mm, task, exception)?;
    let mut found = Some(seen);
    recheck::<P>(Variant::M42, || {
        found = vmas.find(exception.address);
        found == Some(seen)
    });
    let vma = found?;
    if recheck::<P>(Variant::StackGrown, || vmas.vma(vma).start() > exception.address) {
        expand_stack_locked(mm, task, &mut vmas, vma, exception.address).ok()?;
    }
    Some(FaultLock::of_mmap(vmas.downgrade(), vma, task))
}

/// Tries first; waits only where the kernel expected that it may fault, and until the task is killed
/// (`get_mmap_lock_carefully`).
fn get_mmap_lock_carefully<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &Task,
    exception: Exception,
) -> Option<ReadGuard<'m, P, VmaTree<P>>> {
    match mm.mmap_lock().try_read() {
        Some(vmas) => Some(vmas),
        None if may_wait_for_mmap_lock(exception.regs.mode) => mm.mmap_lock().wait_to_read(task),
        None => None,
    }
}

/// As `get_mmap_lock_carefully`, for writing; reading has ended (`upgrade_mmap_lock_carefully`).
fn upgrade_mmap_lock_carefully<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &Task,
    exception: Exception,
) -> Option<MmapWriteGuard<'m, P>> {
    let may_wait = may_wait_for_mmap_lock(exception.regs.mode) && !task.is_dying::<P>();
    may_wait.then(|| mm.mmap_lock().write())
}
