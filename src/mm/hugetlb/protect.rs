//! The rights of huge pages of the pool change (`hugetlb_change_protection`).
//!
//! # Invariants
//! - I1 (D40). An entry is exchanged, not overwritten, so no mark of hardware's is lost.
//! - I2 (D35). Every CPU has forgotten the old entries before the locks are released.
//!
//! Not modelled: entries under migration, since nobody moves such a page.

use crate::mm::mm_struct::Mm;
use crate::mm::tlb_flush::{Owed, flush_tlb_range};
use crate::mm::vma::Vma;
use crate::platform::{Platform, Variant, enter, lacks};
use crate::x86::VirtAddr;

use super::huge_pte::{HugePteLock, hugetlb_walk};
use super::unmap::hugetlb_zap;

/// Gives the entries of a VMA from `start` up to `end` the rights that it has by now. The VMA is locked for writing;
/// its own lock and `i_mmap` keep away who does not need that one: those who unmap.
pub fn hugetlb_change_protection<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, (start, end): (VirtAddr, VirtAddr)) {
    enter::<P>("hugetlb_change_protection", format_args!("{start}-{end}")).run(
        || {
            hugetlb_zap(vma, || {
                let mut owed = Owed::new(mm);
                let size = P::GEOMETRY.huge_page_size() as usize;
                for address in (start.bytes()..end.bytes()).step_by(size).map(VirtAddr::user) {
                    change_one(mm, vma, address, &mut owed);
                }
                if !lacks::<P>(Variant::HugetlbProtFlush) {
                    flush_tlb_range(mm, (start, end));
                }
                owed.assert_paid("hugetlb_change_protection");
            });
        },
        |()| String::new(),
    );
}

fn change_one<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, address: VirtAddr, owed: &mut Owed<'_, P>) {
    let Some(at) = hugetlb_walk(mm.memory(), mm.pgd(), address) else { return };
    let mut entry = HugePteLock::lock(mm.memory(), at);
    if entry.get().is_huge() {
        let changed = entry.clear().modified(vma.page_prot());
        entry.set(changed);
        owed.lowered(at.range::<P>(), changed.flags());
    }
}
