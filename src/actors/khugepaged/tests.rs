//! What a collapse leaves behind, and why it gives up, with nobody racing.

use super::{Collapser, NotCollapsed, collapse};
use crate::actors::{exit_mmap, fork, madvise_dontneed, madvise_hugepage, mprotect};
use crate::mm::{
    Ending, Generation, HugeAdvice, LockedPmd, LockedTable, MapRequest, Mm, Placement, Process, Protection, RssKind,
    Task, VmFlags, do_mmap, find_pmd,
};
use crate::phys::{CpuId, Pfn, PhysConfig};
use crate::platform::{Arc, Native, Platform, X86_64};
use crate::x86::{Completion, Instruction, Machine, Mode, PmdState, VirtAddr};

type P = Native<X86_64>;

const CPU: CpuId = CpuId::new(0);
const START: VirtAddr = VirtAddr::user(0x20_0000);
const PAGE: u64 = 4096;
const HUGE: u64 = 512 * PAGE;
const RW: Protection = Protection::READ.union(Protection::WRITE);

/// So many pages that are mapped from `START` on, written, and then wanted huge.
fn written(config: &PhysConfig, generation: Generation, pages: u64) -> (Arc<Machine<P>>, Mm<P>, Task) {
    let machine = Arc::new(Machine::boot(config).expect("16 megabytes"));
    let mm = Mm::new(Arc::clone(&machine), generation, CPU).expect("a frame for the root table");
    let request = MapRequest { placement: Placement::Fixed(START), ..MapRequest::anonymous(2 * HUGE, RW) };
    do_mmap(&mm, &request).expect("an empty address space");
    let task = Task::new(CPU);
    (0..pages).for_each(|page| store(&mm, &task, page * PAGE, page));
    madvise_hugepage(&mm, CPU, (START, 2 * HUGE), HugeAdvice::Wanted).expect("it is mapped");
    (machine, mm, task)
}

const ROOM: PhysConfig = PhysConfig::linux(Pfn::truncate(0x1000), 4096, 1);

fn store(mm: &Mm<P>, task: &Task, offset: u64, value: u64) {
    let done = Process::new(mm, task).execute(Mode::User, Instruction::store(START.offset(offset), value));
    assert_eq!(done, Completion::Done(None));
}

fn load(mm: &Mm<P>, task: &Task, offset: u64) -> Completion<Ending> {
    Process::new(mm, task).execute(Mode::User, Instruction::Load(START.offset(offset)))
}

fn state(mm: &Mm<P>) -> PmdState {
    LockedPmd::lock(mm, find_pmd(mm, START).expect("there are tables")).get().state()
}

#[test]
fn small_pages_become_a_huge_one_with_the_same_contents() {
    for generation in Generation::ALL {
        let (_machine, mm, task) = written(&ROOM, generation, 500);
        let tables = mm.pgtables_bytes();
        assert_eq!(collapse(&mm, &task, START.offset(7 * PAGE), Collapser::Khugepaged), Ok(()), "{generation}");
        assert!(matches!(state(&mm), PmdState::Huge(_)));
        assert_eq!((mm.rss(RssKind::Anon), mm.pgtables_bytes()), (512, tables), "holes are pages now");
        assert_eq!(load(&mm, &task, 499 * PAGE), Completion::Done(Some(499)));
        assert_eq!(load(&mm, &task, 500 * PAGE), Completion::Done(Some(0)));
        store(&mm, &task, 511 * PAGE, 1);
        let again = collapse(&mm, &task, START, Collapser::Khugepaged).map_err(NotCollapsed::name);
        let told = if generation == Generation::G2 { "SCAN_PMD_NULL" } else { "SCAN_PMD_MAPPED" };
        assert_eq!(again, Err(told.to_owned()));
        madvise_dontneed(&mm, CPU, START, HUGE);
        assert_eq!((mm.rss(RssKind::Anon), mm.memory().lru().listed()), (0, 0));
        exit_mmap(&mm, CPU);
    }
}

