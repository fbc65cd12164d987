//! A machine with one task, kept in step with the model.

use std::collections::BTreeMap;

use pagerace::actors::{UnmapError, exit_mmap, munmap};
use pagerace::mm::{Ending, Generation, Mm, Placement, Process, Protection, Task, VmFlags, mmap};
use pagerace::oracle::{Evaluated, Files, GhostEvent, GhostLog, Invariant, Layout, Quiet, after_exit, at_rest, verify};
use pagerace::phys::PhysConfig;
use pagerace::platform::{Arc, Platform};
use pagerace::x86::{Completion, Instruction, Machine, Mode, Retention, VirtAddr};

use super::CPU;
use super::model::Model;
use super::program::{Program, Step, WORDS, places};

/// A machine, an address space and the one task in it, with what the oracle must know about them.
pub struct World<P: Platform> {
    mm: Mm<P>,
    task: Task,
    memcg_limit_pages: u64,
    ghost: GhostLog,
    evaluated: Evaluated,
}

/// What a program came to.
pub struct Played {
    /// Accesses that ended because memory was out.
    pub out_of_memory: u64,
    /// How many facts each invariant was evaluated on.
    pub evaluated: Evaluated,
}

impl<P: Platform> World<P> {
    /// Boots the machine.
    pub fn new(config: &PhysConfig, generation: Generation) -> Self {
        let machine = Machine::boot_with(config, Retention::Keeps).expect("a small machine");
        let mm = Mm::new(Arc::new(machine), generation, CPU).expect("a frame for the root table");
        let (ghost, evaluated) = (GhostLog::default(), Evaluated::new());
        Self { mm, task: Task::new(CPU), memcg_limit_pages: config.memcg_limit_pages, ghost, evaluated }
    }

    /// The address space.
    pub fn mm(&self) -> &Mm<P> {
        &self.mm
    }

    /// A user's instruction.
    pub fn execute(&self, instruction: Instruction) -> Completion<Ending> {
        Process::new(&self.mm, &self.task).execute(Mode::User, instruction)
    }

    /// A user's store of a whole word.
    pub fn store(&mut self, address: VirtAddr, value: u64) -> Completion<Ending> {
        let completion = self.execute(Instruction::store(address, value));
        if completion == Completion::Done(None) {
            self.pretend_stored(address, value);
        }
        completion
    }

    /// Tells the oracle of a store.
    pub fn pretend_stored(&mut self, address: VirtAddr, value: u64) {
        self.ghost.push(GhostEvent::Stored(address, value), (0, 0));
    }

    /// The system call.
    pub fn munmap(&mut self, start: VirtAddr, bytes: u64) -> Result<(), UnmapError> {
        munmap(&self.mm, CPU, start, bytes)?;
        let end = start.offset(bytes.next_multiple_of(P::GEOMETRY.page_size()));
        self.ghost.push(GhostEvent::Discards { start, end }, (0, 0));
        Ok(())
    }

    /// Asks the oracle for everything that holds at rest.
    pub fn verify(&mut self) {
        self.mm.memory().drain_lru_batches(CPU);
        self.ask(at_rest(), Layout::of(&self.mm));
    }

    /// Ends the address space; nothing may be left of it.
    pub fn exit(mut self) -> Evaluated {
        self.verify();
        exit_mmap(&self.mm, CPU);
        self.ask(after_exit(), Layout::default());
        self.evaluated
    }

    fn ask(&mut self, invariants: Vec<Invariant<P>>, layout: Layout) {
        let (tasks, ghost) = ([self.task.counts()], [self.ghost.clone()]);
        let files = Files::default();
        let quiet = Quiet { mm: &self.mm, layout: &layout, tasks: &tasks, ghost: &ghost, files: &files, kin: None };
        if let Err(broken) = verify(&invariants, &quiet, &mut self.evaluated) {
            panic!("{broken}");
        }
    }

    /// Whether there is no frame for anybody, or no page that the cgroup may charge.
    fn is_short_of_memory(&self) -> bool {
        let memory = self.mm.memory();
        memory.zone().free_frames() == 0 || memory.memcg().charged_pages() == self.memcg_limit_pages
    }

