//! What a lock-order scenario is made of.

use crate::locks::LockClass;
use crate::mm::{Task, VmFlags};
use crate::phys::CpuId;
use crate::platform::{Arc, Platform};
use crate::scenario::definition::{Actor, READ_WRITE, Scenario, VmaSpec};
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
    /// Plays one execution on the interleaver.
    pub(super) play: fn(Form),
}

/// What one task does.
pub(super) type Part<P> = fn(&World<P>, &Task, Form);

/// One anonymous mapping of all of a small world, four pages under two PTE tables.
pub(super) const FOUR_PAGES: &[VmaSpec] =
    &[VmaSpec { page: 0, pages: 4, protection: READ_WRITE, flags: VmFlags::empty() }];

/// Plays parts against each other in a world that is as large as the operations of `scenario` need, after its set-up.
pub(super) fn race<P: Platform, const N: usize>(scenario: &'static Scenario, form: Form, parts: [Part<P>; N]) {
    let world = Arc::new(World::<P>::new(&WorldSpec::of(scenario)));
    let (setup, mut carried) = (Task::new(world.setup_cpu), Carried::before_others());
    scenario.setup.iter().for_each(|op| {
        act(&world, &setup, *op, &mut carried);
    });
    world.mm.memory().drain_lru_batches(world.setup_cpu);
    let spawn = |(cpu, (part, Actor { name, .. })): (usize, (Part<P>, &Actor))| {
        let world = Arc::clone(&world);
        P::spawn((*name).to_owned(), move || part(&world, &Task::new(CpuId::new(cpu)), form))
    };
    let threads: Vec<_> = parts.into_iter().zip(scenario.actors).enumerate().map(spawn).collect();
    threads.into_iter().for_each(P::join);
}
