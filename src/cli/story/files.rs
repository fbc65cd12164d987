//! Tales of files.

use crate::mm::{Behaviour, FaultOp, MapFlags, MapPages, PageMkwrite, Protection, Reads, Space};
use crate::x86::{Instruction, Mode};

use super::library::{Tale, tale, tale_g2};
use super::stage::{File, page};

const RW: Protection = Protection::READ.union(Protection::WRITE);

const DISK: Behaviour = File::DISK.behaviour;

pub(super) const TALES: &[Tale] = &[
    tale("file-read", "the first load from a file: it is read from disk, a major fault", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::DISK);
        stage.read(0);
    }),
    tale(
        "file-read-slow",
        "a load from a file whose read takes its time: the fault drops its lock and retries",
        |stage| {
            stage.map_file(4, RW, MapFlags::PRIVATE, &File::reading(Reads::Slow));
            stage.read(0);
        },
    ),
    tale("file-read-fails", "a load from a file whose read fails: SIGBUS", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::reading(Reads::Fail));
        stage.read(0);
    }),
    tale("file-around", "a load from a page that is in the page cache: it and its neighbours are mapped", |stage| {
        let file = stage.map_file(4, RW, MapFlags::PRIVATE, &File::DISK);
        stage.map_opened(16, 4, RW, MapFlags::PRIVATE, &file);
        stage.accessed_before("a load through the first mapping", Instruction::Load(page(0)));
        stage.read(16);
    }),
    tale("file-eof", "a load beyond the end of a file: SIGBUS", |stage| {
        stage.map_file(8, RW, MapFlags::PRIVATE, &File::DISK);
        stage.read(6);
    }),
    tale("file-cow", "a store to a private mapping of a file: a copy", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::DISK);
        stage.write(0);
    }),
    tale("file-shared-write", "a store to a shared mapping of a file", |stage| {
        stage.map_file(4, RW, MapFlags::SHARED, &File::DISK);
        stage.write(0);
    }),
    tale("file-shared-mkwrite", "a store to a shared page that was only read", |stage| {
        stage.map_file(4, RW, MapFlags::SHARED, &File::DISK);
        stage.accessed_before("a load", Instruction::Load(page(0)));
        stage.write(0);
    }),
    tale("file-full-disk", "a store to a shared page, and the disk is full: SIGBUS", |stage| {
        let page_mkwrite = PageMkwrite::Locked(Space::MayRunOut);
        stage.map_file(4, RW, MapFlags::SHARED, &File::DISK.with(Behaviour { page_mkwrite, ..DISK }));
        stage.accessed_before("a load", Instruction::Load(page(0)));
        stage.script("the disk is full", &[1]);
        stage.write(0);
    }),
    tale("file-memory", "a store to a shared file that wants no notice of writes", |stage| {
        let page_mkwrite = PageMkwrite::None;
        stage.map_file(4, RW, MapFlags::SHARED, &File::DISK.with(Behaviour { page_mkwrite, ..DISK }));
        stage.write(0);
    }),
    tale("file-readahead", "a load from the page that readahead marked: the next window is read", |stage| {
        let behaviour = Behaviour { readahead_pages: 4, ..DISK };
        stage.map_file(8, RW, MapFlags::PRIVATE, &File { pages: 8, behaviour });
        stage.accessed_before("a load from page 3: pages 1 to 4 are read", Instruction::Load(page(3)));
        stage.read(4);
    }),
    tale("file-no-map-pages", "a file whose faults want the mmap lock", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::DISK.with(Behaviour { map_pages: MapPages::None, ..DISK }));
        stage.read(0);
    }),
    tale("file-no-fault", "a driver's file that has no answer to a fault: SIGBUS", |stage| {
        stage.map_file(4, RW, MapFlags::SHARED, &File::DISK.with(Behaviour { fault: FaultOp::None, ..DISK }));
        stage.read(0);
    }),
    tale("file-cow-after-read", "a store to a private mapping of a file, whose page was read", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::DISK);
        stage.accessed_before("a load", Instruction::Load(page(0)));
        stage.write(0);
    }),
    tale_g2("file-read-g2", "the first load from a file, as Linux 4.4 handles it", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::DISK);
        stage.read(0);
    }),
    tale_g2("file-shared-write-g2", "a store to a shared mapping of a file, as Linux 4.4 handles it", |stage| {
        stage.map_file(4, RW, MapFlags::SHARED, &File::DISK);
        stage.write(0);
    }),
    tale("file-kernel-copy", "copy_from_user reads a file in", |stage| {
        stage.map_file(4, RW, MapFlags::PRIVATE, &File::DISK);
        stage.tell(Mode::KernelUserCopy, Instruction::Load(page(0)));
    }),
];
