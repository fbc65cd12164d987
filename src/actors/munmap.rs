//! `munmap` (`mm/mmap.c`, `do_vmi_align_munmap`): detach the VMAs under the write lock, do the rest as a reader.
//!
//! It is correct to go on as a reader: no lookup returns the detached VMAs any more, so no fault populates the range.

use thiserror::Error;

use crate::mm::{Mm, Vma, VmaTree, find_pmd, hugetlb_zap, split_at};
use crate::phys::CpuId;
use crate::platform::{Arc, Platform, enter};
use crate::x86::VirtAddr;

use super::free_pgtables::{Range, free_pgtables};
use super::gather::Gather;
use super::zap::unmap_page_range;

/// Why a range could not be unmapped; the name is Linux's errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnmapError {
    /// The range has no page, does not start at one, or reaches beyond user space.
    #[error("EINVAL: a range needs at least one page, must start at a page boundary and lie in user space")]
    Invalid,
    /// It would cut a huge page of the pool in two (`hugetlb_vm_op_split`).
    #[error("EINVAL: a mapping of huge pages of the pool can only be cut between them")]
    CutsHugePage,
}

/// Unmaps the pages of `bytes` bytes from `start`. What is not mapped there is no error.
///
/// # Errors
/// As Linux: see [`UnmapError`].
pub fn munmap<P: Platform>(mm: &Mm<P>, cpu: CpuId, start: VirtAddr, bytes: u64) -> Result<(), UnmapError> {
    let end = checked_end::<P>(start, bytes).ok_or(UnmapError::Invalid)?;
    enter::<P>("munmap", format_args!("{start}-{end}"))
        .run(|| unmap(mm, cpu, start, end), |result| result.map_or_else(|error| error.to_string(), |()| "0".to_owned()))
}

fn checked_end<P: Platform>(start: VirtAddr, bytes: u64) -> Option<VirtAddr> {
    let bytes = bytes.checked_next_multiple_of(P::GEOMETRY.page_size()).filter(|bytes| *bytes > 0)?;
    let end = start.bytes().checked_add(bytes).filter(|end| *end <= P::GEOMETRY.task_size())?;
    start.is_page_aligned(P::GEOMETRY).then(|| VirtAddr::user(end))
}

fn unmap<P: Platform>(mm: &Mm<P>, cpu: CpuId, start: VirtAddr, end: VirtAddr) -> Result<(), UnmapError> {
    let mut vmas = mm.mmap_lock().write();
    if [start, end].into_iter().any(|edge| cuts_huge_page(&vmas, edge)) {
        return Err(UnmapError::CutsHugePage);
    }
    [start, end].into_iter().for_each(|edge| vma_adjust_trans_huge(mm, cpu, &mut vmas, edge));
    let detached = vmas.detach(start, end);
    let (Some(first), Some(last)) = (detached.first(), detached.last()) else { return Ok(()) };
    let range = Range::from((first.start(), last.end()));
    let bounds = Range {
        start: vmas.end_below(first.start()).map_or(0, VirtAddr::bytes),
        end: vmas.start_above(last.end()).map_or(u64::MAX, VirtAddr::bytes),
    };
    let vmas = vmas.downgrade();
    remove(mm, Gather::new(mm, cpu), &detached, range, bounds);
    detached.into_iter().for_each(|vma| vmas.free(vma));
    drop(vmas);
    Ok(())
}

fn cuts_huge_page<P: Platform>(vmas: &VmaTree<P>, edge: VirtAddr) -> bool {
    let is_inside = |vma: &Vma<P>| vma.start() < edge && edge < vma.end();
    !edge.is_huge_aligned(P::GEOMETRY) && vmas.iter().any(|vma| vma.is_hugetlb() && is_inside(vma))
}

/// Splits the huge page that reaches over an edge at which a VMA is about to be split: a huge entry belongs to one VMA.
pub(super) fn vma_adjust_trans_huge<P: Platform>(mm: &Mm<P>, cpu: CpuId, vmas: &mut VmaTree<P>, edge: VirtAddr) {
    let all = vmas.all();
    let Some(vma) = all.iter().find(|vma| vma.start() < edge && edge < vma.end()) else { return };
    let Some(pmd) = find_pmd(mm, edge).filter(|_| !edge.is_huge_aligned(P::GEOMETRY)) else { return };
    vmas.start_write(vma);
    split_at(mm, cpu, vma, pmd);
}

/// Takes away what the detached VMAs map, and the tables that only they used (`unmap_region`).
pub(super) fn remove<P: Platform>(
    mm: &Mm<P>,
    mut gather: Gather<'_, P>,
    detached: &[Arc<Vma<P>>],
    range: Range,
    bounds: Range,
) {
    let cpu = gather.cpu();
    // The CPU's batch refers to the pages that it faulted in last: left there, they would outlive their mapping.
    mm.memory().drain_lru_batch(cpu);
    for vma in detached {
        hugetlb_zap(vma, || unmap_page_range(mm, &mut gather, vma, (vma.start(), vma.end())));
    }
    for vma in detached {
        vma.anon_vmas().for_each(|anon_vma| anon_vma.unlink(vma));
        vma.unlink_file(mm, cpu);
    }
    free_pgtables(mm, &mut gather, range, bounds);
    gather.finish();
    detached.iter().for_each(|vma| vma.close(mm));
}
