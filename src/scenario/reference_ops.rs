//! What is done to a page by a reference to it, without any mapping.

use std::collections::VecDeque;

use crate::actors::{self, PipeBuffer};
use crate::mm::{Mm, Task};
use crate::oracle::{GhostEvent, GhostLog};
use crate::platform::Platform;

use super::definition::ByReference;
use super::world::{refused, word_address};

/// A task's pipe: what it holds, and since when.
#[derive(Debug, Default)]
pub(super) struct Pipe(VecDeque<(u64, PipeBuffer)>);

/// Does one operation; returns what came out in words, and logs what it did to memory.
pub(super) fn perform<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    op: ByReference,
    pipe: &mut Pipe,
    log: &mut GhostLog,
) -> String {
    let machine = mm.machine();
    let began = machine.tick();
    match op {
        ByReference::Poke { page, word, value } => {
            let address = word_address::<P>(page, word);
            actors::poke_remote_vm(mm, task, address, value).map_or_else(refused, |stored| {
                log.push(GhostEvent::StoredByReference(address, value), (began, stored));
                "poked".to_owned()
            })
        }
        ByReference::Vmsplice { page, word } => {
            actors::vmsplice(mm, task, word_address::<P>(page, word)).map_or_else(refused, |buffer| {
                pipe.0.push_back((began, buffer));
                "spliced".to_owned()
            })
        }
        ByReference::ReadPipe => match pipe.0.pop_front() {
            None => "found an empty pipe".to_owned(),
            Some((began, buffer)) => {
                let address = buffer.address();
                let value = buffer.read(machine.memory(), task.cpu());
                log.push(GhostEvent::LoadedByReference(address, value), (began, machine.tick()));
                format!("piped {value}")
            }
        },
    }
}
