//! Huge pages of x86-64, on one thread: what is counted while they are there, split, and gone.

use crate::mm::{Generation, Mm, Process, Protection, RssKind, Task, VmFlags, Vma};
use crate::phys::{CpuId, Pfn, PhysConfig};
use crate::platform::{Arc, Native, X86_64};
use crate::x86::{Completion, Instruction, Machine, Mode, VirtAddr};

use super::{change_prot_numa, clear_refs, exit_mmap, madvise_dontneed, munmap};

type P = Native<X86_64>;

const CPU: CpuId = CpuId::new(0);
const START: VirtAddr = VirtAddr::user(0x20_0000);
const HUGE_BYTES: u64 = 0x20_0000;

/// Four megabytes that want huge pages.
fn mm(generation: Generation) -> Mm<P> {
    let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 4096, 1)).expect("16 megabytes");
    let mm = Mm::new(Arc::new(machine), generation, CPU).expect("a frame for the root table");
    let flags = (Protection::READ | Protection::WRITE).vm_flags() | VmFlags::HUGEPAGE;
    mm.mmap_lock().write().insert(Vma::new(START, START.offset(2 * HUGE_BYTES), flags));
    mm
}

fn store(mm: &Mm<P>, task: &Task, offset: u64, value: u64) {
    let completion = Process::new(mm, task).execute(Mode::User, Instruction::store(START.offset(offset), value));
    assert_eq!(completion, Completion::Done(None));
}

fn load(mm: &Mm<P>, task: &Task, offset: u64) -> u64 {
    match Process::new(mm, task).execute(Mode::User, Instruction::Load(START.offset(offset))) {
        Completion::Done(value) => value.expect("a load has a value"),
        Completion::Ended(ending) => panic!("the load ended with {ending}"),
    }
}

fn counted(mm: &Mm<P>) -> (i64, i64) {
    (mm.rss(RssKind::Anon), mm.pgtables_bytes() / 4096)
}

#[test]
fn one_fault_maps_512_pages_and_deposits_a_table() {
    for generation in Generation::ALL {
        let (mm, task) = (mm(generation), Task::new(CPU));
        store(&mm, &task, 0x1008, 7);
        assert_eq!(load(&mm, &task, 0x1f_f000), 0);
        assert_eq!(counted(&mm), (512, 3), "{generation}: PUD table, PMD table, deposit");
        assert_eq!(task.counts().pgfault, 1, "{generation}");
        exit_mmap(&mm, CPU);
        assert_eq!(counted(&mm), (0, 0), "{generation}");
        let zone = mm.memory().zone();
        assert_eq!(zone.free_frames() + 1, mm.memory().frames(), "{generation}: all but the zero page");
    }
}

#[test]
fn a_discard_of_one_page_splits_and_keeps_the_others() {
    for generation in Generation::ALL {
        let (mm, task) = (mm(generation), Task::new(CPU));
        store(&mm, &task, 0x8, 7);
        store(&mm, &task, 0x1000, 8);
        madvise_dontneed(&mm, CPU, START.offset(0x1000), 0x1000);
        assert_eq!(counted(&mm), (511, 3), "{generation}: the deposit is linked");
        assert_eq!((load(&mm, &task, 0x8), load(&mm, &task, 0x1000)), (7, 0), "{generation}");
        madvise_dontneed(&mm, CPU, START, HUGE_BYTES);
        assert_eq!((counted(&mm), load(&mm, &task, 0x8)), ((0, 3), 0), "{generation}");
        exit_mmap(&mm, CPU);
        let zone = mm.memory().zone();
        assert_eq!(zone.free_frames() + 1, mm.memory().frames(), "{generation}: all but the zero page");
    }
}

#[test]
fn a_vma_that_is_cut_inside_of_a_huge_page_has_small_ones_left() {
    for generation in Generation::ALL {
        let (mm, task) = (mm(generation), Task::new(CPU));
        store(&mm, &task, 0, 7);
        munmap(&mm, CPU, START.offset(0x10_0000), HUGE_BYTES).expect("a valid range");
        assert_eq!((counted(&mm), load(&mm, &task, 0)), ((256, 3), 7), "{generation}");
        exit_mmap(&mm, CPU);
        assert_eq!(counted(&mm), (0, 0), "{generation}");
    }
}

#[test]
fn a_write_to_the_huge_zero_page_takes_a_small_page_or_in_4_4_a_huge_one() {
    for (generation, rss) in [(Generation::G6, 1), (Generation::G2, 512)] {
        let (mm, task) = (mm(generation), Task::new(CPU));
        assert_eq!((load(&mm, &task, 0), counted(&mm)), (0, (0, 3)), "{generation}");
        store(&mm, &task, 0x2000, 5);
        assert_eq!((load(&mm, &task, 0x2000), load(&mm, &task, 0)), (5, 0), "{generation}");
        assert_eq!(counted(&mm), (rss, 3), "{generation}");
        exit_mmap(&mm, CPU);
        assert_eq!(counted(&mm), (0, 0), "{generation}");
    }
}

#[test]
fn rights_that_were_taken_come_back_by_one_fault_each() {
    for generation in Generation::ALL {
        let (mm, task) = (mm(generation), Task::new(CPU));
        store(&mm, &task, 0, 1);
        clear_refs(&mm, START, HUGE_BYTES);
        store(&mm, &task, 0x1000, 2);
        store(&mm, &task, 0x2000, 3);
        assert_eq!(task.counts().pgfault, 2, "{generation}: the page was reused");
        change_prot_numa(&mm, CPU, START, 0x1000);
        assert_eq!(load(&mm, &task, 0x2000), 3, "{generation}");
        assert_eq!((task.counts().pgfault, counted(&mm)), (3, (512, 3)), "{generation}: still one huge page");
        exit_mmap(&mm, CPU);
    }
}
