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
    enter::<P>("fault_signal_pending", format_args!("")).run(
        || match (task.pending_signal::<P>(), exception.is_user()) {
            (Some(_), true) => Some(Resume::Retry),
            (Some(Signal::Fatal), false) => Some(kernelmode_fixup_or_oops::<P>(exception)),
            (Some(Signal::Handled), false) | (None, _) => None,
        },
        |pending| pending.is_some().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;
    use crate::mm::{BusCode, FaultError, Process, Signals, VmFlags, Vma};
    use crate::phys::{CpuId, Pfn, PhysConfig};
    use crate::platform::interleaved::{Interleaved, Search, explore};
    use crate::platform::{Arc, Native, TwoLevels, Verdict, Watch, X86_64};
    use crate::x86::{ExceptionHandler, Machine, Mode, Pkru, PtRegs, VirtAddr};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const READ: VirtAddr = VirtAddr::user(0x10000);
    const WRITE: VirtAddr = VirtAddr::user(0x20008);
    const EXEC: VirtAddr = VirtAddr::user(0x30000);
    const SHADOW: VirtAddr = VirtAddr::user(0x40000);
    const KEYED: VirtAddr = VirtAddr::user(0x50000);
    const NOTHING_BEHIND: VirtAddr = VirtAddr::user(0x60000);
    const UNMAPPED: VirtAddr = VirtAddr::user(0x70000);
    const BELOW_STACK: VirtAddr = VirtAddr::user(0x4000_0000 - 8);

    /// An address space with a page of each kind, on a machine with so many frames.
    fn mm(generation: Generation, frames: usize) -> Mm<P> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), frames, 1)).expect("a little memory");
        let mm = Mm::new(Arc::new(machine), generation, CPU).expect("a frame for the root table");
        let (read, write) = (VmFlags::READ, VmFlags::READ | VmFlags::WRITE | VmFlags::MAYWRITE);
        for (page, flags) in [
            (READ, read),
            (WRITE, write),
            (EXEC, read | VmFlags::EXEC),
            (SHADOW, write | VmFlags::SHADOW_STACK),
            (KEYED, write.with_pkey(3)),
            (NOTHING_BEHIND, read | VmFlags::SHARED),
            (VirtAddr::user(0x4000_0000), write | VmFlags::GROWSDOWN),
        ] {
            let start = page.page_start(P::GEOMETRY);
            mm.mmap_lock().write().insert(Vma::new(start, start.offset(0x1000), flags));
        }
        mm
    }

    /// One page fault of a task, as the exception entry reports it.
    fn fault(mm: &Mm<P>, task: &Task, mode: Mode, error_code: u64, address: VirtAddr) -> Resume<Ending> {
        let regs = PtRegs { mode, interrupts: Interrupts::Enabled };
        Process::new(mm, task).exc_page_fault(regs, ErrorCode::from_bits_truncate(error_code), address)
    }

    fn segv(code: FaultCode, address: VirtAddr) -> Resume<Ending> {
        Resume::Instead(Ending::Sigsegv(code, address))
    }

    fn oops(oops: Oops) -> Resume<Ending> {
        Resume::Never(Ending::Oops(oops))
    }

    const EFAULT: Resume<Ending> = Resume::Instead(Ending::Efault);

    #[test]
    fn a_user_goes_on_or_gets_a_signal() {
        let no_access = FaultCode::AccErr;
        for (error_code, address, expected) in [
            (0x4, READ, Resume::Retry),
            (0x6, READ, segv(no_access, READ)),
            (0x7, READ, segv(no_access, READ)),
            (0x5, READ, segv(no_access, READ)),
            (0x14, READ, Resume::Retry),
            (0x15, READ, segv(no_access, READ)),
            (0x6, WRITE, Resume::Retry),
            (0x7, WRITE, Resume::Retry),
            (0x14, EXEC, Resume::Retry),
            (0x44, SHADOW, Resume::Retry),
            (0x46, SHADOW, Resume::Retry),
            (0x6, SHADOW, segv(no_access, SHADOW)),
            (0x46, WRITE, segv(no_access, WRITE)),
            (0x8004, WRITE, segv(no_access, WRITE)),
            (0x25, KEYED, segv(FaultCode::PkuErr { pkey: 3 }, KEYED)),
            (0x4, UNMAPPED, segv(FaultCode::MapErr, UNMAPPED)),
            (0x6, BELOW_STACK, Resume::Retry),
            (0x4, NOTHING_BEHIND, Resume::Instead(Ending::Sigbus(BusCode::AdrErr, NOTHING_BEHIND))),
            (0xd, READ, oops(Oops::CorruptTable)),
            (0x0, WRITE, oops(Oops::UnannouncedUserAccess)),
        ] {
            for generation in Generation::ALL {
                let resume = fault(&mm(generation, 64), &Task::new(CPU), Mode::User, error_code, address);
                assert_eq!(resume, expected, "{error_code:#x} at {address}, {generation}");
            }
        }
    }

    #[test]
    fn the_kernel_goes_on_finds_a_fixup_or_oopses() {
        use Mode::{Kernel, KernelAnnounced, KernelProbe, KernelUserCopy};
        let bad = |address| oops(Oops::BadAddress(address));
        let unannounced = oops(Oops::UnannouncedUserAccess);
        for (mode, error_code, address, expected) in [
            (KernelUserCopy, 0x2, WRITE, Resume::Retry),
            (KernelUserCopy, 0x2, READ, EFAULT),
            (KernelUserCopy, 0x0, UNMAPPED, EFAULT),
            (KernelUserCopy, 0x21, KEYED, EFAULT),
            (KernelUserCopy, 0x0, NOTHING_BEHIND, EFAULT),
            (KernelUserCopy, 0x2, BELOW_STACK, Resume::Retry),
            (KernelUserCopy, 0x10, EXEC, oops(Oops::ExecutedUserMemory)),
            (KernelUserCopy, 0x9, READ, oops(Oops::CorruptTable)),
            (KernelAnnounced, 0x2, WRITE, Resume::Retry),
            (KernelAnnounced, 0x0, UNMAPPED, bad(UNMAPPED)),
            (KernelAnnounced, 0x0, NOTHING_BEHIND, bad(NOTHING_BEHIND)),
            (KernelProbe, 0x0, READ, unannounced),
            (Kernel, 0x0, READ, unannounced),
        ] {
            for generation in Generation::ALL {
                let resume = fault(&mm(generation, 64), &Task::new(CPU), mode, error_code, address);
                assert_eq!(resume, expected, "{mode:?}, {error_code:#x} at {address}, {generation}");
            }
        }
    }

    #[test]
    fn an_address_of_the_kernel_is_nobodys() {
        let (mm, task) = (mm(Generation::G6, 64), Task::new(CPU));
        let address = VirtAddr::user(0xffff_8880_0000_0000);
        assert_eq!(fault(&mm, &task, Mode::User, 0x5, address), segv(FaultCode::MapErr, address));
        assert_eq!(fault(&mm, &task, Mode::User, 0x0, address), oops(Oops::ImplicitAccess(address)), "the CPU's own");
        assert_eq!(fault(&mm, &task, Mode::KernelProbe, 0x0, address), EFAULT);
        assert_eq!(fault(&mm, &task, Mode::Kernel, 0x0, address), oops(Oops::BadAddress(address)));
    }

    #[test]
    fn where_no_fault_may_be_handled_only_a_fixup_helps() {
        let mm = mm(Generation::G6, 64);
        let (task, thread) = (Task::new(CPU), Task::kernel_thread(CPU));
        let in_atomic = |mode| task.with_faults_disabled(|| fault(&mm, &task, mode, 0x2, WRITE));
        assert_eq!(in_atomic(Mode::KernelUserCopy), EFAULT);
        assert_eq!(in_atomic(Mode::KernelAnnounced), oops(Oops::BadAddress(WRITE)));
        assert_eq!(fault(&mm, &task, Mode::KernelUserCopy, 0x2, WRITE), Resume::Retry, "they are enabled again");
        assert_eq!(fault(&mm, &thread, Mode::KernelUserCopy, 0x2, WRITE), EFAULT);
        assert_eq!(task.counts().calls, 1);
    }

    #[test]
    fn with_interrupts_off_only_the_old_kernel_goes_on() {
        let regs = PtRegs { mode: Mode::KernelUserCopy, interrupts: Interrupts::Disabled };
        for (generation, expected) in [(Generation::G2, Resume::Retry), (Generation::G6, EFAULT)] {
            let (mm, task) = (mm(generation, 64), Task::new(CPU));
            let resume = Process::new(&mm, &task).exc_page_fault(regs, ErrorCode::WRITE, WRITE);
            assert_eq!(resume, expected, "{generation}");
        }
    }

    #[test]
    fn a_key_that_the_task_may_not_use_is_named() {
        let mm = mm(Generation::G6, 64);
        let task = Task::new(CPU).with_pkru(Pkru::new(0b10 << 6));
        assert_eq!(fault(&mm, &task, Mode::User, 0x4, KEYED), Resume::Retry, "it may read");
        assert_eq!(fault(&mm, &task, Mode::User, 0x6, KEYED), segv(FaultCode::PkuErr { pkey: 3 }, KEYED));
        assert_eq!(fault(&mm, &task, Mode::KernelUserCopy, 0x2, KEYED), EFAULT);
    }

    #[test]
    fn without_memory_a_user_waits_for_a_victim_and_the_kernel_returns_an_error() {
        // The zero page and the root table take all there is.
        for (mode, expected) in [
            (Mode::User, Resume::Instead(Ending::OutOfMemory)),
            (Mode::KernelUserCopy, EFAULT),
            (Mode::KernelAnnounced, oops(Oops::BadAddress(WRITE))),
        ] {
            let error_code = if mode.is_user() { 0x6 } else { 0x2 };
            assert_eq!(fault(&mm(Generation::G6, 2), &Task::new(CPU), mode, error_code, WRITE), expected, "{mode:?}");
        }
    }

    #[test]
    fn broken_memory_is_a_bus_error_with_its_size() {
        let regs = PtRegs { mode: Mode::User, interrupts: Interrupts::Enabled };
        let exception = Exception { regs, error_code: ErrorCode::USER, address: READ };
        for lsb in [12, 21] {
            let resume = mm_fault_error::<P>(exception, FaultError::HwPoison { lsb }, &Task::new(CPU));
            assert_eq!(resume, Resume::Instead(Ending::Sigbus(BusCode::McErr { lsb }, READ)));
        }
        let dying = Task::new(CPU).with_signals(Signals::Pending(Signal::Fatal));
        let by_kernel = Exception { regs: PtRegs { mode: Mode::KernelUserCopy, ..regs }, ..exception };
        assert_eq!(mm_fault_error::<P>(by_kernel, FaultError::Sigbus, &dying), EFAULT);
    }

    /// A task that writes while somebody holds the mmap lock for writing, but not its VMA: the fault takes the VMA's
    /// lock, finds no `anon_vma`, cannot have the mmap lock, and returns RETRY.
    fn fault_that_must_retry(signals: Signals) -> (Resume<Ending>, Task) {
        let (mm, task) = (mm(Generation::G6, 64), Task::new(CPU).with_signals(signals));
        let writer = mm.mmap_lock().write();
        let resume = fault(&mm, &task, Mode::User, 0x6, WRITE);
        drop(writer);
        (resume, task)
    }

    #[test]
    fn a_signal_ends_a_fault_that_is_to_be_tried_again() {
        for (signal, expected) in [(Signal::Fatal, Resume::Instead(Ending::Killed)), (Signal::Handled, Resume::Retry)] {
            let (resume, task) = fault_that_must_retry(Signals::Pending(signal));
            assert_eq!(resume, expected);
            let counts = task.counts();
            assert_eq!((counts.calls, counts.retries, counts.pgfault), (1, 1, 0), "a try is no fault");
            assert_eq!((counts.locks_taken, counts.locks_released), (1, 1));
        }
    }

    #[test]
    fn who_is_killed_while_waiting_for_the_mmap_lock_goes() {
        let (mm, task) = (mm(Generation::G2, 64), Task::new(CPU).with_signals(Signals::Pending(Signal::Fatal)));
        let writer = mm.mmap_lock().write();
        assert_eq!(fault(&mm, &task, Mode::User, 0x6, WRITE), Resume::Instead(Ending::Killed));
        assert_eq!(fault(&mm, &task, Mode::KernelUserCopy, 0x2, WRITE), EFAULT);
        drop(writer);
        assert_eq!(task.counts().calls, 0);
    }

    #[test]
    fn a_task_that_dies_gets_no_other_signal_but_an_oops_comes_first() {
        let mm = mm(Generation::G6, 64);
        let dying = Task::new(CPU).with_signals(Signals::Pending(Signal::Fatal));
        assert_eq!(fault(&mm, &dying, Mode::User, 0x4, UNMAPPED), Resume::Instead(Ending::Killed));
        assert_eq!(fault(&mm, &dying, Mode::User, 0xd, READ), oops(Oops::CorruptTable));
        let handles = Task::new(CPU).with_signals(Signals::Pending(Signal::Handled));
        assert_eq!(fault(&mm, &handles, Mode::User, 0x4, UNMAPPED), segv(FaultCode::MapErr, UNMAPPED));
    }

    #[test]
    fn a_signal_may_arrive_wherever_linux_looks_for_one() {
        type C = Interleaved<TwoLevels>;
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let noted = Arc::clone(&seen);
        let report = explore("signals", Search::Everything, &Watch::default(), move || {
            let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 16, 2)).expect("a little memory");
            let mm = Arc::new(Mm::<C>::new(Arc::new(machine), Generation::G6, CPU).expect("a frame for the root"));
            let rights = VmFlags::READ | VmFlags::WRITE | VmFlags::MAYWRITE;
            mm.mmap_lock().write().insert(Vma::new(VirtAddr::ZERO, VirtAddr::user(16), rights));
            let faulting = Arc::clone(&mm);
            let faulter = C::spawn("F".to_owned(), move || {
                let task = Task::new(CpuId::new(1)).with_signals(Signals::MayArrive);
                let regs = PtRegs { mode: Mode::User, interrupts: Interrupts::Enabled };
                let code = ErrorCode::USER | ErrorCode::WRITE;
                let resume = Process::new(&faulting, &task).exc_page_fault(regs, code, VirtAddr::ZERO);
                (format!("{resume:?}"), task.counts().retries)
            });
            // Somebody who writes holds the mmap lock for a while.
            drop(mm.mmap_lock().write());
            noted.lock().expect("no panic").insert(C::join(faulter));
        });
        assert_eq!(report.verdict, Verdict::Holds, "{:?}", report.counterexample);
        let seen = seen.lock().expect("no panic");
        let outcomes: Vec<_> = seen.iter().map(|(resume, retries)| (resume.as_str(), *retries)).collect();
        let killed = "Instead(Killed)";
        assert_eq!(outcomes, [(killed, 0), (killed, 1), ("Retry", 0), ("Retry", 1)]);
    }

    #[test]
    fn the_kernel_waits_for_the_mmap_lock_only_where_it_may_fault() {
        let (mm, task) = (mm(Generation::G6, 64), Task::new(CPU));
        let writer = mm.mmap_lock().write();
        assert_eq!(fault(&mm, &task, Mode::KernelAnnounced, 0x2, WRITE), oops(Oops::BadAddress(WRITE)));
        drop(writer);
        assert_eq!(fault(&mm, &task, Mode::KernelAnnounced, 0x2, WRITE), Resume::Retry);
    }

    #[test]
    fn a_second_try_counts_as_major() {
        use crate::mm::FaultLockKind::{MmapRead, VmaRead};
        use crate::mm::vmf::Effort::{Major, Minor};
        let tried = FaultFlags::DEFAULT | FaultFlags::TRIED;
        assert!(FaultFlags::DEFAULT.is_first_try() && !tried.is_first_try());
        for (kind, effort, expected) in [
            (VmaRead, Minor, FaultFlags::DEFAULT),
            (VmaRead, Major, tried),
            (MmapRead, Minor, tried),
            (MmapRead, Major, tried),
        ] {
            assert_eq!(kind.flags_after_retry(FaultFlags::DEFAULT, effort), expected, "{kind:?} {effort:?}");
        }
    }
}
