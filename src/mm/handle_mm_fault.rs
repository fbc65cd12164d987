//! The fault path's front door (`mm/memory.c`, `handle_mm_fault`): checks, policy, the work, the accounting.

use crate::platform::{Platform, enter, remark};
use crate::x86::VirtAddr;

use super::access_error::{Verdict, arch_vma_access_permitted};
use super::fault_flags::FaultFlags;
use super::fault_lock::FaultLock;
use super::hugetlb::hugetlb_fault;
use super::mm_struct::Mm;
use super::task::Task;
use super::vm_flags::VmFlags;
use super::vma::Vma;
use super::vmf::{Effort, FaultError, VmFault};
use super::walk::__handle_mm_fault;

/// Handles a fault at `address` under the fault lock, which comes back with the result.
pub(super) fn handle_mm_fault<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    lock: FaultLock<'m, P>,
    address: VirtAddr,
    flags: FaultFlags,
) -> VmFault<'m, P> {
    enter::<P>("handle_mm_fault", format_args!("vma={:?}, address={address}, flags={flags}", lock.vma())).run(
        || {
            remark::<P>(format_args!("__set_current_state(TASK_RUNNING)"));
            let flags = match sanitize_fault_flags(lock.vma(), flags) {
                Ok(flags) => flags,
                Err(error) => return account(task, flags, VmFault::Failed(lock, error)),
            };
            if arch_vma_access_permitted(lock.vma(), flags, task) == Verdict::Denied {
                return account(task, flags, VmFault::Failed(lock, FaultError::Sigsegv));
            }
            lru_gen_enter_fault(task, lock.vma());
            let result = if lock.vma().flags().contains(VmFlags::HUGETLB) {
                hugetlb_fault(mm, task, lock, address, flags)
            } else {
                __handle_mm_fault(mm, task, lock, address, flags)
            };
            task.set_in_lru_fault(false);
            account(task, flags, result)
        },
        VmFault::words,
    )
}

/// Refuses flags that contradict each other or the VMA. Permission was decided before, by `access_error`.
fn sanitize_fault_flags<P: Platform>(vma: &Vma<P>, flags: FaultFlags) -> Result<FaultFlags, FaultError> {
    enter::<P>("sanitize_fault_flags", format_args!("flags={flags}")).run(
        || {
            let mut flags = flags;
            // Who may not wait keeps the lock on RETRY, and nobody could tell which lock that is.
            if flags.contains(FaultFlags::VMA_LOCK | FaultFlags::RETRY_NOWAIT) {
                return Err(FaultError::Sigsegv);
            }
            if flags.contains(FaultFlags::UNSHARE) {
                if flags.contains(FaultFlags::WRITE) {
                    return Err(FaultError::Sigsegv);
                }
                flags.set(FaultFlags::UNSHARE, vma.is_cow());
            } else if flags.contains(FaultFlags::WRITE) {
                let may = vma.flags().contains(VmFlags::MAYWRITE);
                let allowed = vma.flags().contains(VmFlags::WRITE) || vma.is_cow();
                if !may || !allowed {
                    return Err(FaultError::Sigsegv);
                }
            }
            Ok(flags)
        },
        |result| result.as_ref().map_or_else(|error| format!("{error:?}"), |_| "0".to_owned()),
    )
}

/// Notes whether this access says anything about how recently the page was used (`lru_gen_enter_fault`).
fn lru_gen_enter_fault<P: Platform>(task: &Task, vma: &Vma<P>) {
    let recency = !vma.flags().intersects(VmFlags::SEQ_READ | VmFlags::RAND_READ);
    enter::<P>("lru_gen_enter_fault", format_args!("vma={vma:?}"))
        .run(|| task.set_in_lru_fault(recency), |()| format!("in_lru_fault={recency}"));
}

/// Counts the fault, once (`mm_account_fault`; D54): a try that is to be repeated counts nothing, and the last one is
/// major if this try or an earlier one had to wait.
fn account<'m, P: Platform>(task: &Task, flags: FaultFlags, result: VmFault<'m, P>) -> VmFault<'m, P> {
    enter::<P>("mm_account_fault", format_args!("result={}", result.words())).run(
        || {
            task.count(|counts| {
                counts.calls += 1;
                let effort = match &result {
                    VmFault::Retry(_) => {
                        counts.retries += 1;
                        return;
                    }
                    VmFault::Failed(..) => {
                        counts.pgfault += 1;
                        counts.errors += 1;
                        return;
                    }
                    VmFault::Handled(_, effort) | VmFault::NoPage(_, effort) | VmFault::Completed(effort) => *effort,
                };
                counts.pgfault += 1;
                if effort == Effort::Major || flags.contains(FaultFlags::TRIED) {
                    counts.maj_flt += 1;
                } else {
                    counts.min_flt += 1;
                }
            });
        },
        |()| format!("min_flt={}, maj_flt={}", task.counts().min_flt, task.counts().maj_flt),
    );
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Native, X86_64};

    fn sanitized(vma: VmFlags, flags: FaultFlags) -> Result<FaultFlags, FaultError> {
        let vma = Vma::<Native<X86_64>>::new(VirtAddr::user(0x1000), VirtAddr::user(0x2000), vma);
        sanitize_fault_flags(&vma, flags)
    }

    #[test]
    fn contradictions_are_refused() {
        let (write, unshare) = (FaultFlags::WRITE, FaultFlags::UNSHARE);
        let private = VmFlags::READ | VmFlags::MAYWRITE;
        assert_eq!(sanitized(private, write | unshare), Err(FaultError::Sigsegv));
        let nowait = FaultFlags::VMA_LOCK | FaultFlags::RETRY_NOWAIT;
        assert_eq!(sanitized(private, nowait), Err(FaultError::Sigsegv));
        assert_eq!(sanitized(private, unshare), Ok(unshare));
        assert_eq!(sanitized(private | VmFlags::SHARED, unshare), Ok(FaultFlags::empty()));
        assert_eq!(sanitized(private, write), Ok(write), "a forced write to a private mapping copies");
        assert_eq!(sanitized(private | VmFlags::SHARED, write), Err(FaultError::Sigsegv));
        assert_eq!(sanitized(VmFlags::WRITE, write), Err(FaultError::Sigsegv), "no VM_MAYWRITE");
    }
}
