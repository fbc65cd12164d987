//! Making mappings: `mmap` of anonymous private memory (`mm/mmap.c`).

use bitflags::bitflags;
use thiserror::Error;

use crate::platform::Platform;
use crate::x86::VirtAddr;

use super::mm_struct::Mm;
use super::vm_flags::VmFlags;
use super::vma::Vma;

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
    let page_size = P::GEOMETRY.page_size();
    let limit = VirtAddr::user(P::GEOMETRY.task_size());
    if bytes == 0 {
        return Err(MapError::Invalid);
    }
    let bytes = bytes.checked_next_multiple_of(page_size).ok_or(MapError::NoRoom)?;
    let mut vmas = mm.mmap_lock().write();
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
    vmas.insert(Vma::new(start, end, protection.vm_flags()));
    Ok(start)
}
