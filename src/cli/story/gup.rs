//! Tales of a debugger, which writes to memory whatever rights its mapping gives.

use crate::actors::{access_remote_vm, madvise_dontneed};
use crate::mm::{MapFlags, Protection};
use crate::x86::Instruction;

use super::library::{Tale, tale, tale_g2};
use super::stage::{CPU, File, Stage, page};

const READ: Protection = Protection::READ;

pub(super) const TALES: &[Tale] = &[
    tale("debugger", "a debugger writes to a private mapping of a file that is read-only: to a copy", |stage| {
        stage.map_file(1, READ, MapFlags::PRIVATE, &File::DISK);
        stage.tell_call(|mm, task| {
            access_remote_vm(mm, task, page(0), 0x5eed).expect("a copy can be made");
        });
        stage.read(0);
    }),
    tale("debugger-again", "the debugger's copy is discarded before it has looked: it makes another", discarded),
    tale_g2("debugger-again-g2", "the same in Linux 4.4, which notes that it has made a copy", discarded),
    tale("debugger-huge", "a debugger writes to a page of a huge one, which may be written", |stage| {
        stage.map_huge(0, 512, READ | Protection::WRITE);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        stage.tell_call(|mm, task| {
            access_remote_vm(mm, task, page(3), 0x5eed).expect("it is mapped");
        });
        stage.read(3);
    }),
];

/// Before the debugger looks at what the fault has made.
fn discarded(stage: &mut Stage) {
    stage.map_file(1, READ, MapFlags::PRIVATE, &File::DISK);
    stage.tell_call_interrupted(
        "MADV_DONTNEED of the page, once there is a copy",
        ("follow_page_pte", |mm| madvise_dontneed(mm, CPU, page(0), 4096)),
        |mm, task| {
            access_remote_vm(mm, task, page(0), 0x5eed).expect("a copy can be made");
        },
    );
    stage.read(0);
}
