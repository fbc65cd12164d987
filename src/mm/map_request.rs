//! Everything that a user can ask of `mmap` (`mm/mmap.c`, `ksys_mmap_pgoff`, `do_mmap`), with Linux's refusals in
//! Linux's order.
//!
//! What other calls add afterwards can be asked for at once, too: a protection key (`pkey_mprotect`), and whether huge
//! pages are wanted (`madvise`).

use bitflags::bitflags;

use crate::phys::{FileId, PoolEmpty};
use crate::platform::{Arc, Platform, enter};
use crate::x86::VirtAddr;

use super::filemap::{AddressSpace, Behaviour, FaultOp, HugeFolios, MapPages, PageMkwrite, Reads, VmaFile};
use super::hugetlb::{HugetlbVma, hugetlb_file_setup, hugetlb_reserve_pages, is_hugetlb_request};
use super::mm_struct::Mm;
use super::mmap::{MapError, Placement, Protection, find_room};
use super::vm_flags::VmFlags;
use super::vma::Vma;
use super::vma_tree::VmaTree;

bitflags! {
    /// How a mapping is to be made (`MAP_*`, with Linux's bits on x86).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MapFlags: u32 {
        /// Stores are seen by all who map the object.
        const SHARED = 0x1;
        /// Stores are the mapping's own.
        const PRIVATE = 0x2;
        /// There is no file.
        const ANONYMOUS = 0x20;
        /// A stack: an access below lets it grow.
        const GROWSDOWN = 0x100;
        /// Its pages stay in memory.
        const LOCKED = 0x2000;
        /// No swap space is set aside for it.
        const NORESERVE = 0x4000;
        /// Of huge pages from a pool.
        const HUGETLB = 0x40000;
        /// Faults are synchronous with the file system; only with both `SHARED` and `PRIVATE`, which is
        /// `MAP_SHARED_VALIDATE`.
        const SYNC = 0x80000;
    }
}

/// How a file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// `O_RDONLY`.
    ReadOnly,
    /// `O_WRONLY`.
    WriteOnly,
    /// `O_RDWR`.
    ReadWrite,
}

/// A file to be mapped (`fd`, `offset`).
#[derive(Debug)]
pub struct OpenFile<P: Platform> {
    /// Its page cache.
    pub mapping: Arc<AddressSpace<P>>,
    /// How it was opened.
    pub mode: OpenMode,
    /// The first byte that is mapped.
    pub offset: u64,
}

/// Whether huge pages are wanted (`madvise`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugeAdvice {
    /// Nothing is said.
    None,
    /// `MADV_HUGEPAGE`.
    Wanted,
    /// `MADV_NOHUGEPAGE`.
    Unwanted,
}

/// A mapping that a user asks for.
#[derive(Debug)]
pub struct MapRequest<P: Platform> {
    /// Where.
    pub placement: Placement,
    /// How many bytes.
    pub bytes: u64,
    /// With which rights.
    pub protection: Protection,
    /// How.
    pub flags: MapFlags,
    /// Of what; it is ignored with `MAP_ANONYMOUS`.
    pub file: Option<OpenFile<P>>,
    /// The protection key; 0 is everybody's.
    pub pkey: u32,
    /// Whether huge pages are wanted.
    pub huge: HugeAdvice,
}

impl<P: Platform> MapRequest<P> {
    /// Anonymous private memory, wherever there is room.
    pub fn anonymous(bytes: u64, protection: Protection) -> Self {
        Self {
            placement: Placement::Anywhere,
            bytes,
            protection,
            flags: MapFlags::PRIVATE | MapFlags::ANONYMOUS,
            file: None,
            pkey: 0,
            huge: HugeAdvice::None,
        }
    }
}

