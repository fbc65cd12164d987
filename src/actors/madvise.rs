//! `madvise(MADV_DONTNEED)` (`mm/madvise.c`, `madvise_dontneed_single_vma`): the pages go, the mapping stays.
//!
//! It holds the mmap lock for reading and no VMA's, so faults in the same range go on meanwhile.

use crate::mm::{Generation, Mm, hugetlb_zap};
use crate::phys::CpuId;
use crate::platform::{Platform, enter, remark};
use crate::x86::VirtAddr;

use super::gather::Gather;
use super::zap::unmap_page_range;

/// Discards the pages of `bytes` bytes from `start`, as far as they are mapped.
pub fn madvise_dontneed<P: Platform>(mm: &Mm<P>, cpu: CpuId, start: VirtAddr, bytes: u64) {
    let end = start.offset(bytes);
    enter::<P>("madvise_dontneed_single_vma", format_args!("{start}-{end}")).run(
        || {
            let vmas = mm.mmap_lock().read();
            mm.memory().drain_lru_batch(cpu);
            for vma in vmas.iter().filter(|vma| vma.start() < end && start < vma.end()) {
                if vma.is_hugetlb() && !may_discard_huge(mm, start, end) {
                    remark::<P>(format_args!("-EINVAL: huge pages of the pool are discarded whole, or not at all"));
                    continue;
                }
                hugetlb_zap(vma, || {
                    let mut gather = Gather::new(mm, cpu);
                    unmap_page_range(mm, &mut gather, vma, (vma.start().max(start), vma.end().min(end)));
                    gather.finish();
                });
            }
            drop(vmas);
        },
        |()| "0".to_owned(),
    );
}

/// Whether the range holds whole huge pages of the pool; Linux 4.4 discards none (`madvise_dontneed_free_valid_vma`;
/// what is left over at the end of a range, Linux ignores).
fn may_discard_huge<P: Platform>(mm: &Mm<P>, start: VirtAddr, end: VirtAddr) -> bool {
    let is_whole = start.is_huge_aligned(P::GEOMETRY) && end.is_huge_aligned(P::GEOMETRY);
    mm.generation() != Generation::G2 && is_whole
}