#[test]
fn what_is_not_fit_stays_small() {
    let gives_up = |mm: &Mm<P>, task: &Task, offset, by| collapse(mm, task, START.offset(offset), by);
    let (machine, mm, task) = written(&ROOM, Generation::G6, 512);
    let by = Collapser::Khugepaged;
    assert_eq!(gives_up(&mm, &task, 4 * HUGE, by), Err(NotCollapsed::VmaNull));
    assert_eq!(gives_up(&mm, &task, HUGE, by), Err(NotCollapsed::PmdNone));
    // One page that somebody else refers to, and one that somebody has locked.
    let first =
        || LockedTable::offset_map_lock(&mm, find_pmd(&mm, START).expect("tables")).expect("one").get(START).pfn();
    let page = mm.memory().page(first());
    mm.memory().drain_lru_batches(CPU);
    page.get();
    assert_eq!(gives_up(&mm, &task, 0, by), Err(NotCollapsed::PageCount));
    page.drop_but_not_last();
    let (theirs, pfn) = (Arc::clone(&machine), first());
    P::join(P::spawn("somebody".to_owned(), move || theirs.memory().page(pfn).folio().lock().lock()));
    assert_eq!(gives_up(&mm, &task, 0, by), Err(NotCollapsed::PageLock));
    page.folio().lock().unlock();
    assert_eq!(mprotect(&mm, CPU, (START, HUGE), Protection::READ), Ok(()));
    assert_eq!(gives_up(&mm, &task, 0, by), Err(NotCollapsed::PageRo));
    assert_eq!(mprotect(&mm, CPU, (START, HUGE), RW), Ok(()));
    let child = Mm::new(machine, Generation::G6, CPU).expect("a frame for the root table");
    fork(&mm, &child, &task).expect("there is memory");
    store(&mm, &task, 0, 1);
    assert_eq!(gives_up(&mm, &task, 0, by), Err(NotCollapsed::ExceedSharedPte));
    assert_eq!(gives_up(&mm, &task, 0, Collapser::Madvise), Ok(()), "who asks for it gets it");
    assert_eq!(
        (load(&child, &task, 5 * PAGE), load(&mm, &task, 5 * PAGE)),
        (Completion::Done(Some(5)), Completion::Done(Some(5)))
    );
    exit_mmap(&child, CPU);
    exit_mmap(&mm, CPU);
}

#[test]
fn a_mapping_that_is_not_to_have_huge_pages_has_none() {
    let (_machine, mm, task) = written(&ROOM, Generation::G6, 512);
    let set = |flags: VmFlags| {
        let mut vmas = mm.mmap_lock().write();
        let vma = vmas.all().remove(0);
        vmas.start_write(&vma).set_flags(flags);
    };
    let flags = RW.vm_flags();
    for (flags, khugepaged, madvise) in [
        (flags, Err(NotCollapsed::VmaCheck), Ok(())),
        (flags | VmFlags::NOHUGEPAGE, Err(NotCollapsed::VmaCheck), Err(NotCollapsed::VmaCheck)),
    ] {
        set(flags);
        assert_eq!(collapse(&mm, &task, START, Collapser::Khugepaged), khugepaged);
        assert_eq!(collapse(&mm, &task, START, Collapser::Madvise), madvise);
    }
    assert_eq!(collapse(&mm, &task, START.offset(HUGE), Collapser::Madvise), Err(NotCollapsed::VmaCheck));
    exit_mmap(&mm, CPU);
    let (_machine, mm, task) = written(&ROOM, Generation::G2, 1);
    assert_eq!(collapse(&mm, &task, START, Collapser::Madvise), Err(NotCollapsed::VmaCheck), "it came with 6.1");
    exit_mmap(&mm, CPU);
}

#[test]
fn without_a_huge_page_nothing_changes() {
    let limited = PhysConfig { memcg_limit_pages: 600, ..ROOM };
    let scarce = PhysConfig::linux(Pfn::truncate(0x1000), 700, 1);
    for (config, why) in [(limited, NotCollapsed::CgroupChargeFail), (scarce, NotCollapsed::AllocHugePageFail)] {
        let (_machine, mm, task) = written(&config, Generation::G6, 500);
        assert_eq!(collapse(&mm, &task, START, Collapser::Khugepaged), Err(why));
        assert_eq!(load(&mm, &task, 499 * PAGE), Completion::Done(Some(499)));
        exit_mmap(&mm, CPU);
        assert_eq!(mm.memory().memcg().charged_pages(), 0);
    }
}