    fn rights(&self) -> BTreeMap<u64, Protection> {
        let vmas = self.mm.mmap_lock().read();
        let pages = vmas.iter().flat_map(|vma| {
            let rights = (vma.flags() & VmFlags::ACCESS).bits() as u32;
            let range = vma.start().page_number(P::GEOMETRY)..vma.end().page_number(P::GEOMETRY);
            range.map(move |page| (page, Protection::from_bits_truncate(rights)))
        });
        pages.collect()
    }
}

/// Plays a program on a machine and in the model, and compares.
///
/// # Panics
/// If they differ, or if something does not hold that the oracle knows.
pub fn play<P: Platform>(config: &PhysConfig, generation: Generation, program: &Program) -> Played {
    let mut playing = Playing {
        world: World::<P>::new(config, generation),
        model: Model::new(P::GEOMETRY),
        places: places(P::GEOMETRY),
        out: 0,
    };
    program.steps.iter().for_each(|step| playing.step(*step));
    playing.read_everything();
    playing.verify();
    Played { out_of_memory: playing.out, evaluated: playing.world.exit() }
}

struct Playing<P: Platform> {
    world: World<P>,
    model: Model,
    places: Vec<VirtAddr>,
    out: u64,
}

impl<P: Platform> Playing<P> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Map { place, skew, length, protection } => {
                let placement = place.map_or(Placement::Anywhere, |place| Placement::Fixed(self.at(place, skew)));
                let bytes = length.bytes(P::GEOMETRY);
                let expected = self.model.mmap(placement, bytes, protection);
                assert_eq!(mmap(self.world.mm(), placement, bytes, protection), expected, "{step:?}");
            }
            Step::Unmap { place, skew, length } => {
                let (start, bytes) = (self.at(place, skew), length.bytes(P::GEOMETRY));
                assert_eq!(self.world.munmap(start, bytes), self.model.munmap(start, bytes), "{step:?}");
            }
            Step::Read { place, word } => self.access(Instruction::Load(self.word_at(place, word))),
            Step::Write { place, word, value } => {
                self.access(Instruction::store(self.word_at(place, word), value));
            }
            Step::WriteNarrow { place, word, offset, bytes, value } => {
                let address = self.word_at(place, word).offset(offset);
                self.access(Instruction::Store { address, value, bytes });
            }
            Step::Fetch { place } => self.access(Instruction::Fetch(self.at(place, 0))),
            Step::Verify => self.verify(),
        }
    }

    fn at(&self, place: usize, skew: u64) -> VirtAddr {
        self.places[place % self.places.len()].offset(skew)
    }

    fn word_at(&self, place: usize, word: u64) -> VirtAddr {
        self.at(place, word * 8 % P::GEOMETRY.page_size())
    }

    fn access(&mut self, instruction: Instruction) {
        let (completion, expected) = (self.world.execute(instruction), self.model.access(instruction));
        if completion == Completion::Ended(Ending::OutOfMemory) {
            // That a page may not be executed shows only when it is mapped, and for that there was no memory.
            let asked =
                if let Instruction::Fetch(address) = instruction { Instruction::Load(address) } else { instruction };
            let allowed = matches!(self.model.access(asked), Completion::Done(_));
            assert!(allowed, "{instruction:?} should have come to {expected:?}");
            assert!(self.world.is_short_of_memory(), "{instruction:?} found no memory, though there is some");
            self.out += 1;
            return;
        }
        assert_eq!(completion, expected, "{instruction:?}");
        if let (Instruction::Store { address, value, bytes }, Completion::Done(_)) = (instruction, completion) {
            let word = self.model.stored(address, value, bytes);
            let start = VirtAddr::new(address.bytes() / 8 * 8, P::GEOMETRY).expect("it is in the same page");
            self.world.pretend_stored(start, word);
        }
    }

    /// Reads every word that programs store to, so that no wrong value goes unnoticed.
    fn read_everything(&mut self) {
        let (pages, page_size) = (self.model.rights().clone(), P::GEOMETRY.page_size());
        let words = WORDS.min(page_size / 8);
        for (page, word) in pages.into_keys().flat_map(|page| (0..words).map(move |word| (page, word))) {
            let address = VirtAddr::new(page * page_size + word * 8, P::GEOMETRY).expect("it is mapped");
            self.access(Instruction::Load(address));
        }
    }

    fn verify(&mut self) {
        assert_eq!(&self.world.rights(), self.model.rights(), "the rights of the mapped pages");
        self.world.verify();
    }
}