/// Makes the mapping and returns where it starts.
///
/// # Errors
/// As Linux: see [`MapError`].
pub fn do_mmap<P: Platform>(mm: &Mm<P>, request: &MapRequest<P>) -> Result<VirtAddr, MapError> {
    enter::<P>("do_mmap", format_args!("bytes={:#x}, flags={:?}", request.bytes, request.flags)).run(
        || {
            let file = file_of(request)?;
            if request.pkey >= 16 {
                return Err(MapError::NoSuchKey);
            }
            let mut vmas = mm.mmap_lock().write();
            if is_hugetlb_request(request) {
                let (start, vma) = hugetlbfs_file_mmap(mm, &vmas, request, file)?;
                vmas.insert(vma);
                return Ok(start);
            }
            let (start, end) = find_room::<P>(&vmas, request.placement, request.bytes)?;
            let vma = Vma::new(start, end, vm_flags(request, file)?);
            vmas.insert(match file {
                Some(file) => vma.with_file(VmaFile::new(
                    Arc::clone(&file.mapping),
                    start,
                    file.offset >> P::GEOMETRY.page_shift(),
                    mm.pgd(),
                )),
                None if request.flags.contains(MapFlags::SHARED) => {
                    vma.with_file(VmaFile::new(shmem_zero_setup(mm, start, end), start, 0, mm.pgd()))
                }
                None => vma,
            });
            Ok(start)
        },
        |result| result.map_or_else(|error| error.to_string(), |start| start.to_string()),
    )
}

/// Maps anonymous private memory of at least `bytes` bytes and returns where it starts (`vm_mmap`).
///
/// # Errors
/// As Linux: see [`MapError`].
pub fn mmap<P: Platform>(
    mm: &Mm<P>,
    placement: Placement,
    bytes: u64,
    protection: Protection,
) -> Result<VirtAddr, MapError> {
    do_mmap(mm, &MapRequest { placement, ..MapRequest::anonymous(bytes, protection) })
}

/// The file that is to be mapped, if one is (`ksys_mmap_pgoff`).
fn file_of<P: Platform>(request: &MapRequest<P>) -> Result<Option<&OpenFile<P>>, MapError> {
    let huge = request.flags.contains(MapFlags::HUGETLB);
    if request.flags.contains(MapFlags::ANONYMOUS) {
        return Ok(None);
    }
    let file = request.file.as_ref().ok_or(MapError::NoFile)?;
    let page_size = P::GEOMETRY.page_size();
    if !file.offset.is_multiple_of(page_size) {
        return Err(MapError::Invalid);
    }
    if huge && !is_hugetlb_request(request) {
        return Err(MapError::NotHugetlbfs);
    }
    if file.offset.checked_add(request.bytes).is_none() {
        return Err(MapError::Overflow);
    }
    Ok(Some(file))
}

/// The properties of the VMA, or why there can be none (`do_mmap`).
fn vm_flags<P: Platform>(request: &MapRequest<P>, file: Option<&OpenFile<P>>) -> Result<VmFlags, MapError> {
    let MapRequest { flags, protection, .. } = request;
    let (shared, private) = (flags.contains(MapFlags::SHARED), flags.contains(MapFlags::PRIVATE));
    let stack = flags.contains(MapFlags::GROWSDOWN);
    if !shared && !private || shared && private && file.is_none() {
        return Err(MapError::NoType);
    }
    let mut properties = protection.vm_flags().with_pkey(request.pkey);
    if let Some(file) = file {
        if shared && private && flags.contains(MapFlags::SYNC) {
            return Err(MapError::NotSupported);
        }
        if shared && protection.contains(Protection::WRITE) && file.mode == OpenMode::ReadOnly {
            return Err(MapError::NotWritable);
        }
        if file.mode == OpenMode::WriteOnly {
            return Err(MapError::NotReadable);
        }
        if shared && file.mode == OpenMode::ReadOnly {
            properties -= VmFlags::MAYWRITE;
        }
    }
    if stack && (shared || file.is_some()) {
        return Err(MapError::StackOfFile);
    }
    properties.set(VmFlags::GROWSDOWN, stack);
    properties.set(VmFlags::LOCKED, flags.contains(MapFlags::LOCKED));
    properties.set(VmFlags::NORESERVE, flags.contains(MapFlags::NORESERVE));
    // Of a file that was opened for reading only, nobody can see a store: the mapping is as good as private.
    let visible = shared && file.is_none_or(|file| file.mode == OpenMode::ReadWrite);
    properties.set(VmFlags::SHARED, visible);
    properties.set(VmFlags::MAYSHARE, shared);
    properties.set(VmFlags::HUGEPAGE, request.huge == HugeAdvice::Wanted);
    properties.set(VmFlags::NOHUGEPAGE, request.huge == HugeAdvice::Unwanted);
    Ok(properties)
}

