//! The ways out of a fault that cannot be handled (`arch/x86/mm/fault.c`, `bad_area` and its kin).
//!
//! A user gets a signal (some architectures call that step `__do_user_fault`); the kernel goes on at the fixup that its
//! exception table has for the instruction, or oopses (`__do_kernel_fault` there).

use crate::platform::{Platform, enter, remark};
use crate::x86::{ErrorCode, Mode, PtRegs, Resume, VirtAddr};

use super::access_error::is_denied_by_key;
use super::ending::{BusCode, Ending, FaultCode, Oops};
use super::fault_lock::FaultLock;
use super::task::Task;
use super::vmf::FaultError;

/// A fault, as the exception entry knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exception {
    pub(super) regs: PtRegs,
    pub(super) error_code: ErrorCode,
    pub(super) address: VirtAddr,
}

impl Exception {
    pub(super) fn is_user(&self) -> bool {
        self.regs.mode.is_user()
    }
}

/// The VMA does not allow the access: its key, or its rights (`bad_area_access_error`).
pub(super) fn bad_area_access_error<P: Platform>(
    exception: Exception,
    lock: FaultLock<'_, P>,
    task: &Task,
) -> Resume<Ending> {
    enter::<P>("bad_area_access_error", format_args!("address={}", exception.address)).run(
        || {
            let by_key = is_denied_by_key(exception.error_code, lock.vma(), task);
            let pkey = lock.vma().flags().pkey();
            drop(lock);
            let code = if by_key { FaultCode::PkuErr { pkey } } else { FaultCode::AccErr };
            bad_area_nosemaphore::<P>(exception, code)
        },
        tell_resume,
    )
}

/// SIGSEGV to a user, or the kernel's own way out (`__bad_area_nosemaphore`).
pub(super) fn bad_area_nosemaphore<P: Platform>(exception: Exception, code: FaultCode) -> Resume<Ending> {
    enter::<P>("__bad_area_nosemaphore", format_args!("address={}, {code:?}", exception.address)).run(
        || {
            if !exception.is_user() {
                return kernelmode_fixup_or_oops::<P>(exception);
            }
            if !exception.error_code.contains(ErrorCode::USER) {
                // The CPU read a table of its own for a user's instruction: that the user can do nothing about.
                return page_fault_oops::<P>(Oops::ImplicitAccess(exception.address));
            }
            remark::<P>(format_args!("__do_user_fault, as others call it: force_sig_fault(SIGSEGV)"));
            Resume::Instead(Ending::Sigsegv(code, exception.address))
        },
        tell_resume,
    )
}

/// SIGBUS to a user, or the kernel's own way out (`do_sigbus`).
fn do_sigbus<P: Platform>(exception: Exception, code: BusCode) -> Resume<Ending> {
    enter::<P>("do_sigbus", format_args!("address={}, {code:?}", exception.address)).run(
        || {
            if !exception.is_user() {
                return kernelmode_fixup_or_oops::<P>(exception);
            }
            Resume::Instead(Ending::Sigbus(code, exception.address))
        },
        tell_resume,
    )
}

/// What an error of `handle_mm_fault` comes to; the fault lock is released.
pub(super) fn mm_fault_error<P: Platform>(exception: Exception, error: FaultError, task: &Task) -> Resume<Ending> {
    enter::<P>("mm_fault_error", format_args!("fault={}", error.words())).run(
        || match error {
            _ if !exception.is_user() && task.is_dying::<P>() => kernelmode_fixup_or_oops::<P>(exception),
            FaultError::Oom if exception.is_user() => {
                remark::<P>(format_args!("pagefault_out_of_memory"));
                Resume::Instead(Ending::OutOfMemory)
            }
            FaultError::Oom => kernelmode_fixup_or_oops::<P>(exception),
            FaultError::Sigbus => do_sigbus::<P>(exception, BusCode::AdrErr),
            FaultError::HwPoison { lsb } => do_sigbus::<P>(exception, BusCode::McErr { lsb }),
            FaultError::Sigsegv => bad_area_nosemaphore::<P>(exception, FaultCode::MapErr),
        },
        tell_resume,
    )
}

/// The exception table has an answer, or nobody has (`kernelmode_fixup_or_oops`).
pub(super) fn kernelmode_fixup_or_oops<P: Platform>(exception: Exception) -> Resume<Ending> {
    enter::<P>("kernelmode_fixup_or_oops", format_args!("address={}", exception.address)).run(
        || {
            if exception.regs.mode.has_fixup() {
                remark::<P>(format_args!("fixup_exception: the exception table lists the instruction"));
                return Resume::Instead(Ending::Efault);
            }
            page_fault_oops::<P>(Oops::BadAddress(exception.address))
        },
        tell_resume,
    )
}

/// The kernel has a bug (`page_fault_oops`).
pub(super) fn page_fault_oops<P: Platform>(oops: Oops) -> Resume<Ending> {
    enter::<P>("page_fault_oops", format_args!("{oops:?}; __do_kernel_fault, as others call it"))
        .run(|| Resume::Never(Ending::Oops(oops)), tell_resume)
}

pub(super) fn tell_resume(resume: &Resume<Ending>) -> String {
    match resume {
        Resume::Retry => "retry the instruction".to_owned(),
        Resume::Instead(ending) | Resume::Never(ending) => ending.to_string(),
    }
}

/// Whether waiting for the mmap lock in this mode could be waiting for oneself.
pub(super) fn may_wait_for_mmap_lock(mode: Mode) -> bool {
    mode.is_user() || mode.has_fixup()
}
