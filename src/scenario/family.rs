//! Operations of a process that forks, and of its child.

use crate::actors;
use crate::mm::Task;
use crate::oracle::{GhostEvent, GhostLog};
use crate::phys::CpuId;
use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::definition::Op;
use super::file_ops;
use super::reference_ops::{self, Pipe};
use super::world::{World, perform};

/// What a task carries from one operation to the next: what it did to the memory of each process, and its pipe.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) parent: GhostLog,
    pub(super) child: GhostLog,
    pub(super) pipe: Pipe,
}

impl Carried {
    /// What a task carries that is done before the others begin.
    pub(super) fn before_others() -> Self {
        let log = || GhostLog { before_others: true, ..GhostLog::default() };
        Self { parent: log(), child: log(), pipe: Pipe::default() }
    }
}

/// Does one operation, in the process that it concerns; returns what came out in words.
pub(super) fn act<P: Platform>(world: &World<P>, task: &Task, op: Op, carried: &mut Carried) -> String {
    let machine = world.mm.machine();
    if let Op::On { actor, op } = op {
        let task = Task::new(CpuId::new(actor));
        let result = act(world, &task, *op, carried);
        // Whatever it allocated or counted would be nobody's.
        assert!(task.counts().calls == 0, "{op:?} of the set-up faulted on CPU {actor}: {result}");
        return result;
    }
    if op == Op::Fork {
        let began = machine.tick();
        actors::fork(&world.mm, world.child(), task).expect("there are frames for the child's tables");
        carried.parent.push(GhostEvent::Forked, (began, machine.tick()));
        return "forked".to_owned();
    }
    if op == Op::ExitChild {
        let (start, end) = (VirtAddr::ZERO, VirtAddr::user(P::GEOMETRY.task_size()));
        let began = machine.tick();
        actors::exit_mmap(world.child(), task.cpu());
        carried.child.push(GhostEvent::Discards { start, end }, (began, machine.tick()));
        return "exited".to_owned();
    }
    if matches!(op, Op::MapFile(_) | Op::Truncate { .. }) {
        return file_ops::perform(world, task, op, &mut carried.parent);
    }
    let (mm, op, log) = if let Op::InChild(op) = op {
        (world.child(), *op, &mut carried.child)
    } else {
        (&world.mm, op, &mut carried.parent)
    };
    if let Op::ByReference(op) = op {
        return reference_ops::perform(mm, task, op, &mut carried.pipe, log);
    }
    perform(mm, task, op, log)
}
