//! The world of a scenario: a machine just large enough, an address space, and one CPU for each actor and the set-up.

use crate::actors;
use crate::mm::{
    AddressSpace, Generation, MapFlags, MapRequest, Migrated, Mm, Placement, Process, Task, VmFlags, Vma, do_mmap, mmap,
};
use crate::oracle::{Files, GhostEvent, GhostLog};
use crate::phys::{CpuId, Pfn, PhysConfig, Purpose};
use crate::platform::{Arc, Platform};
use crate::x86::{Completion, Instruction, Machine, Mode, Retention, VirtAddr};

use super::definition::{ByReference, FileSpec, Op, Scenario, VmaSpec};
use super::file_ops::{files_of, frames_of_an_access, specs_of};
use super::outcome::{loaded, stored};

/// A machine with an address space, and one for the child if the process forks.
#[derive(Debug)]
pub(super) struct World<P: Platform> {
    pub(super) mm: Mm<P>,
    pub(super) child: Option<Mm<P>>,
    pub(super) setup_cpu: CpuId,
    pub(super) files: Files<P>,
    specs: Vec<&'static FileSpec>,
}

/// What a world is made for.
pub(super) struct WorldSpec<'a> {
    pub(super) generation: Generation,
    pub(super) vmas: &'a [VmaSpec],
    pub(super) setup: &'a [Op],
    /// What each actor does.
    pub(super) actors: Vec<&'a [Op]>,
}

impl<'a> WorldSpec<'a> {
    /// A scenario's.
    pub(super) fn of(scenario: &Scenario) -> Self {
        let Scenario { generation, vmas, setup, actors, .. } = *scenario;
        Self { generation, vmas, setup, actors: actors.iter().map(|actor| actor.ops).collect() }
    }
}

impl<P: Platform> World<P> {
    /// Boots the machine and maps what the scenario maps. Every CPU's lists hold the frames that its operations can
    /// need, so that no actor waits for another's allocations: that race has nothing to do with the fault path.
    pub(super) fn new(spec: &WorldSpec<'_>) -> Self {
        let setup_cpu = CpuId::new(spec.actors.len());
        let programs = || spec.actors.iter().copied().chain([spec.setup]);
        let specs = specs_of(programs().flatten());
        let files = files_of(&specs, programs().flatten());
        let huge: usize = spec.setup.iter().map(|op| huge_folios(*op).1).sum();
        let copies = if spec.generation == Generation::G2 && huge > 0 { P::GEOMETRY.entries() - 1 } else { 0 };
        let users = |ops: &[Op]| users(ops) + accesses(ops) * (frames_of_an_access(&files) + copies);
        let small: usize = programs().map(|ops| users(ops) + tables::<P>(ops)).sum();
        let nr_hugepages = spec.setup.iter().map(|op| hugetlb_folios(*op)).sum::<usize>();
        let frames = small + (huge + nr_hugepages) * P::GEOMETRY.entries();
        let forks = programs().flatten().any(|op| *op == Op::Fork);
        // The zero page and the root tables come before all others.
        let config = PhysConfig {
            pcp_batch: 1,
            memcg_batch_pages: 1 << 16,
            nr_hugepages,
            ..PhysConfig::linux(Pfn::truncate(0x100), frames + 2 + usize::from(forks), setup_cpu.index() + 1)
        };
        let machine = Machine::boot_with(&config, retention::<P>(spec.setup)).expect("a checker's memory is an array");
        let machine = Arc::new(machine);
        let new_mm = || Mm::new(Arc::clone(&machine), spec.generation, setup_cpu).expect("a frame for the root table");
        let (mm, child) = (new_mm(), forks.then(new_mm));
        for (actor, folios) in spec.setup.iter().map(|op| huge_folios(*op)) {
            // Before the others, so that the blocks are still whole.
            mm.memory().zone().prefill(CpuId::new(actor), Purpose::Huge, folios);
            mm.memory().memcg().prefill(CpuId::new(actor), (folios * P::GEOMETRY.entries()) as u64);
        }
        for (index, ops) in programs().enumerate() {
            let cpu = CpuId::new(index);
            mm.memory().zone().prefill(cpu, Purpose::User, users(ops));
            mm.memory().zone().prefill(cpu, Purpose::Table, tables::<P>(ops));
            mm.memory().memcg().prefill(cpu, users(ops) as u64);
        }
        spec.vmas.iter().for_each(|spec| map(&mm, spec));
        Self { mm, child, setup_cpu, files, specs }
    }

    /// A file of the world.
    pub(super) fn file(&self, spec: &FileSpec) -> &Arc<AddressSpace<P>> {
        let id = self.specs.iter().position(|known| *known == spec);
        &self.files.files[id.expect("the world has every file that an operation names")]
    }

    /// The child's address space.
    pub(super) fn child(&self) -> &Mm<P> {
        self.child.as_ref().expect("who acts in a child has a scenario that forks")
    }
}

