//! Asking the oracle about a world in which nobody runs.

use crate::actors::exit_mmap;
use crate::locks::lockdep::unheard;
use crate::mm::FaultCounts;
use crate::oracle::{Broken, Evaluated, GhostLog, Kin, Layout, Quiet, Relation, after_exit, at_rest, verify};
use crate::platform::Platform;

use super::family::Carried;
use super::world::World;

/// What every task of a world has done.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    tasks: Vec<FaultCounts>,
    parent: Vec<GhostLog>,
    child: Vec<GhostLog>,
}

impl History {
    /// Adds what a task has done.
    pub(super) fn add(&mut self, counts: FaultCounts, carried: &Carried) {
        self.tasks.push(counts);
        self.parent.push(carried.parent.clone());
        self.child.push(carried.child.clone());
    }
}

/// The layouts of a world: the process's, and its child's if it has one that has not exited.
pub(super) struct Layouts {
    pub(super) parent: Layout,
    pub(super) child: Option<Layout>,
}

/// Evaluates what must hold whenever nobody runs.
pub(super) fn judge_at_rest<P: Platform>(
    world: &World<P>,
    layouts: &Layouts,
    history: &History,
    evaluated: &mut Evaluated,
) -> Result<(), Broken> {
    let (files, parent) = (&world.files, &layouts.parent);
    let kin = layouts.child.as_ref().map(|layout| Kin { relation: Relation::Child, layout, ghost: &history.child });
    let quiet = Quiet { mm: &world.mm, layout: parent, tasks: &history.tasks, ghost: &history.parent, files, kin };
    unheard(|| verify(&at_rest(), &quiet, evaluated))?;
    if let Some((mm, layout)) = world.child.as_ref().zip(layouts.child.as_ref()) {
        let kin = Some(Kin { relation: Relation::Parent, layout: parent, ghost: &history.parent });
        unheard(|| {
            verify(&at_rest(), &Quiet { mm, layout, tasks: &[], ghost: &history.child, files, kin }, evaluated)
        })?;
    }
    Ok(())
}

/// Ends every process, takes the files out of memory, and evaluates what must hold then.
pub(super) fn judge_after_exit<P: Platform>(
    world: &World<P>,
    layouts: &Layouts,
    history: &History,
    evaluated: &mut Evaluated,
) -> Result<(), Broken> {
    if let (Some(mm), Some(_)) = (&world.child, &layouts.child) {
        exit_mmap(mm, world.setup_cpu);
    }
    exit_mmap(&world.mm, world.setup_cpu);
    world.files.files.iter().for_each(|file| file.evict(world.mm.memory(), world.setup_cpu));
    world.mm.memory().drain_lru_batches(world.setup_cpu);
    for mm in [Some(&world.mm), world.child.as_ref()].into_iter().flatten() {
        let (layout, files) = (&Layout::default(), &world.files);
        let quiet = Quiet { mm, layout, tasks: &history.tasks, ghost: &history.parent, files, kin: None };
        unheard(|| verify(&after_exit(), &quiet, evaluated))?;
    }
    Ok(())
}
