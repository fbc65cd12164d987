//! What every mapping needs: rights, and room for it (`mm/mmap.c`).

use bitflags::bitflags;
use thiserror::Error;

use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::vm_flags::VmFlags;
use super::vma_tree::VmaTree;

bitflags! {
    /// What may be done with a mapping (`PROT_*`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Protection: u32 {
        /// `PROT_READ`.
        const READ = 1;
        /// `PROT_WRITE`.
        const WRITE = 2;
        /// `PROT_EXEC`.
        const EXEC = 4;
    }
}

impl Protection {
    /// The properties of a mapping with these rights (`calc_vm_prot_bits`); `mprotect` may allow anything.
    pub fn vm_flags(self) -> VmFlags {
        let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
        may | VmFlags::from_bits_truncate(u64::from(self.bits()))
    }
}

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Wherever there is room, high addresses first.
    Anywhere,
    /// Exactly here (`MAP_FIXED_NOREPLACE`).
    Fixed(VirtAddr),
}

/// Why a mapping could not be made; the name is Linux's errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MapError {
    /// The length is zero, or an address is not the start of a page.
    #[error("EINVAL: a range needs at least one page and must start at a page boundary")]
    Invalid,
    /// There is no room.
    #[error("ENOMEM: the address space has no room for the range")]
    NoRoom,
    /// Something is mapped there already.
    #[error("EEXIST: a part of the range is mapped already")]
    Exists,
    /// Neither `MAP_SHARED` nor `MAP_PRIVATE`, or both without a file.
    #[error("EINVAL: a mapping is either shared or private")]
    NoType,
    /// No file, and no `MAP_ANONYMOUS`.
    #[error("EBADF: a mapping needs a file, or must be anonymous")]
    NoFile,
    /// `MAP_HUGETLB` with a file of another file system.
    #[error("EINVAL: only anonymous memory and files of hugetlbfs can be mapped with huge pages of the pool")]
    NotHugetlbfs,
    /// `MAP_HUGETLB`, and the pool is empty.
    #[error("ENOMEM: the pool has no huge page")]
    NoHugePages,
    /// The range of the file has no end.
    #[error("EOVERFLOW: the file cannot be that large")]
    Overflow,
    /// Shared and writable, of a file that may not be written.
    #[error("EACCES: a shared mapping that can be written needs a file that is open for reading and writing")]
    NotWritable,
    /// Of a file that may not be read.
    #[error("EACCES: a mapping needs a file that is open for reading")]
    NotReadable,
    /// A stack that is shared or shows a file.
    #[error("EINVAL: only private anonymous memory can grow downwards")]
    StackOfFile,
    /// `MAP_SYNC` with a file whose storage is not memory.
    #[error("EOPNOTSUPP: the file system cannot map its storage itself")]
    NotSupported,
    /// A protection key above 15.
    #[error("EINVAL: the protection keys are 0 to 15")]
    NoSuchKey,
}

/// Where a mapping of at least `bytes` bytes goes (`get_unmapped_area`).
pub(super) fn find_room<P: Platform>(
    vmas: &VmaTree<P>,
    placement: Placement,
    bytes: u64,
) -> Result<(VirtAddr, VirtAddr), MapError> {
    let limit = VirtAddr::user(P::GEOMETRY.task_size());
    if bytes == 0 {
        return Err(MapError::Invalid);
    }
    let bytes = bytes.checked_next_multiple_of(P::GEOMETRY.page_size()).ok_or(MapError::NoRoom)?;
    let start = match placement {
        Placement::Anywhere => vmas.unmapped_area(bytes, limit).ok_or(MapError::NoRoom)?,
        Placement::Fixed(start) => start,
    };
    let end = start.bytes().checked_add(bytes).filter(|end| *end <= limit.bytes()).ok_or(MapError::NoRoom)?;
    let end = VirtAddr::user(end);
    // `__get_unmapped_area` looks at the room first and at the alignment then.
    if !start.is_page_aligned(P::GEOMETRY) {
        return Err(MapError::Invalid);
    }
    if vmas.overlaps(start, end) {
        return Err(MapError::Exists);
    }
    Ok((start, end))
}
