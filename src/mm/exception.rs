//! The page-fault exception (`arch/x86/mm/fault.c`): from the error code to the fault path, and from its result to a
//! signal.

use std::fmt;

use crate::phys::Pfn;
use crate::platform::{Platform, enter, remark};
use crate::x86::{Completion, ErrorCode, ExceptionHandler, Instruction, Mode, PtRegs, Resume, VirtAddr, execute};

use super::access_error::{Verdict, access_error};
use super::fault_flags::FaultFlags;
use super::fault_lock::lock_mm_and_find_vma;
use super::handle_mm_fault::handle_mm_fault;
use super::mm_struct::Mm;
use super::task::Task;
use super::vmf::{FaultError, VmFault};

/// What may end an instruction other than completing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The task gets SIGSEGV with this code and address.
    Sigsegv(FaultCode, VirtAddr),
    /// The task gets SIGBUS at this address.
    Sigbus(VirtAddr),
    /// The out-of-memory killer is asked to find a victim.
    OutOfMemory,
    /// The kernel's copy from or to user memory returns `-EFAULT`.
    Efault,
    /// The kernel has a bug.
    Oops(Oops),
}

/// Why a signal was sent (`si_code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCode {
    /// Nothing is mapped there (`SEGV_MAPERR`).
    MapErr,
    /// The mapping does not allow it (`SEGV_ACCERR`).
    AccErr,
}

/// Why the kernel oopses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oops {
    /// It executed user memory.
    ExecutedUserMemory,
    /// It accessed user memory without saying so (SMAP).
    UnannouncedUserAccess,
    /// A reserved bit was set in an entry.
    CorruptTable,
    /// It accessed a bad address at an instruction that nobody expected to fault.
    BadAddress(VirtAddr),
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sigsegv(FaultCode::MapErr, address) => {
                write!(formatter, "SIGSEGV, SEGV_MAPERR at {address}: nothing is mapped there")
            }
            Self::Sigsegv(FaultCode::AccErr, address) => {
                write!(formatter, "SIGSEGV, SEGV_ACCERR at {address}: the mapping does not allow it")
            }
            Self::Sigbus(address) => write!(formatter, "SIGBUS at {address}"),
            Self::OutOfMemory => write!(formatter, "out of memory: the kernel looks for a task to kill"),
            Self::Efault => write!(formatter, "the kernel's copy returns -EFAULT"),
            Self::Oops(oops) => write!(formatter, "the kernel oopses: {oops}"),
        }
    }
}

impl fmt::Display for Oops {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExecutedUserMemory => write!(formatter, "it tried to execute user memory"),
            Self::UnannouncedUserAccess => write!(formatter, "supervisor access prevention stopped it"),
            Self::CorruptTable => write!(formatter, "a page table is corrupt"),
            Self::BadAddress(address) => write!(formatter, "unable to handle the page fault at {address}"),
        }
    }
}

/// A task in its address space: what executes instructions and handles their faults.
#[derive(Debug)]
pub struct Process<'m, P: Platform> {
    mm: &'m Mm<P>,
    task: &'m Task,
}

impl<'m, P: Platform> Process<'m, P> {
    /// The task in the address space.
    pub fn new(mm: &'m Mm<P>, task: &'m Task) -> Self {
        Self { mm, task }
    }

    /// Executes one instruction on the task's CPU, with the faults that it takes.
    pub fn execute(&mut self, mode: Mode, instruction: Instruction) -> Completion<Ending> {
        let machine = self.mm.machine();
        execute(machine, machine.cpu(self.task.cpu()), mode, instruction, self)
    }
}

impl<P: Platform> ExceptionHandler<P> for Process<'_, P> {
    type Ending = Ending;

    fn root(&self) -> Pfn {
        self.mm.pgd()
    }

    fn exc_page_fault(&mut self, regs: PtRegs, error_code: ErrorCode, address: VirtAddr) -> Resume<Ending> {
        enter::<P>("exc_page_fault", format_args!("error_code={error_code}, address={address}")).run(
            || {
                enter::<P>("handle_page_fault", format_args!("address={address}")).run(
                    || {
                        if address.bytes() >= P::GEOMETRY.task_size() {
                            do_kern_addr_fault::<P>(regs, address)
                        } else {
                            do_user_addr_fault(self.mm, self.task, regs, error_code, address)
                        }
                    },
                    tell_resume,
                )
            },
            tell_resume,
        )
    }
}