/// A VMA of huge pages of the pool, which are reserved for it (`hugetlb_get_unmapped_area`, `hugetlbfs_file_mmap`). The
/// length is rounded up; the place must be that of a huge page.
fn hugetlbfs_file_mmap<P: Platform>(
    mm: &Mm<P>,
    vmas: &VmaTree<P>,
    request: &MapRequest<P>,
    file: Option<&OpenFile<P>>,
) -> Result<(VirtAddr, Vma<P>), MapError> {
    let huge = P::GEOMETRY.huge_page_size();
    let (start, end) = find_huge_room::<P>(vmas, request)?;
    let flags = vm_flags(request, file)? | VmFlags::HUGETLB;
    if flags.contains(VmFlags::GROWSDOWN) {
        return Err(MapError::StackOfFile);
    }
    if file.is_some_and(|file| !file.offset.is_multiple_of(huge)) {
        return Err(MapError::Invalid);
    }
    let first = file.map_or(0, |file| file.offset / huge);
    let mapping = match file {
        Some(file) => Arc::clone(&file.mapping),
        None => hugetlb_file_setup(mm, (start, end)),
    };
    let pages = first..first + (end.bytes() - start.bytes()) / huge;
    let owned = hugetlb_reserve_pages(mm, &mapping, pages, flags).map_err(|PoolEmpty| MapError::NoHugePages)?;
    let file = VmaFile::new(mapping, start, first << P::GEOMETRY.index_bits, mm.pgd());
    let vma = Vma::new(start, end, flags).with_file(file).with_hugetlb(HugetlbVma::new(mm, flags, owned));
    Ok((start, vma))
}

/// Where huge pages go.
fn find_huge_room<P: Platform>(vmas: &VmaTree<P>, request: &MapRequest<P>) -> Result<(VirtAddr, VirtAddr), MapError> {
    let huge = P::GEOMETRY.huge_page_size();
    let bytes = request.bytes.checked_next_multiple_of(huge).ok_or(MapError::NoRoom)?;
    let placement = match request.placement {
        Placement::Fixed(start) if !start.bytes().is_multiple_of(huge) => return Err(MapError::Invalid),
        fixed @ Placement::Fixed(_) => fixed,
        Placement::Anywhere => {
            // With room to align it in.
            let (start, _) = find_room::<P>(vmas, Placement::Anywhere, bytes.saturating_add(huge))?;
            Placement::Fixed(VirtAddr::user(start.bytes().next_multiple_of(huge)))
        }
    };
    find_room::<P>(vmas, placement, bytes)
}

/// Numbers of files that nobody can open: those of shared anonymous memory.
const UNNAMED: u64 = 1 << 48;

/// The file behind shared anonymous memory (`shmem_zero_setup`): it goes with its last mapping.
fn shmem_zero_setup<P: Platform>(mm: &Mm<P>, start: VirtAddr, end: VirtAddr) -> Arc<AddressSpace<P>> {
    let (first, end) = (start.page_number(P::GEOMETRY), end.page_number(P::GEOMETRY));
    let behaviour = Behaviour {
        fault: FaultOp::Shmem,
        map_pages: MapPages::Window(16),
        page_mkwrite: PageMkwrite::None,
        reads: Reads::AtOnce,
        huge: HugeFolios::Never,
        readahead_pages: 0,
    };
    Arc::new(AddressSpace::new(unnamed_file(mm, start), end - first, end - first, behaviour))
}

/// A number for a file without a name: its first owner and place, unique as long as it is mapped there.
pub(super) fn unnamed_file<P: Platform>(mm: &Mm<P>, start: VirtAddr) -> FileId {
    let first = start.page_number(P::GEOMETRY);
    FileId(UNNAMED + mm.pgd().number() * (1 << 36) % UNNAMED + first % (1 << 36))
}

