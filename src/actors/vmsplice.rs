//! A pipe that refers to a user's page instead of copying it (`fs/splice.c`, `vmsplice_to_pipe`).
//!
//! The pipe has a reference, and no mapping: the page may be unmapped meanwhile, and written to, as far as those who
//! map it may. What the reader finds in it is what it holds then.
//!
//! # Memory ordering
//! - O1. The page is read as a user reads.

use crate::mm::{GupError, GupFlags, Mm, Task, UserPage, get_user_page};
use crate::phys::{CpuId, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, enter};
use crate::x86::VirtAddr;

/// What a pipe holds: one word of a user's memory, in the page that it lies in.
#[derive(Debug)]
pub struct PipeBuffer {
    page: UserPage,
    address: VirtAddr,
}

impl PipeBuffer {
    /// Where the word was found.
    pub fn address(&self) -> VirtAddr {
        self.address
    }

    /// Ghost: when it was, as [`crate::x86::Machine::tick`] counts.
    pub fn found(&self) -> u64 {
        self.page.found()
    }

    /// Lets the page go, unread (`generic_pipe_buf_release`).
    pub fn release<P: Platform>(self, memory: &PhysMem<P>, cpu: CpuId) {
        self.page.put(memory, cpu);
    }

    /// Reads the word and lets the page go (`pipe_read`, `generic_pipe_buf_release`).
    pub fn read<P: Platform>(self, memory: &PhysMem<P>, cpu: CpuId) -> u64 {
        enter::<P>("pipe_read", format_args!("page={}", self.page.pfn())).run(
            || {
                let word = self.address.page_offset(P::GEOMETRY) / 8;
                // ORDER none: O1.
                let value = memory.word(self.page.pfn(), word as usize).load(Ordering::Relaxed);
                self.release(memory, cpu);
                value
            },
            |value| format!("{value:#x}"),
        )
    }
}

/// Puts the page of a word into a pipe.
///
/// # Errors
/// As Linux: see [`GupError`].
pub fn vmsplice<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr) -> Result<PipeBuffer, GupError> {
    enter::<P>("vmsplice_to_pipe", format_args!("address={address}")).run(
        || {
            let page = get_user_page(mm, task, address, GupFlags::UNLOCKABLE)?;
            Ok(PipeBuffer { page, address })
        },
        |result| result.as_ref().map_or_else(|error| format!("-{error:?}"), |_| "8".to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::{change_prot_numa, clear_refs, mprotect, munmap};
    use crate::mm::{Generation, Placement, Process, Protection, mmap};
    use crate::phys::{Pfn, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const PAGE: VirtAddr = VirtAddr::user(0x3000);

    /// An address space with one page, which holds a 7.
    fn mm(generation: Generation) -> Mm<P> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 256, 1)).expect("a little memory");
        let mm = Mm::new(Arc::new(machine), generation, CPU).expect("a frame for the root table");
        let rights = Protection::READ | Protection::WRITE;
        mmap(&mm, Placement::Fixed(PAGE), 0x1000, rights).expect("an empty address space");
        let _done = Process::new(&mm, &Task::new(CPU)).execute(Mode::User, Instruction::store(PAGE, 7));
        mm
    }

    #[test]
    fn a_reference_keeps_a_page_that_nobody_maps() {
        let (mm, task) = (mm(Generation::G6), Task::new(CPU));
        let buffer = vmsplice(&mm, &task, PAGE).expect("it is mapped");
        let page = mm.memory().page(buffer.page.pfn());
        munmap(&mm, CPU, PAGE, 0x1000).expect("it is mapped");
        mm.memory().drain_lru_batches(CPU);
        assert_eq!((page.refcount(), page.mapcount()), (1, 0));
        assert_eq!(buffer.read(mm.memory(), CPU), 7);
        assert_eq!(page.refcount(), 0);
    }

    #[test]
    fn a_forced_write_to_what_is_watched_faults_first() {
        let (mm, task) = (mm(Generation::G6), Task::new(CPU));
        mprotect(&mm, CPU, (PAGE, 0x1000), Protection::READ).expect("it is mapped");
        for calls in [0, 1, 1] {
            let forced = GupFlags::WRITE | GupFlags::FORCE;
            get_user_page(&mm, &task, PAGE, forced).expect("it is mapped").put(mm.memory(), CPU);
            assert_eq!(task.counts().calls, calls);
            if calls == 0 {
                clear_refs(&mm, PAGE, 0x1000);
            }
        }
    }

    #[test]
    fn only_4_4_faults_a_numa_mark_away_and_not_for_a_debugger() {
        for (generation, flags, faults) in [
            (Generation::G2, GupFlags::empty(), 1),
            (Generation::G2, GupFlags::FORCE, 0),
            (Generation::G6, GupFlags::empty(), 0),
        ] {
            let (mm, task) = (mm(generation), Task::new(CPU));
            change_prot_numa(&mm, CPU, PAGE, 0x1000);
            let page = get_user_page(&mm, &task, PAGE, flags).expect("it is mapped");
            assert_eq!(task.counts().calls, faults, "{generation}, {flags:?}");
            page.put(mm.memory(), CPU);
        }
    }
}