/// Maps what a scenario describes; huge pages of the pool are reserved, so the system call itself does it.
fn map<P: Platform>(mm: &Mm<P>, VmaSpec { page, pages, protection, flags }: &VmaSpec) {
    let (start, bytes) = (page_address::<P>(*page), pages * page_size::<P>());
    if !flags.contains(VmFlags::HUGETLB) {
        let vma = Vma::new(start, start.offset(bytes), protection.vm_flags() | *flags);
        return mm.mmap_lock().write().insert(vma);
    }
    let sharing = if flags.contains(VmFlags::SHARED) { MapFlags::SHARED } else { MapFlags::PRIVATE };
    let mut how = sharing | MapFlags::ANONYMOUS | MapFlags::HUGETLB;
    how.set(MapFlags::NORESERVE, flags.contains(VmFlags::NORESERVE));
    let request =
        MapRequest { placement: Placement::Fixed(start), flags: how, ..MapRequest::anonymous(bytes, *protection) };
    do_mmap(mm, &request).expect("the pool has what a scenario maps");
}

/// How long the CPUs remember translations.
fn retention<P: Platform>(setup: &[Op]) -> Retention {
    let said = setup.iter().find_map(|op| if let Op::Tlb(retention) = op { Some(*retention) } else { None });
    said.unwrap_or(Retention::usual::<P>())
}

/// Huge pages that an operation sets aside for hugetlb mappings.
fn hugetlb_folios(op: Op) -> usize {
    if let Op::StockHugetlb { folios } = op { folios } else { 0 }
}

/// Huge pages that an operation keeps for the CPU of an actor.
fn huge_folios(op: Op) -> (usize, usize) {
    if let Op::StockHuge { actor, folios } = op { (actor, folios) } else { (0, 0) }
}

/// Users' frames that the operations can need: an access needs one at most, and so does moving a page. A copy for a
/// debugger may be discarded before it is written to, and is made once more then.
fn users(ops: &[Op]) -> usize {
    let ops = || ops.iter().map(|op| in_any_process(*op));
    let pokes =
        ops().filter(|op| matches!(op, Op::ByReference(ByReference::Poke { .. } | ByReference::Writev { .. }))).count();
    ops().filter(|op| !needs_no_frame(*op) && *op != Op::Fork).count() + pokes
}

/// Accesses of a user's memory.
fn accesses(ops: &[Op]) -> usize {
    ops.iter()
        .map(|op| in_any_process(*op))
        .filter(|op| {
            matches!(op, Op::Write { .. } | Op::CopyToUser { .. } | Op::Read { .. } | Op::Execute { .. })
                || matches!(
                    op,
                    Op::ByReference(
                        ByReference::Poke { .. } | ByReference::Writev { .. } | ByReference::Vmsplice { .. }
                    )
                )
        })
        .count()
}

/// Tables that the operations can need.
fn tables<P: Platform>(ops: &[Op]) -> usize {
    ops.iter().map(|op| in_any_process(*op)).filter(|op| !needs_no_frame(*op)).count()
        * (P::GEOMETRY.levels as usize - 1)
}

fn in_any_process(op: Op) -> Op {
    if let Op::InChild(op) = op { *op } else { op }
}

fn needs_no_frame(op: Op) -> bool {
    matches!(op, Op::Peek { .. } | Op::Munmap { .. } | Op::Age { .. } | Op::Dontneed { .. } | Op::MarkNuma { .. })
        || matches!(
            op,
            Op::ExitChild
                | Op::ByReference(ByReference::ReadPipe)
                | Op::MapFile(_)
                | Op::MapAnonymous { .. }
                | Op::Truncate { .. }
        )
        || matches!(op, Op::On { .. } | Op::Tlb(_))
        || matches!(op, Op::ClearRefs { .. } | Op::StockHuge { .. } | Op::StockHugetlb { .. } | Op::AdviseHuge { .. })
        || matches!(op, Op::Mprotect { .. } | Op::Collapse { .. })
}

fn page_size<P: Platform>() -> u64 {
    P::GEOMETRY.page_size()
}

/// The first byte of a page.
pub(super) fn page_address<P: Platform>(page: u64) -> VirtAddr {
    VirtAddr::new(page * P::GEOMETRY.page_size(), P::GEOMETRY).expect("a scenario's pages are user space")
}

/// The first byte of a word.
pub(super) fn word_address<P: Platform>(page: u64, word: u64) -> VirtAddr {
    page_address::<P>(page).offset(word * 8)
}

fn store<P: Platform>(
    process: &mut Process<'_, P>,
    mode: Mode,
    address: VirtAddr,
    value: u64,
    log: &mut GhostLog,
) -> String {
    let completion = process.execute(mode, Instruction::store(address, value));
    if completion == Completion::Done(None) {
        log.push(GhostEvent::Stored(address, value), process.accessed());
    }
    stored(completion)
}

