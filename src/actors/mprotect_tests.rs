//! What `mprotect` leaves behind, with nobody racing.

use super::{ProtectError, exit_mmap, fork, mprotect};
use crate::mm::{
    Ending, FaultCode, Generation, HugeAdvice, LockedPmd, LockedTable, MapFlags, MapRequest, Mm, Placement, Process,
    Protection, Task, VmFlags, do_mmap, find_pmd,
};
use crate::phys::{CpuId, Pfn, PhysConfig};
use crate::platform::{Arc, Native, X86_64};
use crate::x86::{Completion, Instruction, Machine, Mode, PteVal, SwapEntry, SwapType, VirtAddr};

type P = Native<X86_64>;

const CPU: CpuId = CpuId::new(0);
const START: VirtAddr = VirtAddr::user(0x20_0000);
const PAGE: u64 = 4096;
const HUGE: u64 = 512 * PAGE;
const RW: Protection = Protection::READ.union(Protection::WRITE);
const NONE: Protection = Protection::empty();

fn machine() -> Arc<Machine<P>> {
    let config = PhysConfig { nr_hugepages: 2, ..PhysConfig::linux(Pfn::truncate(0x1000), 8192, 1) };
    Arc::new(Machine::boot(&config).expect("32 megabytes"))
}

/// An address space with a mapping from `START` on.
fn mapped(generation: Generation, request: MapRequest<P>) -> (Mm<P>, Task) {
    mapped_on(&machine(), generation, request)
}

fn mapped_on(machine: &Arc<Machine<P>>, generation: Generation, request: MapRequest<P>) -> (Mm<P>, Task) {
    let mm = Mm::new(Arc::clone(machine), generation, CPU).expect("a frame for the root table");
    do_mmap(&mm, &MapRequest { placement: Placement::Fixed(START), ..request }).expect("an empty address space");
    (mm, Task::new(CPU))
}

fn anonymous(pages: u64) -> MapRequest<P> {
    MapRequest::anonymous(pages * PAGE, RW)
}

fn huge() -> MapRequest<P> {
    MapRequest { huge: HugeAdvice::Wanted, ..MapRequest::anonymous(2 * HUGE, RW) }
}

/// What came of a store: `None`, or how the process ended.
fn store(mm: &Mm<P>, task: &Task, offset: u64) -> Completion<Ending> {
    Process::new(mm, task).execute(Mode::User, Instruction::store(START.offset(offset), 7))
}

fn load(mm: &Mm<P>, task: &Task, offset: u64) -> Completion<Ending> {
    Process::new(mm, task).execute(Mode::User, Instruction::Load(START.offset(offset)))
}

fn is_refused(completion: Completion<Ending>) -> bool {
    matches!(completion, Completion::Ended(Ending::Sigsegv(FaultCode::AccErr, _)))
}

fn entry(mm: &Mm<P>) -> PteVal {
    let pmd = find_pmd(mm, START).expect("there are tables");
    LockedTable::offset_map_lock(mm, pmd).expect("there is a table").get(START)
}

#[test]
fn rights_go_and_come_back_and_the_page_stays() {
    for generation in Generation::ALL {
        let (mm, task) = mapped(generation, anonymous(1));
        assert_eq!(store(&mm, &task, 0), Completion::Done(None));
        let before = entry(&mm);
        assert_eq!(mprotect(&mm, CPU, (START, PAGE), Protection::READ), Ok(()));
        assert!(is_refused(store(&mm, &task, 0)));
        assert_eq!(load(&mm, &task, 0), Completion::Done(Some(7)));
        assert_eq!(mprotect(&mm, CPU, (START, PAGE), NONE), Ok(()));
        assert!(entry(&mm).is_prot_none() && entry(&mm).pfn() == before.pfn());
        assert!(is_refused(load(&mm, &task, 0)));
        assert_eq!(mprotect(&mm, CPU, (START, PAGE), RW), Ok(()));
        // 6.12 makes it writable at once where nobody else has the page; 4.4 waits for a write.
        assert_eq!(entry(&mm).is_writable(), generation == Generation::G6);
        assert_eq!(store(&mm, &task, 8), Completion::Done(None));
        assert_eq!(entry(&mm), before);
        exit_mmap(&mm, CPU);
    }
}

#[test]
fn a_shared_page_waits_for_a_write() {
    let machine = machine();
    let (mm, task) = mapped_on(&machine, Generation::G6, anonymous(1));
    assert_eq!(store(&mm, &task, 0), Completion::Done(None));
    let child = Mm::new(machine, Generation::G6, CPU).expect("a frame for the root table");
    fork(&mm, &child, &task).expect("there is memory");
    assert_eq!(mprotect(&mm, CPU, (START, PAGE), Protection::READ), Ok(()));
    assert_eq!(mprotect(&mm, CPU, (START, PAGE), RW), Ok(()));
    assert!(!entry(&mm).is_writable());
    exit_mmap(&child, CPU);
    exit_mmap(&mm, CPU);
}

