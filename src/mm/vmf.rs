//! One fault under way, and what its handlers return.
//!
//! # Who holds the fault lock afterwards
//!
//! | result | fault lock | the caller |
//! |---|---|---|
//! | `Handled` (0) | held | lets the access be tried again |
//! | `NoPage` | held | the same; the entry is there, or will be |
//! | `Retry` | dropped | faults again, with `TRIED` |
//! | `Completed` | dropped | is finished, and touches nothing |
//! | `Failed` | held | signals, or asks the out-of-memory killer |
//!
//! The lock is in the value where it is held, so the two cannot be confused (D52). `VM_FAULT_FALLBACK`, which the
//! handlers of huge entries return, stays inside the walk: it gives the [`Vmf`] back and is no `VmFault` (D55).

use crate::platform::{Platform, Variant, lacks};
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

    /// The address that shows a page of the VMA's file.
    ///
    /// # Panics
    /// If the VMA has no file.
    pub(super) fn address_of(&self, index: u64) -> VirtAddr {
        self.vma().file().expect("only a VMA of a file has pages of one").address(index)
    }

    /// Done, or somebody else was: the access will be tried again (0).
    pub(super) fn handled(self) -> VmFault<'m, P> {
        VmFault::Handled(self.lock, Effort::Minor)
    }

    /// The entry is there, or will be (`VM_FAULT_NOPAGE`).
    pub(super) fn no_page(self, effort: Effort) -> VmFault<'m, P> {
        VmFault::NoPage(self.lock, effort)
    }

    /// The lock is dropped and the fault begins again (`VM_FAULT_RETRY`).
    pub(super) fn retry(self, effort: Effort) -> VmFault<'m, P> {
        if lacks::<P>(Variant::M68) {
            std::mem::forget(self.lock);
        } else {
            drop(self.lock);
        }
        VmFault::Retry(effort)
    }

    /// It cannot be done.
    pub(super) fn failed(self, error: FaultError) -> VmFault<'m, P> {
        VmFault::Failed(self.lock, error)
    }
}

/// Whether a fault had to wait for I/O (`VM_FAULT_MAJOR`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// It had not.
    Minor,
    /// It had.
    Major,
}

/// What handling a fault came to, with the fault lock where it is still held (`vm_fault_t`).
#[must_use]
pub enum VmFault<'m, P: Platform> {
    /// 0: the page is there, or somebody changed the entry meanwhile; the access will tell.
    Handled(FaultLock<'m, P>, Effort),
    /// `VM_FAULT_NOPAGE`: the entry is there, or will be, and there is no page to hand back.
    NoPage(FaultLock<'m, P>, Effort),
    /// `VM_FAULT_RETRY`: the lock was dropped, and everything must be looked up again.
    Retry(Effort),
    /// `VM_FAULT_COMPLETED`: done, and the lock was dropped.
    Completed(Effort),
    /// `VM_FAULT_OOM`, `VM_FAULT_SIGBUS`, `VM_FAULT_SIGSEGV` or `VM_FAULT_HWPOISON`.
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
    /// The memory is broken (`VM_FAULT_HWPOISON`, `VM_FAULT_HWPOISON_LARGE`): a block of `1 << lsb` bytes.
    HwPoison {
        /// The lowest bit of an address that tells blocks apart.
        lsb: u32,
    },
}

impl FaultError {
    /// What Linux calls it.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Oom => "VM_FAULT_OOM",
            Self::Sigbus => "VM_FAULT_SIGBUS",
            Self::Sigsegv => "VM_FAULT_SIGSEGV",
            Self::HwPoison { .. } => "VM_FAULT_HWPOISON",
        }
    }
}

impl<P: Platform> VmFault<'_, P> {
    /// What Linux calls it.
    pub fn words(&self) -> String {
        let (name, effort) = match self {
            Self::Handled(_, effort) => ("0", *effort),
            Self::NoPage(_, effort) => ("VM_FAULT_NOPAGE", *effort),
            Self::Retry(effort) => ("VM_FAULT_RETRY", *effort),
            Self::Completed(effort) => ("VM_FAULT_COMPLETED", *effort),
            Self::Failed(_, error) => (error.words(), Effort::Minor),
        };
        match effort {
            Effort::Minor => name.to_owned(),
            Effort::Major if name == "0" => "VM_FAULT_MAJOR".to_owned(),
            Effort::Major => format!("{name}|VM_FAULT_MAJOR"),
        }
    }
}
