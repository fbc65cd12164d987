//! Playing a scenario once, under whatever schedule the platform chooses, and asking the oracle.

use std::collections::BTreeMap;

use crate::mm::{FaultCounts, Task};
use crate::oracle::{Evaluated, Layout};
use crate::phys::{CpuId, Mapping, PageState, Purpose};
use crate::platform::{Arc, Platform};

use super::definition::{Actor, Op, Scenario};
use super::family::{Carried, act};
use super::judge::{History, Layouts, judge_after_exit, judge_at_rest};
use super::outcome::{Outcome, THE_FILES};
use super::world::{World, WorldSpec};

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
    carried: Carried,
}

/// Plays the scenario once.
///
/// # Panics
/// If an invariant does not hold: the panic's words say which, and what was found.
pub fn run<P: Platform>(scenario: &'static Scenario) -> Played {
    let world = Arc::new(World::<P>::new(&WorldSpec::of(scenario)));
    let setup = Task::new(world.setup_cpu);
    let mut carried = Carried::before_others();
    scenario.setup.iter().for_each(|op| {
        act(&world, &setup, *op, &mut carried);
    });
    carried.pipe.close(world.mm.memory(), world.setup_cpu);
    // A page in the set-up's batch would have a reference that no actor can give back.
    world.mm.memory().drain_lru_batches(world.setup_cpu);
    let before = Frames::of(&world);
    let threads: Vec<_> = scenario.actors.iter().enumerate().map(|(cpu, actor)| spawn(&world, cpu, actor)).collect();
    let performed: Vec<_> = threads.into_iter().map(P::join).collect();
    world.mm.memory().drain_lru_batches(world.setup_cpu);
    world.files.files.iter().for_each(|file| file.end_reads(world.mm.memory()));
    let childs = world.child.as_ref().filter(|_| !exits(scenario)).map(Layout::of);
    let layouts = Layouts { parent: Layout::of(&world.mm), child: childs };
    let results = performed.iter().map(|performed| performed.results.clone());
    let outcome = Outcome {
        actors: scenario.actors.iter().map(|actor| actor.name).zip(results).collect(),
        pages: owners(scenario, &world, &layouts.parent),
        child_pages: layouts.child.as_ref().map(|layout| owners(scenario, &world, layout)).unwrap_or_default(),
        ..Frames::of(&world).since(before)
    };
    let mut history = History::default();
    history.add(setup.counts(), &carried);
    performed.iter().for_each(|performed| history.add(performed.counts, &performed.carried));
    let evaluated = ask_the_oracle(&world, &layouts, &history);
    Played { outcome, evaluated }
}

fn spawn<P: Platform>(world: &Arc<World<P>>, cpu: usize, actor: &'static Actor) -> P::Thread<Performed> {
    let world = Arc::clone(world);
    P::spawn(actor.name.to_owned(), move || {
        let task = Task::new(CpuId::new(cpu));
        let mut carried = Carried::default();
        let results = actor.ops.iter().map(|op| act(&world, &task, *op, &mut carried)).collect();
        carried.pipe.close(world.mm.memory(), task.cpu());
        Performed { results, counts: task.counts(), carried }
    })
}

/// Whether the child has exited in the end.
fn exits(scenario: &Scenario) -> bool {
    scenario.actors.iter().map(|actor| actor.ops).chain([scenario.setup]).flatten().any(|op| *op == Op::ExitChild)
}

fn ask_the_oracle<P: Platform>(world: &World<P>, layouts: &Layouts, history: &History) -> Evaluated {
    let mut evaluated = Evaluated::new();
    let judged = judge_at_rest(world, layouts, history, &mut evaluated)
        .and_then(|()| judge_after_exit(world, layouts, history, &mut evaluated));
    if let Err(broken) = judged {
        panic!("{broken}");
    }
    for (id, facts) in world.mm.machine().judgements() {
        *evaluated.entry(id).or_default() += facts;
    }
    evaluated
}

/// Frames and huge pages allocated and freed so far.
#[derive(Clone, Copy)]
struct Frames([(i64, i64); 4]);

impl Frames {
    fn of<P: Platform>(world: &World<P>) -> Self {
        let zone = world.mm.memory().zone();
        let purposes = [Purpose::User, Purpose::Table, Purpose::Huge];
        let [user, table, huge] = purposes.map(|purpose| (zone.allocated(purpose), zone.freed(purpose)));
        let hstate = world.mm.memory().hstate();
        Self([user, table, huge, (hstate.allocated(), hstate.freed())])
    }

    fn since(self, before: Self) -> Outcome {
        let [user_frames, table_frames, huge_folios, hugetlb_folios] =
            [0, 1, 2, 3].map(|of| (self.0[of].0 - before.0[of].0, self.0[of].1 - before.0[of].1));
        Outcome { user_frames, table_frames, huge_folios, hugetlb_folios, ..Outcome::default() }
    }
}

/// Whose each mapped page is: the actor on whose CPU it was allocated.
fn owners<P: Platform>(scenario: &Scenario, world: &World<P>, layout: &Layout) -> Vec<(u64, String)> {
    let memory = world.mm.memory();
    let owner = |pfn| match memory.page(pfn).allocated_by() {
        _ if memory.page(pfn).state() == PageState::Reserved => "zero".to_owned(),
        _ if matches!(memory.page(pfn).mapping(), Mapping::File(_) | Mapping::Shmem(_)) => THE_FILES.to_owned(),
        cpu => scenario.actors.get(cpu.index()).map_or("setup's".to_owned(), |actor| format!("{}'s", actor.name)),
    };
    let pages = layout.pages.iter();
    let huge = layout.huge.iter().map(|(address, entry)| (address, format!("huge, {}", owner(entry.pfn()))));
    let all: BTreeMap<_, _> = pages.map(|(address, entry)| (address, owner(entry.pfn()))).chain(huge).collect();
    all.into_iter().map(|(address, owner)| (address.page_number(P::GEOMETRY), owner)).collect()
}
