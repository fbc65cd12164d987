//! Taking huge pages of the pool out of an address space (`__unmap_hugepage_range`), for its own sake or for another's
//! (`unmap_ref_private`).
//!
//! # Invariants
//! - I1. Who unmaps for the VMA's own sake holds its lock, where it has one, and `i_mmap`, for writing. Who unmaps for
//!   another process holds `i_mmap` alone.
//! - I2 (D23). An entry is cleared before its mapping is uncounted, both under the table's lock.
//! - I3 (D36). The references go only after every CPU has forgotten the entries.

use crate::mm::tlb_flush::flush_tlb_of;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vma::Vma;
use crate::mm::vmf::Vmf;
use crate::phys::{Pfn, PhysMem};
use crate::platform::{Platform, Variant, enter, lacks, remark};
use crate::x86::VirtAddr;

use super::file::vma_hugecache_offset;
use super::huge_pte::{HugePteLock, hugetlb_walk};
use super::rmap::hugetlb_remove_rmap;

/// What is to be unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    /// Everything.
    Everything,
    /// This folio; whoever touches the page later must not find zeros.
    Folio(Pfn),
}

/// Unmaps pages of a VMA while no fault in it is under way, if they are of the pool (`hugetlb_zap_begin`,
/// `hugetlb_zap_end`). What is discarded goes back to the pool before the locks are released: until 6.7 a fault that
/// came in between found neither the folio nor the pool's, and was told that there is none.
pub fn hugetlb_zap<P: Platform>(vma: &Vma<P>, zap: impl FnOnce()) {
    if !vma.is_hugetlb() {
        return zap();
    }
    let file = vma.file().expect("a hugetlb VMA has a file");
    vma.hugetlb().write_locked(|| {
        let _mapped = file.mapping().i_mmap().write();
        zap();
    });
}

/// Empties the entries of a VMA from `start` up to `end` (`__unmap_hugepage_range`), within [`hugetlb_zap`]; returns
/// where there were folios. The references that the entries held are the caller's, who drops them after a flush (I3).
pub fn unmap_hugepages<P: Platform>(
    memory: &PhysMem<P>,
    vma: &Vma<P>,
    range: (VirtAddr, VirtAddr),
) -> Vec<(VirtAddr, Pfn)> {
    unmap_hugepage_range(memory, vma, range, Only::Everything)
}

fn unmap_hugepage_range<P: Platform>(
    memory: &PhysMem<P>,
    vma: &Vma<P>,
    (start, end): (VirtAddr, VirtAddr),
    only: Only,
) -> Vec<(VirtAddr, Pfn)> {
    let root = vma.file().expect("a hugetlb VMA has a file").root();
    enter::<P>("__unmap_hugepage_range", format_args!("{start}-{end}")).run(
        || {
            let starts =
                (start.bytes()..end.bytes()).step_by(P::GEOMETRY.huge_page_size() as usize).map(VirtAddr::user);
            let unmap = |address| Some((address, unmap_one(memory, vma, root, address, only)?));
            starts.filter_map(unmap).collect()
        },
        |folios: &Vec<(VirtAddr, Pfn)>| format!("{} folios", folios.len()),
    )
}

fn unmap_one<P: Platform>(memory: &PhysMem<P>, vma: &Vma<P>, root: Pfn, address: VirtAddr, only: Only) -> Option<Pfn> {
    let mut entry = HugePteLock::lock(memory, hugetlb_walk(memory, root, address)?);
    if !entry.get().is_huge() {
        return None;
    }
    if let Only::Folio(folio) = only {
        if entry.get().pfn() != folio {
            remark::<P>(format_args!("{address} shows another folio"));
            return None;
        }
        if !lacks::<P>(Variant::HugetlbUnmapped) {
            vma.hugetlb().set_unmapped();
        }
    }
    let old = entry.clear();
    if old.as_pte().is_dirty() {
        memory.page(old.pfn()).folio().mark_dirty();
    }
    vma.hugetlb().count(-1);
    hugetlb_remove_rmap(memory, old.pfn());
    Some(old.pfn())
}

/// Takes a folio from everybody but the process that reserved it, so that it need not be copied (`unmap_ref_private`):
/// what the others had there is lost, and they get SIGBUS when they look. The fault mutex and the VMA's lock are not
/// held.
pub(super) fn unmap_ref_private<P: Platform>(vmf: &Vmf<'_, P>, folio: Pfn) {
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    let (file, index) = (vmf.vma().file().expect("it has one"), vma_hugecache_offset(vmf.vma(), vmf.address));
    enter::<P>("unmap_ref_private", format_args!("folio={folio}")).run(
        || {
            let mapped = file.mapping().i_mmap().write();
            let others = mapped.iter().filter(|vma| !std::ptr::eq(&***vma, vmf.vma()) && is_borrower(vma));
            for vma in others {
                let theirs = vma.file().expect("what is linked to a file shows it");
                let address = theirs.address(index << P::GEOMETRY.index_bits);
                if vma.contains(address) {
                    let range = (address, address.offset(P::GEOMETRY.huge_page_size()));
                    let folios = unmap_hugepage_range(memory, vma, range, Only::Folio(folio));
                    if !lacks::<P>(Variant::HugetlbUnmapFlush) {
                        flush_tlb_of(vmf.mm.machine(), theirs.root(), range);
                    }
                    folios.into_iter().for_each(|(_, folio)| memory.put_page(cpu, folio));
                }
            }
            drop(mapped);
        },
        |()| String::new(),
    );
}

/// A private mapping that has reserved nothing itself.
fn is_borrower<P: Platform>(vma: &Vma<P>) -> bool {
    !vma.flags().contains(VmFlags::MAYSHARE) && vma.hugetlb().owned().is_none()
}
