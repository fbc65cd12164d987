//! What is done to a page by a reference to it, without any mapping.

use std::collections::VecDeque;

use crate::actors::{self, PipeBuffer, RemoteStore};
use crate::mm::{GupError, Mm, Task};
use crate::oracle::{GhostEvent, GhostLog};
use crate::phys::{CpuId, PhysMem};
use crate::platform::Platform;

use super::definition::ByReference;
use super::world::{refused, word_address};

/// A task's pipe.
#[derive(Debug, Default)]
pub(super) struct Pipe(VecDeque<PipeBuffer>);

impl Pipe {
    /// Lets go of what nobody has read (`free_pipe_info`).
    pub(super) fn close<P: Platform>(&mut self, memory: &PhysMem<P>, cpu: CpuId) {
        self.0.drain(..).for_each(|buffer| buffer.release(memory, cpu));
    }
}

/// Does one operation; returns what came out in words, and logs what it did to memory.
pub(super) fn perform<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    op: ByReference,
    pipe: &mut Pipe,
    log: &mut GhostLog,
) -> String {
    let machine = mm.machine();
    let mut stored = |done: Result<RemoteStore, GupError>, words: &str, (address, value)| {
        done.map_or_else(refused, |when| {
            log.push(GhostEvent::StoredByReference(address, value), (when.found, when.stored));
            words.to_owned()
        })
    };
    match op {
        ByReference::Poke { page, word, value } => {
            let address = word_address::<P>(page, word);
            stored(actors::access_remote_vm(mm, task, address, value), "poked", (address, value))
        }
        ByReference::Writev { page, word, value } => {
            let address = word_address::<P>(page, word);
            stored(actors::process_vm_writev(mm, task, address, value), "wrote", (address, value))
        }
        ByReference::Vmsplice { page, word } => {
            actors::vmsplice(mm, task, word_address::<P>(page, word)).map_or_else(refused, |buffer| {
                pipe.0.push_back(buffer);
                "spliced".to_owned()
            })
        }
        ByReference::ReadPipe => match pipe.0.pop_front() {
            None => "found an empty pipe".to_owned(),
            Some(buffer) => {
                let (address, found) = (buffer.address(), buffer.found());
                let value = buffer.read(machine.memory(), task.cpu());
                log.push(GhostEvent::LoadedByReference(address, value), (found, machine.tick()));
                format!("piped {value}")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::mm::{Generation, Protection, VmFlags};
    use crate::platform::Watch;
    use crate::platform::interleaved::Search;
    use crate::scenario::definition::{
        Actor, LoomReach, Op, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, clear_refs, dontneed, mprotect, on,
        poke, read, read_pipe, stock_huge, vmsplice, write,
    };
    use crate::scenario::{Engine, Verdict, check};

    const HUGE: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::HUGEPAGE }];

    const fn mine(name: &'static str, setup: &'static [Op], actors: &'static [Actor]) -> Scenario {
        Scenario {
            name,
            family: "mine",
            claim: "no invariant falls",
            shape: ShapeName::TwoLevels,
            generation: Generation::G6,
            vmas: TWO_PAGES,
            setup,
            actors,
            outcomes: &[],
            loom: LoomReach::Partly { preemptions: 0 },
        }
    }

    static SCENARIOS: &[Scenario] = &[
        mine("nobody-reads", &[write(0, 0, 9)], &[Actor { name: "V", ops: &[vmsplice(0, 0)] }]),
        // The writer's CPU remembers the old page, and the debugger has the new one.
        mine(
            "two-pages",
            &[write(0, 0, 9), on(1, &write(0, 0, 8))],
            &[
                Actor { name: "D", ops: &[poke(0, 0, 1)] },
                Actor { name: "W", ops: &[write(0, 0, 2)] },
                Actor { name: "B", ops: &[dontneed(0, 1)] },
            ],
        ),
        // The pipe has the zero page, which the word is not in before it nor afterwards.
        mine(
            "nothing-for-a-moment",
            &[write(0, 0, 9)],
            &[
                Actor { name: "V", ops: &[read(0, 0), vmsplice(0, 0), read_pipe()] },
                Actor { name: "B", ops: &[dontneed(0, 1), write(0, 0, 1)] },
            ],
        ),
        Scenario {
            vmas: HUGE,
            ..mine(
                "watched-huge",
                &[stock_huge(1, 1), write(0, 0, 9), mprotect(0, 2, Protection::READ), clear_refs(0, 2)],
                &[Actor { name: "D", ops: &[poke(0, 0, 1)] }],
            )
        },
    ];

    #[test]
    fn a_correct_kernel_raises_no_alarm() {
        for scenario in SCENARIOS {
            let report = check(scenario, Engine::Interleaver { search: Search::Everything }, &Watch::default());
            assert!(matches!(report.verdict, Verdict::Undeclared(_)), "{}: {:?}", scenario.name, report.verdict);
        }
    }
}
