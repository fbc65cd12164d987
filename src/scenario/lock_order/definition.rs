//! What a lock-order scenario is made of.

use crate::locks::LockClass;
use crate::mm::{Task, VmFlags};
use crate::phys::CpuId;
use crate::platform::interleaved::{Interleaved, Told};
use crate::platform::{Arc, Platform, TwoLevels, enter};
use crate::scenario::definition::{Actor, Op, READ_WRITE, Scenario, VmaSpec};
use crate::scenario::family::{Carried, act};
use crate::scenario::world::{World, WorldSpec};

/// Which of the two kernels is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The one whose locks can be taken in a circle.
    Broken,
    /// The one whose locks cannot.
    Fixed,
}

/// What the interleaver says of the broken form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reality {
    /// An interleaving deadlocks.
    Deadlocks,
    /// None does: a lock keeps the tasks apart.
    GuardedBy(LockClass),
}

/// Two forms of one order.
#[derive(Clone, Copy, Debug)]
pub struct LockScenario {
    /// Its name, after the locks.
    pub name: &'static str,
    /// What goes wrong, as a sentence.
    pub breaks: &'static str,
    /// How it is mended.
    pub mended_by: &'static str,
    /// What the broken form comes to.
    pub reality: Reality,
    /// What there is before the tasks begin. It has an actor for each, with operations that need as large a world.
    pub(super) world: &'static Scenario,
    /// What the tasks do.
    pub(super) tasks: &'static [LockTask],
}

/// What one task does, on platform `P`.
pub(super) type Part<P> = fn(&World<P>, &Task, Form);

/// One task of a lock-order scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct LockTask {
    /// The function that it runs.
    pub(super) function: &'static str,
    /// What that does in the broken form, in words.
    pub(super) does: &'static str,
    pub(super) searched: Part<Interleaved<TwoLevels>>,
    pub(super) told: Part<Told<TwoLevels>>,
}

/// A task that runs `$function`, which is generic over the platform.
macro_rules! task {
    ($function:ident, $does:literal) => {
        $crate::scenario::lock_order::definition::LockTask {
            function: stringify!($function),
            does: $does,
            searched: $function,
            told: $function,
        }
    };
}
pub(super) use task;

impl Form {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Broken, Self::Fixed];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Fixed => "fixed",
        }
    }
}

impl LockScenario {
    /// What is said of a form.
    pub fn claim(&self, form: Form) -> &'static str {
        match form {
            Form::Broken => self.breaks,
            Form::Fixed => self.mended_by,
        }
    }

    /// What is done before the tasks begin.
    pub fn setup(&self) -> &'static [Op] {
        self.world.setup
    }

    /// The tasks: who they are, and what they do; the words are those of the broken form only.
    pub fn tasks(&self, form: Form) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        let does = move |task: &LockTask| (form == Form::Broken).then_some(task.does);
        self.world.actors.iter().zip(self.tasks).map(move |(actor, task)| (actor.name, does(task)))
    }

    /// Plays one execution on the interleaver.
    pub(super) fn play(&self, form: Form) {
        race(self, form, |task| task.searched);
    }

    /// The same, telling what happens.
    pub(super) fn tell(&self, form: Form) {
        race(self, form, |task| task.told);
    }
}

/// One anonymous mapping of all of a small world, four pages under two PTE tables.
pub(super) const FOUR_PAGES: &[VmaSpec] =
    &[VmaSpec { page: 0, pages: 4, protection: READ_WRITE, flags: VmFlags::empty() }];

/// Plays the tasks against each other in a world that is as large as its actors need, after its set-up.
fn race<P: Platform>(
    LockScenario { world: spec, tasks, .. }: &LockScenario,
    form: Form,
    part: fn(&LockTask) -> Part<P>,
) {
    let world = Arc::new(World::<P>::new(&WorldSpec::of(spec)));
    let (setup, mut carried) = (Task::new(world.setup_cpu), Carried::before_others());
    spec.setup.iter().for_each(|op| {
        act(&world, &setup, *op, &mut carried);
    });
    world.mm.memory().drain_lru_batches(world.setup_cpu);
    let spawn = |(cpu, (task, Actor { name, .. })): (usize, (&LockTask, &Actor))| {
        let world = Arc::clone(&world);
        let (part, function) = (part(task), task.function);
        P::spawn((*name).to_owned(), move || {
            let run = || part(&world, &Task::new(CpuId::new(cpu)), form);
            enter::<P>(function, format_args!("")).run(run, |()| String::new());
        })
    };
    let threads: Vec<_> = tasks.iter().zip(spec.actors).enumerate().map(spawn).collect();
    threads.into_iter().for_each(P::join);
}