#[test]
fn a_huge_page_keeps_its_size_unless_an_edge_cuts_it() {
    for generation in Generation::ALL {
        let (mm, task) = mapped(generation, huge());
        assert_eq!(store(&mm, &task, 0), Completion::Done(None));
        assert_eq!(mprotect(&mm, CPU, (START, HUGE), Protection::READ), Ok(()));
        assert!(is_refused(store(&mm, &task, PAGE)));
        let pmd = || LockedPmd::lock(&mm, find_pmd(&mm, START).expect("there are tables")).get();
        assert!(pmd().is_huge() && !pmd().is_writable());
        assert_eq!(mprotect(&mm, CPU, (START.offset(PAGE), PAGE), NONE), Ok(()));
        assert!(!pmd().is_huge());
        assert_eq!(load(&mm, &task, 0), Completion::Done(Some(7)));
        assert!(is_refused(load(&mm, &task, PAGE)));
        assert_eq!(
            mm.mmap_lock().read().iter().count(),
            4,
            "{generation}: before, the page, after, and the other half"
        );
        exit_mmap(&mm, CPU);
    }
}

#[test]
fn huge_pages_of_the_pool_change_whole() {
    for generation in Generation::ALL {
        let flags = MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::HUGETLB;
        let (mm, task) = mapped(generation, MapRequest { flags, ..MapRequest::anonymous(2 * HUGE, RW) });
        assert_eq!(store(&mm, &task, 0), Completion::Done(None));
        assert_eq!(mprotect(&mm, CPU, (START, PAGE), Protection::READ), Err(ProtectError::CutsHugePage));
        assert_eq!(mprotect(&mm, CPU, (START, HUGE), Protection::READ), Ok(()));
        assert!(is_refused(store(&mm, &task, 0)));
        assert_eq!(load(&mm, &task, 0), Completion::Done(Some(7)));
        assert_eq!(mprotect(&mm, CPU, (START, HUGE), NONE), Ok(()));
        assert!(is_refused(load(&mm, &task, 0)));
        assert_eq!(mprotect(&mm, CPU, (START, 2 * HUGE), RW), Ok(()));
        assert_eq!((store(&mm, &task, 0), store(&mm, &task, HUGE)), (Completion::Done(None), Completion::Done(None)));
        exit_mmap(&mm, CPU);
    }
}

#[test]
fn what_linux_refuses_is_refused() {
    let (mm, task) = mapped(Generation::G6, anonymous(4));
    assert_eq!(mprotect(&mm, CPU, (START.offset(1), PAGE), RW), Err(ProtectError::Invalid));
    assert_eq!(mprotect(&mm, CPU, (START.offset(9 * PAGE), 0), RW), Ok(()), "nothing is asked");
    assert_eq!(mprotect(&mm, CPU, (START, u64::MAX), RW), Err(ProtectError::NotMapped));
    assert_eq!(mprotect(&mm, CPU, (START, 5 * PAGE), Protection::READ), Err(ProtectError::NotMapped));
    assert!(is_refused(store(&mm, &task, 0)), "what is mapped has its new rights");
    let mut vmas = mm.mmap_lock().write();
    let vma = vmas.all().remove(0);
    let flags = vma.flags() - VmFlags::MAYWRITE;
    vmas.start_write(&vma).set_flags(flags);
    drop(vmas);
    assert_eq!(mprotect(&mm, CPU, (START, PAGE), RW), Err(ProtectError::NotAllowed));
    exit_mmap(&mm, CPU);
}

/// No scenario comes here: whoever moves a page holds a lock of its VMA to the end.
#[test]
fn a_page_that_is_on_the_move_comes_back_readable() {
    for (generation, kind) in
        [(Generation::G6, SwapType::MigrationReadExclusive), (Generation::G2, SwapType::MigrationRead)]
    {
        let (mm, task) = mapped(generation, anonymous(1));
        assert_eq!(store(&mm, &task, 0), Completion::Done(None));
        let before = entry(&mm);
        let moving = SwapEntry::new(SwapType::MigrationWrite, before.pfn().number()).expect("a frame fits");
        let set = |entry| {
            let pmd = find_pmd(&mm, START).expect("there are tables");
            LockedTable::offset_map_lock(&mm, pmd).expect("there is a table").set(START, entry);
        };
        set(moving.to_pte());
        assert_eq!(mprotect(&mm, CPU, (START, PAGE), Protection::READ), Ok(()));
        assert_eq!(SwapEntry::from_pte(entry(&mm)).map(SwapEntry::kind), Some(kind), "{generation}");
        set(before.write_protected());
        exit_mmap(&mm, CPU);
    }
}
