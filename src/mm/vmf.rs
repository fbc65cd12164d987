//! One fault under way, and what its handlers return.

use crate::platform::Platform;
use crate::x86::{PteVal, VirtAddr};

use super::entry_at::EntryAt;
use super::fault_flags::FaultFlags;
use super::fault_lock::FaultLock;
use super::mm_struct::Mm;
use super::task::Task;
use super::vma::Vma;

/// A fault under way (`struct vm_fault`). It owns the fault lock, and a handler gives it back with the result.
pub(super) struct Vmf<'m, P: Platform> {
    pub(super) lock: FaultLock<'m, P>,
    pub(super) mm: &'m Mm<P>,
    pub(super) task: &'m Task,
    /// The first byte of the page.
    pub(super) address: VirtAddr,
    /// The byte that was accessed.
    pub(super) real_address: VirtAddr,
    pub(super) flags: FaultFlags,
    pub(super) pmd: EntryAt,
    /// The entry as it was read without the lock; `None` if there was no table to read it from (`ORIG_PTE_VALID`).
    pub(super) orig_pte: Option<PteVal>,
}

impl<'m, P: Platform> Vmf<'m, P> {
    pub(super) fn vma(&self) -> &Vma<P> {
        self.lock.vma()
    }

    /// Done, or somebody else was: the access will be tried again (0).
    pub(super) fn handled(self) -> VmFault<'m, P> {
        VmFault::Handled(self.lock)
    }

    /// It cannot be done.
    pub(super) fn failed(self, error: FaultError) -> VmFault<'m, P> {
        VmFault::Failed(self.lock, error)
    }
}

/// What handling a fault came to, with the fault lock where it is still held (`vm_fault_t`).
#[must_use]
pub enum VmFault<'m, P: Platform> {
    /// 0: the page is there, or somebody changed the entry meanwhile; the access will tell.
    Handled(FaultLock<'m, P>),
    /// `VM_FAULT_OOM`, `VM_FAULT_SIGBUS` or `VM_FAULT_SIGSEGV`.
    Failed(FaultLock<'m, P>, FaultError),
}

/// Why a fault could not be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// No memory (`VM_FAULT_OOM`).
    Oom,
    /// There is nothing to map (`VM_FAULT_SIGBUS`).
    Sigbus,
    /// The access is not allowed (`VM_FAULT_SIGSEGV`).
    Sigsegv,
}

impl<P: Platform> VmFault<'_, P> {
    /// What Linux calls it.
    pub fn words(&self) -> String {
        match self {
            Self::Handled(_) => "0",
            Self::Failed(_, FaultError::Oom) => "VM_FAULT_OOM",
            Self::Failed(_, FaultError::Sigbus) => "VM_FAULT_SIGBUS",
            Self::Failed(_, FaultError::Sigsegv) => "VM_FAULT_SIGSEGV",
        }
        .to_owned()
    }
}
