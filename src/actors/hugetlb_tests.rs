//! Huge pages of the pool, on one thread: what is reserved, mapped, copied and given back; and what Linux's rule for
//! reusing one lets another CPU see.

use crate::mm::{
    AddressSpace, Behaviour, Ending, FaultOp, Generation, HugeFolios, MapError, MapFlags, MapPages, MapRequest, Mm,
    OpenFile, OpenMode, PageMkwrite, Placement, Process, Protection, Reads, RssKind, Task, do_mmap,
};
use crate::phys::{CpuId, FileId, Pfn, PhysConfig};
use crate::platform::{Arc, Native, X86_64};
use crate::x86::{Completion, Instruction, Machine, Mode, VirtAddr};

use super::{UnmapError, exit_mmap, fork, madvise_dontneed, munmap};

type P = Native<X86_64>;

const CPU: CpuId = CpuId::new(0);
const START: VirtAddr = VirtAddr::user(0x4000_0000);
const HUGE: u64 = 0x20_0000;
const RW: Protection = Protection::READ.union(Protection::WRITE);
const PRIVATE: MapFlags = MapFlags::PRIVATE.union(MapFlags::ANONYMOUS).union(MapFlags::HUGETLB);
const SHARED: MapFlags = MapFlags::SHARED.union(MapFlags::ANONYMOUS).union(MapFlags::HUGETLB);

/// An address space, and one for its child, on a machine with so many huge pages in its pool.
fn family(generation: Generation, nr_hugepages: usize) -> (Mm<P>, Mm<P>, Task) {
    let config = PhysConfig { nr_hugepages, ..PhysConfig::linux(Pfn::truncate(0x1000), 4096, 1) };
    let machine = Arc::new(Machine::boot(&config).expect("16 megabytes"));
    let mm = || Mm::new(Arc::clone(&machine), generation, CPU).expect("a frame for the root table");
    (mm(), mm(), Task::new(CPU))
}

fn request(flags: MapFlags, huge_pages: u64) -> MapRequest<P> {
    MapRequest { placement: Placement::Fixed(START), flags, ..MapRequest::anonymous(huge_pages * HUGE, RW) }
}

fn map(mm: &Mm<P>, flags: MapFlags, huge_pages: u64) {
    assert_eq!(do_mmap(mm, &request(flags, huge_pages)), Ok(START));
}

fn store(mm: &Mm<P>, task: &Task, offset: u64, value: u64) -> Completion<Ending> {
    Process::new(mm, task).execute(Mode::User, Instruction::store(START.offset(offset), value))
}

fn load(mm: &Mm<P>, task: &Task, offset: u64) -> Completion<Ending> {
    Process::new(mm, task).execute(Mode::User, Instruction::Load(START.offset(offset)))
}

const DONE: Completion<Ending> = Completion::Done(None);

fn has(value: u64) -> Completion<Ending> {
    Completion::Done(Some(value))
}

fn is_sigbus(completion: Completion<Ending>) -> bool {
    matches!(completion, Completion::Ended(Ending::Sigbus(..)))
}

/// Free and reserved huge pages.
fn pool(mm: &Mm<P>) -> (usize, u64) {
    (mm.memory().hstate().free_huge_pages(), mm.memory().hstate().resv_huge_pages())
}

/// What counts in RSS, in `hugetlb_usage`, and tables.
fn counted(mm: &Mm<P>) -> (i64, i64, i64) {
    let rss = [RssKind::Anon, RssKind::File, RssKind::Shmem].map(|kind| mm.rss(kind)).iter().sum();
    (rss, mm.hugetlb_usage(), mm.pgtables_bytes() / 4096)
}

#[test]
fn a_huge_page_has_no_table_below_it_and_counts_in_no_rss() {
    for generation in Generation::ALL {
        for flags in [PRIVATE, SHARED] {
            let (mm, _, task) = family(generation, 2);
            map(&mm, flags, 1);
            assert_eq!(pool(&mm), (2, 1));
            assert_eq!((store(&mm, &task, 0x1008, 7), load(&mm, &task, 0x1f_f000)), (DONE, has(0)));
            assert_eq!((counted(&mm), pool(&mm)), ((0, 512, 2), (1, 0)), "{generation} {flags:?}: no deposit");
            assert_eq!((task.counts().pgfault, mm.memory().lru().listed()), (1, 0));
            exit_mmap(&mm, CPU);
            assert_eq!((counted(&mm), pool(&mm)), ((0, 0, 0), (2, 0)), "{generation} {flags:?}");
        }
    }
}

