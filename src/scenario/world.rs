//! The world of a scenario: a machine just large enough, an address space, and one CPU for each actor and the set-up.

use crate::actors;
use crate::mm::{AddressSpace, Mm, Process, Task, Vma};
use crate::oracle::{Files, GhostEvent, GhostLog};
use crate::phys::{CpuId, Pfn, PhysConfig, Purpose};
use crate::platform::{Arc, Platform};
use crate::x86::{Completion, Instruction, Machine, Mode, VirtAddr};

use super::definition::{FileSpec, Op, Scenario, VmaSpec};
use super::file_ops::{self, files_of, frames_of_an_access, specs_of};
use super::outcome::{loaded, stored};

/// A machine with an address space.
#[derive(Debug)]
pub(super) struct World<P: Platform> {
    pub(super) mm: Mm<P>,
    pub(super) setup_cpu: CpuId,
    pub(super) files: Files<P>,
    specs: Vec<&'static FileSpec>,
}

impl<P: Platform> World<P> {
    /// Boots the machine and maps what the scenario maps. Every CPU's lists hold the frames that its operations can
    /// need, so that no actor waits for another's allocations: that race has nothing to do with the fault path.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let setup_cpu = CpuId::new(scenario.actors.len());
        let programs = || scenario.actors.iter().map(|actor| actor.ops).chain([scenario.setup]);
        let specs = specs_of(programs().flatten());
        let files = files_of(&specs, programs().flatten());
        let users = |ops: &[Op]| users(ops) + accesses(ops) * frames_of_an_access(&files);
        let frames: usize = programs().map(|ops| users(ops) + tables::<P>(ops)).sum();
        // The zero page and the root table come before all others.
        let config = PhysConfig {
            pcp_batch: 1,
            memcg_batch_pages: 1 << 16,
            ..PhysConfig::linux(Pfn::truncate(0x100), frames + 2, setup_cpu.index() + 1)
        };
        let machine = Machine::boot(&config).expect("a checker's memory is an array");
        let mm =
            Mm::new(Arc::new(machine), scenario.generation, setup_cpu).expect("there is a frame for the root table");
        for (index, ops) in programs().enumerate() {
            let cpu = CpuId::new(index);
            mm.memory().zone().prefill(cpu, Purpose::User, users(ops));
            mm.memory().zone().prefill(cpu, Purpose::Table, tables::<P>(ops));
            mm.memory().memcg().prefill(cpu, users(ops) as u64);
        }
        for VmaSpec { page, pages, protection, flags } in scenario.vmas {
            let (start, end) = (page_address::<P>(*page), page_address::<P>(*page).offset(pages * page_size::<P>()));
            mm.mmap_lock().write().insert(Vma::new(start, end, protection.vm_flags() | *flags));
        }
        Self { mm, setup_cpu, files, specs }
    }

    /// A file of the world.
    pub(super) fn file(&self, spec: &FileSpec) -> &Arc<AddressSpace<P>> {
        let id = self.specs.iter().position(|known| *known == spec);
        &self.files.files[id.expect("the world has every file that an operation names")]
    }
}

/// Users' frames that the operations can need: an operation that writes needs one.
fn users(ops: &[Op]) -> usize {
    ops.iter().filter(|op| matches!(op, Op::Write { .. } | Op::CopyToUser { .. })).count()
}

/// Accesses of a user's memory.
fn accesses(ops: &[Op]) -> usize {
    ops.iter()
        .filter(|op| matches!(op, Op::Write { .. } | Op::CopyToUser { .. } | Op::Read { .. } | Op::Execute { .. }))
        .count()
}

/// Tables that the operations can need.
fn tables<P: Platform>(ops: &[Op]) -> usize {
    ops.iter()
        .filter(|op| !matches!(op, Op::Munmap { .. } | Op::Age { .. } | Op::MapFile(_) | Op::Truncate { .. }))
        .count()
        * (P::GEOMETRY.levels as usize - 1)
}

fn page_size<P: Platform>() -> u64 {
    P::GEOMETRY.page_size()
}

/// The first byte of a page.
pub(super) fn page_address<P: Platform>(page: u64) -> VirtAddr {
    VirtAddr::new(page * P::GEOMETRY.page_size(), P::GEOMETRY).expect("a scenario's pages are user space")
}

fn word_address<P: Platform>(page: u64, word: u64) -> VirtAddr {
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
        log.events.push(GhostEvent::Stored(address, value));
    }
    stored(completion)
}

/// Does one operation; returns what came out in words, and logs what it did to memory.
pub(super) fn perform<P: Platform>(world: &World<P>, task: &Task, op: Op, log: &mut GhostLog) -> String {
    let mm = &world.mm;
    let mut process = Process::new(mm, task);
    match op {
        Op::Write { page, word, value } => store(&mut process, Mode::User, word_address::<P>(page, word), value, log),
        Op::CopyToUser { page, word, value } => {
            store(&mut process, Mode::KernelUserCopy, word_address::<P>(page, word), value, log)
        }
        Op::Read { page, word } => {
            let address = word_address::<P>(page, word);
            let completion = process.execute(Mode::User, Instruction::Load(address));
            if let Completion::Done(Some(value)) = completion {
                log.events.push(GhostEvent::Loaded(address, value));
            }
            loaded(completion)
        }
        Op::Execute { page } => loaded(process.execute(Mode::User, Instruction::Fetch(page_address::<P>(page)))),
        Op::Age { page } => {
            actors::age(mm, page_address::<P>(page));
            "aged".to_owned()
        }
        Op::MapFile(_) | Op::Truncate { .. } => file_ops::perform(world, task, op, log),
        Op::Munmap { page, pages } => {
            let (start, bytes) = (page_address::<P>(page), pages * page_size::<P>());
            log.events.push(GhostEvent::Discards { start, end: start.offset(bytes) });
            actors::munmap(mm, task.cpu(), start, bytes).expect("a scenario's ranges are valid");
            "unmapped".to_owned()
        }
    }
}
