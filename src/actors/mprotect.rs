//! `mprotect` (`mm/mprotect.c`, `do_mprotect_pkey`, `mprotect_fixup`): a range gets other rights.
//!
//! # Lock order
//! The mmap lock for writing, each VMA's for writing, then the locks of the tables, one after the other.
//!
//! # Invariants
//! - I1 (D49). A VMA is locked for writing before its rights change, and until the entries have them, too: no fault
//!   enters a page by the old ones.
//! - I2 (D35, M56). Every CPU has forgotten what an entry no longer allows before the mmap lock is released, and so it
//!   has what others took away, such as truncation, which needs no mmap lock: `tlb_flush_pending` is raised from before
//!   the first change until after the flush, and asked before it.
//!
//! 4.4 flushes after each VMA, here it does so once, as 6.12 does: nobody can fault in between.
//!
//! Not modelled: `PROT_GROWSDOWN` and `PROT_GROWSUP`; protection keys, which stay as they are (`PROT_EXEC` alone would
//! take one); sealed VMAs; what a mapping that becomes writable counts as committed memory; that a locked private
//! mapping that becomes writable has its pages copied at once; merging VMAs that are alike afterwards.

use thiserror::Error;

use crate::mm::{Mm, Protection, VmFlags, VmaTree};
use crate::phys::CpuId;
use crate::platform::{Platform, enter, remark};
use crate::x86::VirtAddr;

use super::change_protection::change_protection;
use super::gather::Gather;
use super::vma_modify::{cuts_hugetlb, vma_modify};

/// Why rights could not be changed; the name is Linux's errno. What comes before it in the range has its new rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtectError {
    /// The range does not start at a page.
    #[error("EINVAL: a range must start at a page boundary")]
    Invalid,
    /// A part of the range is not mapped, or beyond user space.
    #[error("ENOMEM: not all of the range is mapped")]
    NotMapped,
    /// The mapping may not have these rights (`VM_MAYWRITE` and its like).
    #[error("EACCES: the mapping was made in a way that rules these rights out")]
    NotAllowed,
    /// It would cut a huge page of the pool in two.
    #[error("EINVAL: a mapping of huge pages of the pool can only be cut between them")]
    CutsHugePage,
}

/// Gives the pages of `bytes` bytes from `start` other rights.
///
/// # Errors
/// As Linux: see [`ProtectError`].
pub fn mprotect<P: Platform>(
    mm: &Mm<P>,
    cpu: CpuId,
    (start, bytes): (VirtAddr, u64),
    protection: Protection,
) -> Result<(), ProtectError> {
    enter::<P>("do_mprotect_pkey", format_args!("{start}, {bytes} bytes, {protection:?}")).run(
        || {
            if !start.is_page_aligned(P::GEOMETRY) {
                return Err(ProtectError::Invalid);
            }
            if bytes == 0 {
                return Ok(());
            }
            let end = checked_end::<P>(start, bytes).ok_or(ProtectError::NotMapped)?;
            let mut vmas = mm.mmap_lock().write();
            if !vmas.iter().any(|vma| vma.contains(start)) {
                return Err(ProtectError::NotMapped);
            }
            let mut gather = Gather::new(mm, cpu);
            let result = protect_each(mm, &mut vmas, (start, end), protection, &mut gather);
            gather.finish();
            drop(vmas);
            result
        },
        |result| result.map_or_else(|error| error.to_string(), |()| "0".to_owned()),
    )
}

fn checked_end<P: Platform>(start: VirtAddr, bytes: u64) -> Option<VirtAddr> {
    let bytes = bytes.checked_next_multiple_of(P::GEOMETRY.page_size())?;
    let end = start.bytes().checked_add(bytes).filter(|end| *end <= P::GEOMETRY.task_size())?;
    Some(VirtAddr::user(end))
}

/// One VMA after the other; a hole, or one that refuses, ends it.
fn protect_each<P: Platform>(
    mm: &Mm<P>,
    vmas: &mut VmaTree<P>,
    (start, end): (VirtAddr, VirtAddr),
    protection: Protection,
    gather: &mut Gather<'_, P>,
) -> Result<(), ProtectError> {
    let mut at = start;
    while at < end {
        let covering = vmas.all().into_iter().find(|vma| vma.contains(at));
        let vma = covering.ok_or(ProtectError::NotMapped)?;
        let next = vma.end().min(end);
        if [at, next].into_iter().any(|edge| edge != vma.start() && edge != vma.end() && cuts_hugetlb(&vma, edge)) {
            return Err(ProtectError::CutsHugePage);
        }
        let flags = (vma.flags() - VmFlags::ACCESS) | (protection.vm_flags() & VmFlags::ACCESS);
        if !is_allowed(flags) {
            return Err(ProtectError::NotAllowed);
        }
        if flags == vma.flags() {
            remark::<P>(format_args!("{vma:?} has these rights already"));
        } else {
            mprotect_fixup(mm, vmas, (at, next), flags, gather);
        }
        at = next;
    }
    Ok(())
}

/// Each right that a mapping may have stands four bits above the right itself.
fn is_allowed(flags: VmFlags) -> bool {
    let may = VmFlags::from_bits_truncate(flags.bits() >> 4);
    (flags & VmFlags::ACCESS).difference(may).is_empty()
}

fn mprotect_fixup<P: Platform>(
    mm: &Mm<P>,
    vmas: &mut VmaTree<P>,
    range: (VirtAddr, VirtAddr),
    flags: VmFlags,
    gather: &mut Gather<'_, P>,
) {
    enter::<P>("mprotect_fixup", format_args!("{}-{}", range.0, range.1)).run(
        || {
            let vma = vma_modify(mm, gather.cpu(), vmas, range);
            vmas.start_write(&vma).set_flags(flags);
            change_protection(mm, &vma, range, gather);
        },
        |()| String::new(),
    );
}