/// Whether a file has no name, and goes with its last mapping.
pub(super) fn is_unnamed(file: FileId) -> bool {
    file.0 >= UNNAMED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{Ending, Generation, Process, RssKind, Task};
    use crate::phys::{CpuId, Pfn, PhysConfig};
    use crate::platform::{Native, X86_64};
    use crate::x86::{Completion, Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);

    fn mm() -> Mm<P> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 256, 1)).expect("a little memory");
        Mm::new(Arc::new(machine), Generation::G6, CPU).expect("a frame for the root table")
    }

    fn file(mode: OpenMode, offset: u64) -> Option<OpenFile<P>> {
        let behaviour = Behaviour {
            fault: FaultOp::Filemap,
            map_pages: MapPages::Window(16),
            page_mkwrite: PageMkwrite::None,
            reads: Reads::AtOnce,
            huge: HugeFolios::Never,
            readahead_pages: 0,
        };
        Some(OpenFile { mapping: Arc::new(AddressSpace::new(FileId(0), 4, 4, behaviour)), mode, offset })
    }

    const RW: Protection = Protection::READ.union(Protection::WRITE);

    #[test]
    fn contradictions_are_refused_for_linuxs_reasons() {
        let (shared, private, anonymous) = (MapFlags::SHARED, MapFlags::PRIVATE, MapFlags::ANONYMOUS);
        let (read_only, write_only) = (OpenMode::ReadOnly, OpenMode::WriteOnly);
        let mm = mm();
        for (flags, file, error) in [
            (anonymous, None, MapError::NoType),
            (anonymous | shared | private, None, MapError::NoType),
            (private, None, MapError::NoFile),
            (shared, file(OpenMode::ReadWrite, 1), MapError::Invalid),
            (private | MapFlags::HUGETLB, file(OpenMode::ReadWrite, 0), MapError::NotHugetlbfs),
            (private | anonymous | MapFlags::HUGETLB, None, MapError::NoHugePages),
            (shared, file(read_only, 0), MapError::NotWritable),
            (shared, file(write_only, 0), MapError::NotReadable),
            (private, file(write_only, 0), MapError::NotReadable),
            (private, file(read_only, 0u64.wrapping_sub(4096)), MapError::Overflow),
            (private | MapFlags::GROWSDOWN, file(read_only, 0), MapError::StackOfFile),
            (shared | anonymous | MapFlags::GROWSDOWN, None, MapError::StackOfFile),
            (shared | private | MapFlags::SYNC, file(OpenMode::ReadWrite, 0), MapError::NotSupported),
        ] {
            let request = MapRequest { flags, file, ..MapRequest::anonymous(8192, RW) };
            assert_eq!(do_mmap(&mm, &request), Err(error), "{request:?}");
        }
        let key = MapRequest { pkey: 16, ..MapRequest::anonymous(4096, RW) };
        assert_eq!(do_mmap(&mm, &key), Err(MapError::NoSuchKey));
    }

    fn store_and_load(flags: MapFlags, file: Option<OpenFile<P>>) -> (Vec<Completion<Ending>>, [i64; 3]) {
        let (mm, task) = (mm(), Task::new(CPU));
        let request = MapRequest { flags, file, ..MapRequest::anonymous(2 * 4096, RW) };
        let start = do_mmap(&mm, &request).expect("a mapping that Linux allows");
        let instructions =
            [Instruction::Load(start.offset(4096)), Instruction::store(start, 7), Instruction::Load(start)];
        let ended = instructions.map(|instruction| Process::new(&mm, &task).execute(Mode::User, instruction)).to_vec();
        (ended, [RssKind::Anon, RssKind::File, RssKind::Shmem].map(|kind| mm.rss(kind)))
    }

    #[test]
    fn each_kind_of_mapping_counts_as_what_it_is() {
        let (anonymous, shared, private) = (MapFlags::ANONYMOUS, MapFlags::SHARED, MapFlags::PRIVATE);
        let done = |first| [Completion::Done(Some(first)), Completion::Done(None), Completion::Done(Some(7))].to_vec();
        assert_eq!(store_and_load(anonymous | private, None), (done(0), [1, 0, 0]));
        assert_eq!(store_and_load(anonymous | shared, None), (done(0), [0, 0, 2]));
        let open = || file(OpenMode::ReadWrite, 4096);
        assert_eq!(store_and_load(shared, open()), (done(120), [0, 2, 0]));
        assert_eq!(store_and_load(private, open()), (done(120), [1, 1, 0]));
    }
}