#[test]
fn what_cannot_be_reserved_is_not_mapped() {
    let (mm, _, task) = family(Generation::G6, 2);
    assert_eq!(do_mmap(&mm, &request(PRIVATE, 3)), Err(MapError::NoHugePages));
    map(&mm, PRIVATE, 2);
    let elsewhere = MapRequest { placement: Placement::Anywhere, ..request(SHARED, 1) };
    assert_eq!(do_mmap(&mm, &elsewhere), Err(MapError::NoHugePages), "all are reserved");
    assert_eq!((munmap(&mm, CPU, START, 2 * HUGE), pool(&mm)), (Ok(()), (2, 0)));
    map(&mm, PRIVATE | MapFlags::NORESERVE, 3);
    assert_eq!([0, HUGE].map(|offset| store(&mm, &task, offset, 1)), [DONE, DONE]);
    assert!(is_sigbus(store(&mm, &task, 2 * HUGE, 1)), "the pool has two");
    exit_mmap(&mm, CPU);
    assert_eq!(pool(&mm), (2, 0));
}

#[test]
fn an_empty_pool_maps_only_promises_that_nobody_made() {
    for generation in Generation::ALL {
        let (mm, _, task) = family(generation, 0);
        assert_eq!(do_mmap(&mm, &request(PRIVATE, 1)), Err(MapError::NoHugePages));
        map(&mm, PRIVATE | MapFlags::NORESERVE, 1);
        assert!(is_sigbus(load(&mm, &task, 0)), "{generation}");
        exit_mmap(&mm, CPU);
    }
}

#[test]
fn places_and_lengths_are_those_of_huge_pages() {
    let (mm, _, _) = family(Generation::G6, 4);
    let beside = MapRequest { placement: Placement::Fixed(START.offset(0x1000)), ..request(PRIVATE, 1) };
    assert_eq!(do_mmap(&mm, &beside), Err(MapError::Invalid));
    let short = MapRequest { bytes: HUGE + 1, ..request(PRIVATE, 1) };
    assert_eq!((do_mmap(&mm, &short), pool(&mm)), (Ok(START), (4, 2)), "the length is rounded up");
    let anywhere = MapRequest { placement: Placement::Anywhere, ..request(PRIVATE, 1) };
    let start = do_mmap(&mm, &anywhere).expect("there is room");
    assert!(start.bytes().is_multiple_of(HUGE), "{start}");
    assert_eq!(munmap(&mm, CPU, START.offset(0x1000), HUGE), Err(UnmapError::CutsHugePage));
    assert_eq!(
        (munmap(&mm, CPU, START.offset(HUGE), HUGE), pool(&mm)),
        (Ok(()), (4, 2)),
        "half of it, and its promise"
    );
    let stack = request(PRIVATE | MapFlags::GROWSDOWN, 1);
    let stack = MapRequest { placement: Placement::Fixed(START.offset(8 * HUGE)), ..stack };
    assert_eq!(do_mmap(&mm, &stack), Err(MapError::StackOfFile));
    exit_mmap(&mm, CPU);
    assert_eq!(pool(&mm), (4, 0));
}

#[test]
fn after_a_fork_the_first_writer_copies_and_the_last_keeps_the_folio() {
    for generation in Generation::ALL {
        let (parent, child, task) = family(generation, 2);
        map(&parent, PRIVATE, 1);
        assert_eq!(store(&parent, &task, 0, 9), DONE);
        fork(&parent, &child, &task).expect("there is memory");
        assert_eq!((counted(&child), pool(&parent)), ((0, 512, 2), (1, 0)), "{generation}: one folio, two entries");
        assert_eq!(store(&child, &task, 8, 1), DONE);
        assert_eq!(pool(&parent), (0, 0), "{generation}: the child took what nobody had reserved");
        assert_eq!([load(&parent, &task, 8), load(&child, &task, 0)], [has(0), has(9)]);
        let faults = task.counts().pgfault;
        assert_eq!((store(&parent, &task, 8, 2), task.counts().pgfault), (DONE, faults + 1));
        assert_eq!(([load(&parent, &task, 8), load(&child, &task, 8)], pool(&parent)), ([has(2), has(1)], (0, 0)));
        exit_mmap(&child, CPU);
        exit_mmap(&parent, CPU);
        assert_eq!((pool(&parent), counted(&parent), counted(&child)), ((2, 0), (0, 0, 0), (0, 0, 0)));
    }
}

#[test]
fn a_parent_that_finds_no_folio_takes_the_page_from_its_child() {
    for generation in Generation::ALL {
        let (parent, child, task) = family(generation, 1);
        map(&parent, PRIVATE, 1);
        assert_eq!(store(&parent, &task, 0, 9), DONE);
        fork(&parent, &child, &task).expect("there is memory");
        assert!(is_sigbus(store(&child, &task, 0, 1)), "{generation}: the child has reserved nothing");
        assert_eq!((load(&child, &task, 0), store(&parent, &task, 0, 2)), (has(9), DONE));
        assert_eq!((counted(&child), counted(&parent)), ((0, 0, 2), (0, 512, 2)), "{generation}");
        assert!(is_sigbus(load(&child, &task, 0)), "{generation}: not zeros, for it has lost what was there");
        assert_eq!(load(&parent, &task, 0), has(2));
        exit_mmap(&child, CPU);
        exit_mmap(&parent, CPU);
        assert_eq!(pool(&parent), (1, 0));
    }
}

