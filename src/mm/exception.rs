//! The page-fault exception (`arch/x86/mm/fault.c`): from the error code to the fault path, and back to the instruction
//! or to a signal.

use crate::phys::Pfn;
use crate::platform::{Platform, enter, remark};
use crate::x86::{Completion, ErrorCode, ExceptionHandler, Instruction, Mode, Pkru, PtRegs, Resume, VirtAddr, execute};

use super::bad_area::{Exception, bad_area_nosemaphore, tell_resume};
use super::ending::{Ending, FaultCode};
use super::mm_struct::Mm;
use super::task::{Signal, Task};
use super::user_fault::do_user_addr_fault;

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
    #[track_caller]
    pub fn execute(&mut self, mode: Mode, instruction: Instruction) -> Completion<Ending> {
        if mode == Mode::KernelUserCopy {
            self.might_fault();
        }
        let machine = self.mm.machine();
        execute(machine, machine.cpu(self.task.cpu()), mode, instruction, self)
    }

    /// Ghost: when the last instruction's access took place, as one moment from then to then
    /// ([`crate::x86::Machine::tick`]).
    pub fn accessed(&self) -> (u64, u64) {
        let at = self.mm.machine().cpu(self.task.cpu()).accessed();
        (at, at)
    }

    /// Says that the task may take a fault, and wait for the mmap lock, though this time it need not (`might_fault`).
    #[track_caller]
    fn might_fault(&self) {
        if !self.task.are_faults_disabled() && self.task.has_mm() {
            self.mm.mmap_lock().might_read();
        }
    }
}

impl<P: Platform> ExceptionHandler<P> for Process<'_, P> {
    type Ending = Ending;

    fn root(&self) -> Pfn {
        self.mm.pgd()
    }

    fn pkru(&self) -> Pkru {
        self.task.pkru()
    }

    fn exc_page_fault(&mut self, regs: PtRegs, error_code: ErrorCode, address: VirtAddr) -> Resume<Ending> {
        let exception = Exception { regs, error_code, address };
        enter::<P>("exc_page_fault", format_args!("error_code={error_code}, address={address}")).run(
            || {
                let resume = enter::<P>("handle_page_fault", format_args!("address={address}")).run(
                    || {
                        if address.bytes() >= P::GEOMETRY.task_size() {
                            do_kern_addr_fault::<P>(exception)
                        } else {
                            do_user_addr_fault(self.mm, self.task, exception)
                        }
                    },
                    tell_resume,
                );
                if exception.is_user() { exit_to_user_mode::<P>(self.task, resume) } else { resume }
            },
            tell_resume,
        )
    }
}

/// A user's signals are delivered on the way back (`exit_to_user_mode_loop`): one that kills comes before all others,
/// and after the handler of any other the instruction is executed again. From an oops there is no way back.
fn exit_to_user_mode<P: Platform>(task: &Task, resume: Resume<Ending>) -> Resume<Ending> {
    if matches!(resume, Resume::Never(_)) {
        return resume;
    }
    match task.pending_signal::<P>() {
        None => resume,
        Some(Signal::Fatal) => Resume::Instead(Ending::Killed),
        Some(Signal::Handled) => {
            remark::<P>(format_args!("a signal is pending: its handler runs first"));
            task.signal_was_handled();
            resume
        }
    }
}

/// An address that no user can have: there is nothing to map, whoever asks (`do_kern_addr_fault`).
fn do_kern_addr_fault<P: Platform>(exception: Exception) -> Resume<Ending> {
    enter::<P>("do_kern_addr_fault", format_args!("address={}", exception.address))
        .run(|| bad_area_nosemaphore::<P>(exception, FaultCode::MapErr), tell_resume)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{BusCode, Generation, Oops, Placement, Protection, VmFlags, Vma, mmap};
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
        let mm = Mm::new(Arc::new(machine), Generation::G6, CPU).expect("a frame for the root table");
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
        assert_eq!(ended, Completion::Ended(Ending::Sigbus(BusCode::AdrErr, VirtAddr::user(0x5000))));
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
