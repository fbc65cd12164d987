//! Programs that are made at run time: what each thread does, in phases, in one world. After each phase nobody runs,
//! and the oracle is asked.
//!
//! A program has no declared outcomes: whoever plays it wants to know whether every invariant holds.

use crate::mm::{FaultCounts, Generation, Task};
use crate::oracle::{Broken, Evaluated, Layout};
use crate::phys::CpuId;
use crate::platform::Platform;

use super::definition::{Op, VmaSpec};
use super::family::{Carried, act};
use super::judge::{History, Layouts, judge_after_exit, judge_at_rest};
use super::world::{World, WorldSpec};

/// A world, and what threads do in it.
#[derive(Clone, Debug)]
pub struct Program {
    /// Which kernel's protocol the address space follows.
    pub generation: Generation,
    /// What is mapped at first.
    pub vmas: Vec<VmaSpec>,
    /// What is done before the threads start, alone.
    pub setup: Vec<Op>,
    /// What each thread does, phase by phase.
    pub threads: Vec<Vec<Vec<Op>>>,
}

/// What one thread did in one phase.
#[derive(Debug)]
pub struct Performed {
    counts: FaultCounts,
    carried: Carried,
}

/// The world of a program, and what has been done in it so far.
#[derive(Debug)]
pub struct Playground<P: Platform> {
    world: World<P>,
    setup: (FaultCounts, Carried),
    has_child: bool,
}

impl<P: Platform> Playground<P> {
    /// Boots the machine, maps what is mapped at first, and does what comes before the threads.
    pub fn new(program: &Program) -> Self {
        let whole: Vec<Vec<Op>> = program.threads.iter().map(|phases| phases.concat()).collect();
        let world = World::new(&WorldSpec {
            generation: program.generation,
            vmas: &program.vmas,
            setup: &program.setup,
            actors: whole.iter().map(Vec::as_slice).collect(),
        });
        let (task, mut carried) = (Task::new(world.setup_cpu), Carried::before_others());
        for op in &program.setup {
            act(&world, &task, *op, &mut carried);
        }
        carried.pipe.close(world.mm.memory(), world.setup_cpu);
        world.mm.memory().drain_lru_batches(world.setup_cpu);
        let has_child = program.setup.contains(&Op::Fork);
        Self { world, setup: (task.counts(), carried), has_child }
    }

    /// Does one thread's operations of a phase, on the thread that calls; `tell` hears of each before it begins.
    pub fn perform(&self, thread: usize, ops: &[Op], tell: impl Fn(usize)) -> Performed {
        let (task, mut carried) = (Task::new(CpuId::new(thread)), Carried::default());
        for (index, op) in ops.iter().enumerate() {
            tell(index);
            act(&self.world, &task, *op, &mut carried);
        }
        carried.pipe.close(self.world.mm.memory(), task.cpu());
        Performed { counts: task.counts(), carried }
    }

    /// Evaluates every invariant, after a phase; `performed` is what has been done in all phases so far.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn judge(&self, performed: &[Performed], evaluated: &mut Evaluated) -> Result<(), Broken> {
        let memory = self.world.mm.memory();
        memory.drain_lru_batches(self.world.setup_cpu);
        self.world.files.files.iter().for_each(|file| file.end_reads(memory));
        judge_at_rest(&self.world, &self.layouts(), &self.history(performed), evaluated)
    }

    /// Ends every process and evaluates what must hold then.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn finish(&self, performed: &[Performed], evaluated: &mut Evaluated) -> Result<(), Broken> {
        judge_after_exit(&self.world, &self.layouts(), &self.history(performed), evaluated)
    }

    fn layouts(&self) -> Layouts {
        let child = self.world.child.as_ref().filter(|_| self.has_child).map(Layout::of);
        Layouts { parent: Layout::of(&self.world.mm), child }
    }

    fn history(&self, performed: &[Performed]) -> History {
        let mut history = History::default();
        history.add(self.setup.0, &self.setup.1);
        performed.iter().for_each(|performed| history.add(performed.counts, &performed.carried));
        history
    }
}
