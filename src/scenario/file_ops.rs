//! What a scenario does with files: mapping them and cutting them short.

use crate::actors;
use crate::mm::{
    AddressSpace, FaultOp, MapFlags, MapRequest, OpenFile, OpenMode, Placement, Protection, Task, VmFlags, Vma,
    VmaFile, do_mmap,
};
use crate::oracle::{Files, GhostEvent, GhostLog, Sharing, Shows, cut_away};
use crate::phys::FileId;
use crate::platform::{Arc, Platform};
use crate::x86::VirtAddr;

use super::definition::{FileMap, FileSpec, Op};
use super::world::{World, page_address};

/// The file that an operation is about.
fn file_of(op: &Op) -> Option<&'static FileSpec> {
    match op {
        Op::MapFile(map) => Some(map.file),
        Op::Truncate { file, .. } => Some(file),
        Op::InChild(op) | Op::On { op, .. } => file_of(op),
        Op::Write { .. }
        | Op::CopyToUser { .. }
        | Op::ByReference(_)
        | Op::Read { .. }
        | Op::Peek { .. }
        | Op::Execute { .. }
        | Op::ClearRefs { .. }
        | Op::StockHuge { .. }
        | Op::StockHugetlb { .. }
        | Op::Tlb(_)
        | Op::Age { .. }
        | Op::Dontneed { .. }
        | Op::AdviseHuge { .. }
        | Op::Collapse { .. }
        | Op::Mprotect { .. }
        | Op::MarkNuma { .. }
        | Op::Migrate { .. }
        | Op::Fork
        | Op::ExitChild
        | Op::MapAnonymous { .. }
        | Op::Munmap { .. } => None,
    }
}

/// Every file that the operations name, in the order in which they do.
pub(super) fn specs_of<'o>(ops: impl Iterator<Item = &'o Op>) -> Vec<&'static FileSpec> {
    let mut specs = Vec::new();
    for spec in ops.filter_map(file_of) {
        if !specs.contains(&spec) {
            specs.push(spec);
        }
    }
    specs
}

/// The files, and what will show them.
pub(super) fn files_of<'o, P: Platform>(specs: &[&FileSpec], ops: impl Iterator<Item = &'o Op>) -> Files<P> {
    let files = specs
        .iter()
        .enumerate()
        .map(|(id, spec)| Arc::new(AddressSpace::new(FileId(id as u64), spec.pages, spec.most_pages, spec.behaviour)));
    let mut files = Files { files: files.collect(), shown: Vec::new() };
    for op in ops {
        if let Op::MapFile(map) = op {
            let mapping = &files.files[id_of(specs, map.file)];
            files.shown.push(Shows::of(mapping, range::<P>(map), map.pgoff, map.sharing));
        }
    }
    files
}

fn id_of(specs: &[&FileSpec], spec: &FileSpec) -> usize {
    specs.iter().position(|known| *known == spec).expect("every file was listed")
}

fn range<P: Platform>(map: &FileMap) -> (VirtAddr, VirtAddr) {
    let start = page_address::<P>(map.page);
    (start, start.offset(map.pages * P::GEOMETRY.page_size()))
}

/// Users' frames that one access can need besides its own: a page of each file, and what is read ahead.
pub(super) fn frames_of_an_access<P: Platform>(files: &Files<P>) -> usize {
    let of = |file: &Arc<AddressSpace<P>>| 1 + file.behaviour().readahead_pages as usize;
    let cached: usize = files.files.iter().map(of).sum();
    if cached == 0 { 0 } else { cached + 1 }
}

/// Does an operation on a file.
pub(super) fn perform<P: Platform>(world: &World<P>, task: &Task, op: Op, log: &mut GhostLog) -> String {
    let Some(spec) = file_of(&op) else { unreachable!("{op:?} is no operation on a file") };
    let file = world.file(spec);
    if let Op::Truncate { pages, .. } = op {
        let ranges = cut_away(&world.files.shown, file.id(), pages, P::GEOMETRY);
        let began = world.mm.machine().tick();
        let mms: Vec<_> = [Some(&world.mm), world.child.as_ref()].into_iter().flatten().collect();
        actors::truncate(file, &mms, task.cpu(), pages);
        let ended = world.mm.machine().tick();
        for (start, end) in ranges {
            log.push(GhostEvent::Discards { start, end }, (began, ended));
        }
        return "truncated".to_owned();
    }
    if let Op::MapFile(map) = op {
        if file.behaviour().fault == FaultOp::Hugetlb {
            map_huge(world, &map, file);
            return "mapped".to_owned();
        }
        let (start, end) = range::<P>(&map);
        let root = world.mm.pgd();
        let vma = Vma::new(start, end, flags(map.protection, map.sharing));
        let vma = vma.with_file(VmaFile::new(Arc::clone(file), start, map.pgoff, root));
        world.mm.mmap_lock().write().insert(vma);
    }
    "mapped".to_owned()
}

/// Huge pages are reserved when they are mapped, so the system call itself does it.
fn map_huge<P: Platform>(world: &World<P>, map: &FileMap, file: &Arc<AddressSpace<P>>) {
    let (start, end) = range::<P>(map);
    let sharing = match map.sharing {
        Sharing::Shared => MapFlags::SHARED,
        Sharing::Private => MapFlags::PRIVATE,
    };
    let offset = map.pgoff * P::GEOMETRY.page_size();
    let request = MapRequest {
        placement: Placement::Fixed(start),
        flags: sharing,
        file: Some(OpenFile { mapping: Arc::clone(file), mode: OpenMode::ReadWrite, offset }),
        ..MapRequest::anonymous(end.bytes() - start.bytes(), map.protection)
    };
    do_mmap(&world.mm, &request).expect("the pool has what a scenario maps");
}

fn flags(protection: Protection, sharing: Sharing) -> VmFlags {
    protection.vm_flags()
        | match sharing {
            Sharing::Shared => VmFlags::SHARED | VmFlags::MAYSHARE,
            Sharing::Private => VmFlags::empty(),
        }
}
