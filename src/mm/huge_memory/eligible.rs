//! Whether a fault may map a huge page (`thp_vma_allowable_order`).
//!
//! The machine's policy is `madvise`, as distributions have it: huge pages go where `MADV_HUGEPAGE` asked for them.

use crate::platform::Platform;
use crate::x86::VirtAddr;

use crate::mm::vm_flags::VmFlags;
use crate::mm::vma::Vma;

/// Pages in a huge page (`HPAGE_PMD_NR`).
pub(super) fn pages<P: Platform>() -> i64 {
    P::GEOMETRY.entries() as i64
}

/// The VMA is anonymous, wants huge pages, and the huge page around `address` fits into it.
pub(crate) fn is_allowable<P: Platform>(vma: &Vma<P>, address: VirtAddr) -> bool {
    vma.flags().contains(VmFlags::HUGEPAGE) && may_be_huge(vma) && fits(vma, address)
}

/// The VMA is anonymous, and nothing forbids huge pages there, whether somebody wants them or not.
pub(crate) fn may_be_huge<P: Platform>(vma: &Vma<P>) -> bool {
    let refused = VmFlags::NOHUGEPAGE | VmFlags::SHARED | VmFlags::HUGETLB;
    vma.file().is_none() && !vma.flags().intersects(refused)
}

/// The huge page of a file that shows `address` fits into the VMA, and begins at a multiple of its size in both.
pub(super) fn fits_file<P: Platform>(vma: &Vma<P>, address: VirtAddr) -> bool {
    let start = address.huge_start(P::GEOMETRY);
    fits(vma, address) && vma.linear_page_index(start).is_multiple_of(P::GEOMETRY.entries() as u64)
}

/// `thp_vma_suitable_order`.
pub(crate) fn fits<P: Platform>(vma: &Vma<P>, address: VirtAddr) -> bool {
    let start = address.huge_start(P::GEOMETRY);
    vma.start() <= start && start.offset(P::GEOMETRY.huge_page_size()) <= vma.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Native, X86_64};

    fn vma(start: u64, end: u64, flags: VmFlags) -> Vma<Native<X86_64>> {
        Vma::new(VirtAddr::user(start), VirtAddr::user(end), flags)
    }

    #[test]
    fn two_aligned_megabytes_must_fit() {
        let at = VirtAddr::user(0x20_1000);
        let wanted = VmFlags::READ | VmFlags::HUGEPAGE;
        assert!(is_allowable(&vma(0x20_0000, 0x40_0000, wanted), at));
        assert!(!is_allowable(&vma(0x20_1000, 0x60_0000, wanted), at), "it begins after the huge page");
        assert!(!is_allowable(&vma(0x20_0000, 0x3f_f000, wanted), at), "it ends before the huge page");
        assert!(is_allowable(&vma(0x20_1000, 0x60_0000, wanted), VirtAddr::user(0x40_0000)));
    }

    #[test]
    fn somebody_must_have_asked() {
        let at = VirtAddr::user(0x20_0000);
        let refused = [VmFlags::NOHUGEPAGE, VmFlags::SHARED].map(|flag| VmFlags::HUGEPAGE | flag);
        for flags in [VmFlags::READ, refused[0], refused[1]] {
            assert!(!is_allowable(&vma(0x20_0000, 0x40_0000, flags), at), "{flags:?}");
        }
    }
}
