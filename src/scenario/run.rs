//! Playing a scenario once, under whatever schedule the platform chooses, and asking the oracle.

use crate::actors::exit_mmap;
use crate::mm::{FaultCounts, Task};
use crate::oracle::{Evaluated, GhostLog, Layout, Quiet, after_exit, at_rest, verify};
use crate::phys::{CpuId, Mapping, Purpose};
use crate::platform::{Arc, Platform};

use super::definition::{Actor, Scenario};
use super::outcome::Outcome;
use super::world::{World, perform};

/// What one execution came to.
#[derive(Debug)]
pub struct Played {
    /// What came out.
    pub outcome: Outcome,
    /// How many facts each invariant was evaluated on.
    pub evaluated: Evaluated,
}

struct Performed {
    results: Vec<String>,
    counts: FaultCounts,
    log: GhostLog,
}

/// Plays the scenario once.
///
/// # Panics
/// If an invariant does not hold: the panic's words say which, and what was found.
pub fn run<P: Platform>(scenario: &'static Scenario) -> Played {
    let world = Arc::new(World::<P>::new(scenario));
    let setup = Task::new(world.setup_cpu);
    let mut setup_log = GhostLog { before_others: true, ..GhostLog::default() };
    scenario.setup.iter().for_each(|op| {
        perform(&world, &setup, *op, &mut setup_log);
    });
    let before = Frames::of(&world);
    let threads: Vec<_> = scenario.actors.iter().enumerate().map(|(cpu, actor)| spawn(&world, cpu, actor)).collect();
    let performed: Vec<_> = threads.into_iter().map(P::join).collect();
    world.mm.memory().drain_lru_batches(world.setup_cpu);
    world.files.files.iter().for_each(|file| file.end_reads(world.mm.memory()));
    let layout = Layout::of(&world.mm);
    let results = performed.iter().map(|performed| performed.results.clone());
    let outcome = Outcome {
        actors: scenario.actors.iter().map(|actor| actor.name).zip(results).collect(),
        pages: owners(scenario, &world, &layout),
        ..Frames::of(&world).since(before)
    };
    let evaluated = ask_the_oracle(&world, layout, setup, setup_log, performed);
    Played { outcome, evaluated }
}

fn spawn<P: Platform>(world: &Arc<World<P>>, cpu: usize, actor: &'static Actor) -> P::Thread<Performed> {
    let world = Arc::clone(world);
    P::spawn(actor.name.to_owned(), move || {
        let task = Task::new(CpuId::new(cpu));
        let mut log = GhostLog::default();
        let results = actor.ops.iter().map(|op| perform(&world, &task, *op, &mut log)).collect();
        Performed { results, counts: task.counts(), log }
    })
}

fn ask_the_oracle<P: Platform>(
    world: &World<P>,
    layout: Layout,
    setup: Task,
    setup_log: GhostLog,
    performed: Vec<Performed>,
) -> Evaluated {
    let (mut tasks, mut ghost) = (vec![setup.counts()], vec![setup_log]);
    for Performed { counts, log, .. } in performed {
        tasks.push(counts);
        ghost.push(log);
    }
    let mut evaluated = Evaluated::new();
    let mut quiet = Quiet { mm: &world.mm, layout, tasks: &tasks, ghost: &ghost, files: &world.files };
    let broken = verify(&at_rest(), &quiet, &mut evaluated).and_then(|()| {
        exit_mmap(&world.mm, world.setup_cpu);
        world.files.files.iter().for_each(|file| file.evict(world.mm.memory(), world.setup_cpu));
        world.mm.memory().drain_lru_batches(world.setup_cpu);
        quiet.layout = Layout::default();
        verify(&after_exit(), &quiet, &mut evaluated)
    });
    if let Err(broken) = broken {
        panic!("{broken}");
    }
    evaluated
}

/// Frames allocated and freed so far, for users and for tables.
#[derive(Clone, Copy)]
struct Frames([(i64, i64); 2]);

impl Frames {
    fn of<P: Platform>(world: &World<P>) -> Self {
        let zone = world.mm.memory().zone();
        Self([Purpose::User, Purpose::Table].map(|purpose| (zone.allocated(purpose), zone.freed(purpose))))
    }

    fn since(self, before: Self) -> Outcome {
        let [user_frames, table_frames] =
            [0, 1].map(|of| (self.0[of].0 - before.0[of].0, self.0[of].1 - before.0[of].1));
        Outcome { user_frames, table_frames, ..Outcome::default() }
    }
}

/// Whose each mapped page is: the actor on whose CPU it was allocated.
fn owners<P: Platform>(scenario: &Scenario, world: &World<P>, layout: &Layout) -> Vec<(u64, String)> {
    let memory = world.mm.memory();
    let owner = |pfn| match memory.page(pfn).allocated_by() {
        _ if pfn == world.mm.machine().zero_page() => "zero".to_owned(),
        _ if matches!(memory.page(pfn).mapping(), Mapping::File(_) | Mapping::Shmem(_)) => "the file's".to_owned(),
        cpu => scenario.actors.get(cpu.index()).map_or("setup's".to_owned(), |actor| format!("{}'s", actor.name)),
    };
    let pages = layout.pages.iter();
    pages.map(|(address, entry)| (address.page_number(P::GEOMETRY), owner(entry.pfn()))).collect()
}