#[test]
fn a_discard_gives_the_folio_back_and_another_fault_takes_it() {
    let (mm, _, task) = family(Generation::G6, 1);
    map(&mm, PRIVATE, 1);
    assert_eq!(store(&mm, &task, 0, 9), DONE);
    madvise_dontneed(&mm, CPU, START, 0x1000);
    assert_eq!(load(&mm, &task, 0), has(9), "a part of a huge page is not discarded");
    madvise_dontneed(&mm, CPU, START, HUGE);
    assert_eq!((counted(&mm), pool(&mm)), ((0, 0, 2), (1, 0)), "what it had reserved is used up");
    assert_eq!((load(&mm, &task, 0), pool(&mm)), (has(0), (0, 0)));
    exit_mmap(&mm, CPU);
    assert_eq!(pool(&mm), (1, 0));
}

#[test]
fn a_child_finds_the_folio_of_a_shared_mapping_in_the_cache() {
    for generation in Generation::ALL {
        let (parent, child, task) = family(generation, 1);
        map(&parent, SHARED, 1);
        assert_eq!(store(&parent, &task, 0, 9), DONE);
        fork(&parent, &child, &task).expect("there is memory");
        assert_eq!(counted(&child), (0, 0, 0), "{generation}: the child's fault will find it");
        assert_eq!((load(&child, &task, 0), store(&child, &task, 8, 1)), (has(9), DONE));
        assert_eq!((load(&parent, &task, 8), counted(&child)), (has(1), (0, 512, 2)), "{generation}");
        exit_mmap(&parent, CPU);
        assert_eq!((load(&child, &task, 0), pool(&child)), (has(9), (0, 0)), "the file goes with its last mapping");
        exit_mmap(&child, CPU);
        assert_eq!(pool(&child), (1, 0), "{generation}");
    }
}

/// A file of hugetlbfs of so many huge pages.
fn file(huge_pages: u64) -> Arc<AddressSpace<P>> {
    let behaviour = Behaviour {
        fault: FaultOp::Hugetlb,
        map_pages: MapPages::None,
        page_mkwrite: PageMkwrite::None,
        reads: Reads::AtOnce,
        readahead_pages: 0,
        huge: HugeFolios::Never,
    };
    Arc::new(AddressSpace::new(FileId(7), huge_pages, huge_pages, behaviour))
}

fn map_file(
    mm: &Mm<P>,
    flags: MapFlags,
    at: u64,
    file: &Arc<AddressSpace<P>>,
    offset: u64,
) -> Result<VirtAddr, MapError> {
    let open = OpenFile { mapping: Arc::clone(file), mode: OpenMode::ReadWrite, offset };
    let placement = Placement::Fixed(START.offset(at));
    do_mmap(mm, &MapRequest { placement, file: Some(open), flags, ..MapRequest::anonymous(HUGE, RW) })
}

#[test]
fn a_private_mapping_of_a_file_shows_its_folio_until_it_writes() {
    for generation in Generation::ALL {
        let ((mm, _, task), file) = (family(generation, 3), file(2));
        map_file(&mm, MapFlags::SHARED, 0, &file, 0).expect("one is reserved for the file");
        map_file(&mm, MapFlags::PRIVATE, HUGE, &file, 0).expect("one is reserved for the mapping");
        assert_eq!(map_file(&mm, MapFlags::SHARED, 4 * HUGE, &file, 4096), Err(MapError::Invalid));
        assert_eq!((store(&mm, &task, 0, 9), load(&mm, &task, HUGE), pool(&mm)), (DONE, has(9), (2, 1)));
        assert_eq!(
            (store(&mm, &task, HUGE, 1), load(&mm, &task, 0), pool(&mm)),
            (DONE, has(9), (1, 0)),
            "{generation}"
        );
        // The same page again: the file has its reservation already.
        map_file(&mm, MapFlags::SHARED, 2 * HUGE, &file, 0).expect("nothing more is reserved");
        assert_eq!((load(&mm, &task, 2 * HUGE), pool(&mm)), (has(9), (1, 0)));
        exit_mmap(&mm, CPU);
        assert_eq!(pool(&mm), (2, 0), "{generation}: the file has a name, and keeps its folio");
        file.evict(mm.memory(), CPU);
        assert_eq!(pool(&mm), (3, 0));
    }
}

#[test]
fn beyond_the_end_of_the_file_is_nothing() {
    let ((mm, _, task), file) = (family(Generation::G6, 2), file(1));
    map_file(&mm, MapFlags::SHARED, 0, &file, HUGE).expect("Linux maps it, too");
    assert!(is_sigbus(load(&mm, &task, 0)));
    exit_mmap(&mm, CPU);
    file.evict(mm.memory(), CPU);
    assert_eq!(pool(&mm), (2, 0));
}
