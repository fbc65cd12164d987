//! A part of a VMA gets other properties, and so must be a VMA of its own (`mm/vma.c`, `vma_modify_flags`).
//!
//! Not modelled: merging it with a neighbour that is alike afterwards.

use crate::mm::{Mm, Vma, VmaTree};
use crate::phys::CpuId;
use crate::platform::{Arc, Platform};
use crate::x86::VirtAddr;

use super::munmap::vma_adjust_trans_huge;

/// Splits the VMA that covers `start` at both ends of the range, and with it a huge page that reaches over an end.
/// Returns what covers the range then; the range lies in one VMA.
pub(super) fn vma_modify<P: Platform>(
    mm: &Mm<P>,
    cpu: CpuId,
    vmas: &mut VmaTree<P>,
    (start, end): (VirtAddr, VirtAddr),
) -> Arc<Vma<P>> {
    for edge in [start, end] {
        vma_adjust_trans_huge(mm, cpu, vmas, edge);
        vmas.split_at(edge);
    }
    vmas.all().into_iter().find(|vma| vma.contains(start)).expect("the range lies in a VMA")
}

/// Whether an edge would cut a huge page of the pool in two (`hugetlb_vm_op_split`).
pub(super) fn cuts_hugetlb<P: Platform>(vma: &Vma<P>, edge: VirtAddr) -> bool {
    vma.is_hugetlb() && !edge.is_huge_aligned(P::GEOMETRY)
}