fn load<P: Platform>(process: &mut Process<'_, P>, mode: Mode, address: VirtAddr, log: &mut GhostLog) -> String {
    let completion = process.execute(mode, Instruction::Load(address));
    if let Completion::Done(Some(value)) = completion {
        log.push(GhostEvent::Loaded(address, value), process.accessed());
    }
    loaded(completion)
}

/// The errno that a system call was refused with; the words after it are for people.
pub(super) fn refused(error: impl std::fmt::Display) -> String {
    let words = error.to_string();
    format!("got {}", words.split(':').next().unwrap_or_default())
}

/// Does what discards a range, and logs that it did.
fn discarding<P: Platform>(
    mm: &Mm<P>,
    log: &mut GhostLog,
    (page, pages): (u64, u64),
    discard: impl FnOnce(VirtAddr, u64),
) {
    let (start, bytes) = (page_address::<P>(page), pages * page_size::<P>());
    let began = mm.machine().tick();
    discard(start, bytes);
    log.push(GhostEvent::Discards { start, end: start.offset(bytes) }, (began, mm.machine().tick()));
}

/// Does one operation; returns what came out in words, and logs what it did to memory.
pub(super) fn perform<P: Platform>(mm: &Mm<P>, task: &Task, op: Op, log: &mut GhostLog) -> String {
    let mut process = Process::new(mm, task);
    match op {
        Op::Write { page, word, value } => store(&mut process, Mode::User, word_address::<P>(page, word), value, log),
        Op::CopyToUser { page, word, value } => {
            store(&mut process, Mode::KernelUserCopy, word_address::<P>(page, word), value, log)
        }
        Op::Read { page, word } => load(&mut process, Mode::User, word_address::<P>(page, word), log),
        Op::Peek { page, word } => {
            task.with_faults_disabled(|| load(&mut process, Mode::KernelUserCopy, word_address::<P>(page, word), log))
        }
        Op::Execute { page } => loaded(process.execute(Mode::User, Instruction::Fetch(page_address::<P>(page)))),
        Op::Age { page } => {
            let began = mm.machine().tick();
            actors::age(mm, page_address::<P>(page));
            log.push(GhostEvent::Cleaned(page_address::<P>(page)), (began, mm.machine().tick()));
            "aged".to_owned()
        }
        Op::Dontneed { page, pages } => {
            discarding(mm, log, (page, pages), |start, bytes| actors::madvise_dontneed(mm, task.cpu(), start, bytes));
            "discarded".to_owned()
        }
        Op::AdviseHuge { page, pages, advice } => {
            let range = (page_address::<P>(page), pages * page_size::<P>());
            actors::madvise_hugepage(mm, task.cpu(), range, advice).map_or_else(refused, |()| "advised".to_owned())
        }
        Op::Collapse { page, by } => match actors::collapse(mm, task, page_address::<P>(page), by) {
            Ok(()) => "collapsed".to_owned(),
            Err(why) => format!("gave up ({})", why.name()),
        },
        Op::Mprotect { page, pages, protection } => {
            let range = (page_address::<P>(page), pages * page_size::<P>());
            actors::mprotect(mm, task.cpu(), range, protection).map_or_else(refused, |()| "protected".to_owned())
        }
        Op::MarkNuma { page } => {
            actors::change_prot_numa(mm, task.cpu(), page_address::<P>(page), page_size::<P>());
            "marked".to_owned()
        }
        Op::Migrate { page } => match actors::migrate(mm, task, page_address::<P>(page)) {
            Migrated::Moved => "moved".to_owned(),
            Migrated::Kept => "kept".to_owned(),
        },
        Op::ClearRefs { page, pages } => {
            let of = |page| page_address::<P>(page);
            let began = mm.machine().tick();
            actors::clear_refs(mm, of(page), pages * page_size::<P>());
            let when = (began, mm.machine().tick());
            (page..page + pages).for_each(|page| log.push(GhostEvent::Cleaned(of(page)), when));
            "cleared".to_owned()
        }
        Op::StockHuge { .. } | Op::StockHugetlb { .. } | Op::Tlb(_) => "stocked".to_owned(),
        Op::Fork | Op::InChild(_) | Op::ExitChild | Op::On { .. } => panic!("{op:?} is not one process's"),
        Op::MapFile(_) | Op::Truncate { .. } => panic!("{op:?} concerns the files of the world"),
        Op::ByReference(_) => panic!("{op:?} needs what the task carries"),
        Op::MapAnonymous { page, pages, protection } => {
            let placement = Placement::Fixed(page_address::<P>(page));
            let mapped = mmap(mm, placement, pages * page_size::<P>(), protection);
            mapped.map_or_else(refused, |_| "mapped".to_owned())
        }
        Op::Munmap { page, pages } => {
            discarding(mm, log, (page, pages), |start, bytes| {
                actors::munmap(mm, task.cpu(), start, bytes).expect("a scenario's ranges are valid");
            });
            "unmapped".to_owned()
        }
    }
}
