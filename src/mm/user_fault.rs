//! A fault at an address of user space (`arch/x86/mm/fault.c`, `do_user_addr_fault`).
//!
//! ```text
//!   oops at once? faults disabled? ──────────────────────────────────────> bad area
//!          │
//!   user mode, per-VMA locks: lock_vma_under_rcu ── handle_mm_fault ──> done, error
//!          │ no lock                                       │ RETRY
//!          v                                               v
//!   lock_mm_and_find_vma <──────────── TRIED ───────────── signal? ────> leave
//!          │        ^                    │
//!          v        └────────────────────┤ RETRY
//!   access_error, handle_mm_fault ───────┴─────────────────────────────> done, error
//! ```
//!
//! # Invariants
//! - I1 (D52). A lock that a handler gave up is not released again: the result says by its type who holds it.
//! - I2. After the first RETRY that waited the flags say TRIED, and a later try waits with its lock held, so a fault
//!   makes progress.

use crate::platform::{Platform, enter, remark};
use crate::x86::{ErrorCode, Interrupts, Resume};

use super::access_error::{Verdict, access_error};
use super::bad_area::{
    Exception, bad_area_access_error, bad_area_nosemaphore, kernelmode_fixup_or_oops, mm_fault_error, page_fault_oops,
    tell_resume,
};
use super::ending::{Ending, FaultCode, Oops};
use super::fault_flags::FaultFlags;
use super::fault_lock::{FaultLock, lock_mm_and_find_vma};
use super::generation::{Generation, VmaLocking};
use super::handle_mm_fault::handle_mm_fault;
use super::mm_struct::Mm;
use super::task::{Signal, Task};
use super::vma_lock::lock_vma_under_rcu;
use super::vmf::VmFault;

/// Handles a fault at an address that a user can have.
pub(super) fn do_user_addr_fault<P: Platform>(mm: &Mm<P>, task: &Task, exception: Exception) -> Resume<Ending> {
    let Exception { error_code, address, .. } = exception;
    enter::<P>("do_user_addr_fault", format_args!("error_code={:#x}, address={address}", error_code.bits())).run(
        || {
            if let Some(oops) = oops_before_locking(exception) {
                return page_fault_oops::<P>(oops);
            }
            if !may_handle(mm.generation(), task, exception) {
                remark::<P>(format_args!("no fault may be handled here"));
                return bad_area_nosemaphore::<P>(exception, FaultCode::MapErr);
            }
            let flags = fault_flags(exception);
            remark::<P>(format_args!("flags={flags}"));
            let flags = match try_vma_lock(mm, task, exception, flags) {
                Attempt::Over(resume) => return resume,
                Attempt::Again(flags) => flags,
            };
            under_mmap_lock(mm, task, exception, flags)
        },
        tell_resume,
    )
}

/// Faults of the kernel that no entry can excuse.
fn oops_before_locking(Exception { regs, error_code, .. }: Exception) -> Option<Oops> {
    let by_kernel = !error_code.contains(ErrorCode::USER);
    if by_kernel && error_code.contains(ErrorCode::FETCH) {
        return Some(Oops::ExecutedUserMemory);
    }
    if error_code.contains(ErrorCode::RESERVED) {
        return Some(Oops::CorruptTable);
    }
    // SMAP: the kernel announces its accesses to user memory by EFLAGS.AC. The exception table is not asked.
    (by_kernel && !regs.mode.announces_user_access()).then_some(Oops::UnannouncedUserAccess)
}

/// Whether the task may sleep and has memory of its own (`faulthandler_disabled`, `current->mm`), and was
/// interruptible.
fn may_handle(generation: Generation, task: &Task, exception: Exception) -> bool {
    let interrupts = match generation {
        // 4.4 leaves interrupts off and goes on.
        Generation::G2 => true,
        Generation::G6 => exception.regs.interrupts == Interrupts::Enabled,
    };
    interrupts && !task.are_faults_disabled() && task.has_mm()
}

fn fault_flags(exception: Exception) -> FaultFlags {
    let mut flags = FaultFlags::DEFAULT;
    let Exception { error_code, .. } = exception;
    flags.set(FaultFlags::USER, exception.is_user());
    flags.set(FaultFlags::WRITE, error_code.intersects(ErrorCode::WRITE | ErrorCode::SHADOW_STACK));
    flags.set(FaultFlags::INSTRUCTION, error_code.contains(ErrorCode::FETCH));
    flags
}

/// How one try of a fault went.
#[must_use]
enum Attempt {
    /// The fault is over.
    Over(Resume<Ending>),
    /// It is to be tried again, under the mmap lock, with these flags.
    Again(FaultFlags),
}

/// Tries the fault under the lock of its VMA alone.
fn try_vma_lock<P: Platform>(mm: &Mm<P>, task: &Task, exception: Exception, flags: FaultFlags) -> Attempt {
    match mm.generation().vma_locking() {
        VmaLocking::PerVma if exception.is_user() => {}
        VmaLocking::PerVma | VmaLocking::MmapLockOnly => return Attempt::Again(flags),
    }
    match lock_vma_under_rcu(mm, task, exception.address) {
        Some(lock) => try_once(mm, task, exception, lock, flags),
        None => Attempt::Again(flags),
    }
}

/// Tries the fault under the mmap lock, until it need not be tried again.
fn under_mmap_lock<P: Platform>(mm: &Mm<P>, task: &Task, exception: Exception, flags: FaultFlags) -> Resume<Ending> {
    let mut flags = flags;
    loop {
        let Some(lock) = lock_mm_and_find_vma(mm, task, exception) else {
            return bad_area_nosemaphore::<P>(exception, FaultCode::MapErr);
        };
        match try_once(mm, task, exception, lock, flags) {
            Attempt::Over(resume) => return resume,
            Attempt::Again(with) => flags = with,
        }
    }
}

/// Tries the fault under the lock that it has got.
fn try_once<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    exception: Exception,
    lock: FaultLock<'m, P>,
    flags: FaultFlags,
) -> Attempt {
    if access_error(exception.error_code, lock.vma(), task) == Verdict::Denied {
        return Attempt::Over(bad_area_access_error(exception, lock, task));
    }
    let kind = lock.kind();
    match handle_mm_fault(mm, task, lock, exception.address, flags | kind.flag()) {
        VmFault::Handled(lock, _) | VmFault::NoPage(lock, _) => {
            drop(lock);
            Attempt::Over(Resume::Retry)
        }
        VmFault::Completed(_) => Attempt::Over(Resume::Retry),
        VmFault::Failed(lock, error) => {
            drop(lock);
            Attempt::Over(mm_fault_error::<P>(exception, error, task))
        }
        VmFault::Retry(effort) => match fault_signal_pending::<P>(exception, task) {
            Some(resume) => Attempt::Over(resume),
            None => Attempt::Again(kind.flags_after_retry(flags, effort)),
        },
    }
}

/// What a signal makes of a fault that is to be tried again (`fault_signal_pending`): a task that dies does not go on,
/// and a user's task handles any signal first.
fn fault_signal_pending<P: Platform>(exception: Exception, task: &Task) -> Option<Resume<Ending>> {
    match (task.pending_signal::<P>(), exception.is_user()) {
        (Some(_), true) => Some(Resume::Retry),
        (Some(Signal::Fatal), false) => Some(kernelmode_fixup_or_oops::<P>(exception)),
        (Some(Signal::Handled), false) | (None, _) => None,
    }
}
