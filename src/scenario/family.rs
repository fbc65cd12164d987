//! Operations of a process that forks, and of its child.

use crate::actors;
use crate::mm::Task;
use crate::oracle::{GhostEvent, GhostLog};
use crate::phys::CpuId;
use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::definition::Op;
use super::file_ops;
use super::world::{World, perform};

/// What a task did to the memory of each process.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs {
    pub(super) parent: GhostLog,
    pub(super) child: GhostLog,
}

impl Logs {
    /// The logs of a task that is done before the others begin.
    pub(super) fn before_others() -> Self {
        let log = || GhostLog { before_others: true, ..GhostLog::default() };
        Self { parent: log(), child: log() }
    }
}

/// Does one operation, in the process that it concerns; returns what came out in words.
pub(super) fn act<P: Platform>(world: &World<P>, task: &Task, op: Op, logs: &mut Logs) -> String {
    let machine = world.mm.machine();
    if let Op::On { actor, op } = op {
        let task = Task::new(CpuId::new(actor));
        let result = act(world, &task, *op, logs);
        // Whatever it allocated or counted would be nobody's.
        assert!(task.counts().calls == 0, "{op:?} of the set-up faulted on CPU {actor}: {result}");
        return result;
    }
    if let Op::InChild(op) = op {
        return perform(world.child(), task, *op, &mut logs.child);
    }
    if op == Op::Fork {
        let began = machine.tick();
        actors::fork(&world.mm, world.child(), task).expect("there are frames for the child's tables");
        logs.parent.push(GhostEvent::Forked, (began, machine.tick()));
        return "forked".to_owned();
    }
    if op == Op::ExitChild {
        let (start, end) = (VirtAddr::ZERO, VirtAddr::user(P::GEOMETRY.task_size()));
        let began = machine.tick();
        actors::exit_mmap(world.child(), task.cpu());
        logs.child.push(GhostEvent::Discards { start, end }, (began, machine.tick()));
        return "exited".to_owned();
    }
    if matches!(op, Op::MapFile(_) | Op::Truncate { .. }) {
        return file_ops::perform(world, task, op, &mut logs.parent);
    }
    perform(&world.mm, task, op, &mut logs.parent)
}