fn tell_resume(resume: &Resume<Ending>) -> String {
    match resume {
        Resume::Retry => "retry the instruction".to_owned(),
        Resume::Instead(ending) => ending.to_string(),
    }
}

/// An address that no user can have: there is nothing to map, whoever asks (`do_kern_addr_fault`).
fn do_kern_addr_fault<P: Platform>(regs: PtRegs, address: VirtAddr) -> Resume<Ending> {
    enter::<P>("do_kern_addr_fault", format_args!("address={address}"))
        .run(|| bad_area(regs, address, FaultCode::MapErr), tell_resume)
}

fn do_user_addr_fault<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    regs: PtRegs,
    error_code: ErrorCode,
    address: VirtAddr,
) -> Resume<Ending> {
    enter::<P>("do_user_addr_fault", format_args!("error_code={:#x}, address={address}", error_code.bits())).run(
        || {
            if let Some(oops) = oops_before_locking(regs, error_code) {
                return Resume::Instead(Ending::Oops(oops));
            }
            let flags = fault_flags(regs, error_code);
            remark::<P>(format_args!("flags={flags}"));
            let Some(lock) = lock_mm_and_find_vma(mm, task, regs.mode, address) else {
                return bad_area(regs, address, FaultCode::MapErr);
            };
            if access_error(error_code, lock.vma(), task) == Verdict::Denied {
                drop(lock);
                return bad_area(regs, address, FaultCode::AccErr);
            }
            match handle_mm_fault(mm, task, lock, address, flags) {
                VmFault::Handled(lock) => {
                    drop(lock);
                    Resume::Retry
                }
                VmFault::Failed(lock, error) => {
                    drop(lock);
                    fault_error(regs, address, error)
                }
            }
        },
        tell_resume,
    )
}

/// Faults of the kernel that no table entry can excuse.
fn oops_before_locking(regs: PtRegs, error_code: ErrorCode) -> Option<Oops> {
    if error_code.contains(ErrorCode::FETCH) && !error_code.contains(ErrorCode::USER) {
        return Some(Oops::ExecutedUserMemory);
    }
    if error_code.contains(ErrorCode::RESERVED) {
        return Some(Oops::CorruptTable);
    }
    match regs.mode {
        // SMAP: the kernel announces its accesses to user memory by setting EFLAGS.AC.
        Mode::Kernel => Some(Oops::UnannouncedUserAccess),
        Mode::User | Mode::KernelUserCopy => None,
    }
}

fn fault_flags(regs: PtRegs, error_code: ErrorCode) -> FaultFlags {
    let mut flags = FaultFlags::DEFAULT;
    flags.set(FaultFlags::USER, regs.mode == Mode::User);
    flags.set(FaultFlags::WRITE, error_code.intersects(ErrorCode::WRITE | ErrorCode::SHADOW_STACK));
    flags.set(FaultFlags::INSTRUCTION, error_code.contains(ErrorCode::FETCH));
    flags
}

fn fault_error(regs: PtRegs, address: VirtAddr, error: FaultError) -> Resume<Ending> {
    match (regs.mode, error) {
        (Mode::User, FaultError::Oom) => Resume::Instead(Ending::OutOfMemory),
        (Mode::User, FaultError::Sigbus) => Resume::Instead(Ending::Sigbus(address)),
        (_, FaultError::Sigsegv) => bad_area(regs, address, FaultCode::MapErr),
        (Mode::Kernel | Mode::KernelUserCopy, FaultError::Oom | FaultError::Sigbus) => {
            kernelmode_fixup_or_oops(regs, address)
        }
    }
}

/// A signal to the user, or the kernel's own way out (`__bad_area_nosemaphore`).
fn bad_area(regs: PtRegs, address: VirtAddr, code: FaultCode) -> Resume<Ending> {
    match regs.mode {
        Mode::User => Resume::Instead(Ending::Sigsegv(code, address)),
        Mode::Kernel | Mode::KernelUserCopy => kernelmode_fixup_or_oops(regs, address),
    }
}

