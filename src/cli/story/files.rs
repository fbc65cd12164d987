//! Tales of files.

use crate::mm::{Protection, Reads, VmFlags};
use crate::x86::{Instruction, Mode};

use super::library::{Tale, tale};
use super::stage::{File, page};

const RW: Protection = Protection::READ.union(Protection::WRITE);

pub(super) const TALES: &[Tale] = &[
    tale("file-read", "the first load from a file: it is read from disk, a major fault", |stage| {
        stage.map_file(4, RW, VmFlags::empty(), &File::DISK);
        stage.read(0);
    }),
    tale(
        "file-read-slow",
        "a load from a file whose read takes its time: the fault drops its lock and retries",
        |stage| {
            stage.map_file(4, RW, VmFlags::empty(), &File::reading(Reads::Slow));
            stage.read(0);
        },
    ),
    tale("file-read-fails", "a load from a file whose read fails: SIGBUS", |stage| {
        stage.map_file(4, RW, VmFlags::empty(), &File::reading(Reads::Fail));
        stage.read(0);
    }),
    tale("file-around", "a load from a page that is in the page cache: it and its neighbours are mapped", |stage| {
        let file = stage.map_file(4, RW, VmFlags::empty(), &File::DISK);
        stage.map_opened(16, 4, RW, VmFlags::empty(), &file);
        stage.accessed_before("a load through the first mapping", Instruction::Load(page(0)));
        stage.read(16);
    }),
    tale("file-eof", "a load beyond the end of a file: SIGBUS", |stage| {
        stage.map_file(8, RW, VmFlags::empty(), &File::DISK);
        stage.read(6);
    }),
    tale("file-cow", "a store to a private mapping of a file: a copy", |stage| {
        stage.map_file(4, RW, VmFlags::empty(), &File::DISK);
        stage.write(0);
    }),
    tale("file-shared-write", "a store to a shared mapping of a file", |stage| {
        stage.map_file(4, RW, VmFlags::SHARED, &File::DISK);
        stage.write(0);
    }),
    tale("file-shared-mkwrite", "a store to a shared page that was only read", |stage| {
        stage.map_file(4, RW, VmFlags::SHARED, &File::DISK);
        stage.accessed_before("a load", Instruction::Load(page(0)));
        stage.write(0);
    }),
    tale("file-kernel-copy", "copy_from_user reads a file in", |stage| {
        stage.map_file(4, RW, VmFlags::empty(), &File::DISK);
        stage.tell(Mode::KernelUserCopy, Instruction::Load(page(0)));
    }),
];