/// The exception table has an answer, or nobody has.
fn kernelmode_fixup_or_oops(regs: PtRegs, address: VirtAddr) -> Resume<Ending> {
    Resume::Instead(match regs.mode {
        Mode::KernelUserCopy => Ending::Efault,
        Mode::Kernel | Mode::User => Ending::Oops(Oops::BadAddress(address)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{Placement, Protection, VmFlags, Vma, mmap};
    use crate::phys::{CpuId, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::Machine;

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const MAPPED: VirtAddr = VirtAddr::user(0x1000);
    const UNMAPPED: VirtAddr = VirtAddr::user(0x9000);

    /// An address space with one readable page.
    fn mm() -> Mm<P> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 256, 1)).expect("a little memory");
        let mm = Mm::new(Arc::new(machine), CPU).expect("a frame for the root table");
        mmap(&mm, Placement::Fixed(MAPPED), 0x1000, Protection::READ).expect("an empty address space");
        mm
    }

    fn ending(mode: Mode, instruction: Instruction) -> Option<Ending> {
        match Process::new(&mm(), &Task::new(CPU)).execute(mode, instruction) {
            Completion::Done(_) => None,
            Completion::Ended(ending) => Some(ending),
        }
    }

    #[test]
    fn a_user_gets_signals() {
        for (instruction, expected) in [
            (Instruction::Load(MAPPED), None),
            (Instruction::Load(UNMAPPED), Some(Ending::Sigsegv(FaultCode::MapErr, UNMAPPED))),
            (Instruction::store(MAPPED, 1), Some(Ending::Sigsegv(FaultCode::AccErr, MAPPED))),
            (Instruction::Fetch(MAPPED), Some(Ending::Sigsegv(FaultCode::AccErr, MAPPED))),
        ] {
            assert_eq!(ending(Mode::User, instruction), expected, "{instruction}");
        }
    }

    #[test]
    fn a_kernel_copy_returns_an_error_and_faults_pages_in() {
        for (instruction, expected) in [
            (Instruction::Load(MAPPED), None),
            (Instruction::Load(UNMAPPED), Some(Ending::Efault)),
            (Instruction::store(MAPPED, 1), Some(Ending::Efault)),
        ] {
            assert_eq!(ending(Mode::KernelUserCopy, instruction), expected, "{instruction}");
        }
    }

    #[test]
    fn a_kernel_that_did_not_announce_its_access_oopses() {
        let kernel_address = VirtAddr::user(0xffff_8880_0000_0000);
        for (instruction, oops) in [
            (Instruction::Load(MAPPED), Oops::UnannouncedUserAccess),
            (Instruction::Fetch(MAPPED), Oops::ExecutedUserMemory),
            (Instruction::Load(kernel_address), Oops::BadAddress(kernel_address)),
        ] {
            assert_eq!(ending(Mode::Kernel, instruction), Some(Ending::Oops(oops)), "{instruction}");
        }
    }

    #[test]
    fn a_reserved_bit_is_a_corrupt_table() {
        let (mm, task) = (mm(), Task::new(CPU));
        let root = mm.memory().word(mm.pgd(), 0);
        root.store(0x81, crate::platform::Ordering::Relaxed);
        let ended = Process::new(&mm, &task).execute(Mode::User, Instruction::Load(MAPPED));
        assert_eq!(ended, Completion::Ended(Ending::Oops(Oops::CorruptTable)));
        root.store(0, crate::platform::Ordering::Relaxed);
    }

    #[test]
    fn a_shared_mapping_of_nothing_is_a_bus_error() {
        let (mm, task) = (mm(), Task::new(CPU));
        let flags = VmFlags::READ | VmFlags::SHARED;
        mm.mmap_lock().write().insert(Vma::new(VirtAddr::user(0x5000), VirtAddr::user(0x6000), flags));
        let ended = Process::new(&mm, &task).execute(Mode::User, Instruction::Load(VirtAddr::user(0x5000)));
        assert_eq!(ended, Completion::Ended(Ending::Sigbus(VirtAddr::user(0x5000))));
        assert_eq!(task.counts().errors, 1);
    }

    #[test]
    fn a_handled_fault_is_one_minor_fault() {
        let (mm, task) = (mm(), Task::new(CPU));
        let completion = Process::new(&mm, &task).execute(Mode::User, Instruction::Load(MAPPED));
        assert_eq!(completion, Completion::Done(Some(0)));
        let counts = task.counts();
        assert_eq!((counts.pgfault, counts.min_flt, counts.maj_flt), (1, 1, 0));
        assert_eq!((mm.pgtables_bytes(), mm.rss_anon_pages()), (3 * 4096, 0), "the zero page does not count");
        assert!(!task.in_lru_fault(), "the fault is over");
    }
}
