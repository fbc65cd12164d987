//! Whether what was found before a lock was released is still there (`hugepage_vma_revalidate`,
//! `find_pmd_or_thp_or_none`, `check_pmd_still_valid`).

use crate::mm::{
    EntryAt, Generation, Mm, Vma, VmaTree, find_pmd, fits_huge, is_huge_allowable, may_be_huge, pmdp_get_lockless,
};
use crate::platform::{Arc, Platform, enter};
use crate::x86::{PmdState, VirtAddr};

use super::collapser::Collapser;
use super::scan_result::NotCollapsed;

/// The VMA, if a huge page may be at `address`.
pub(super) fn hugepage_vma_revalidate<P: Platform>(
    vmas: &VmaTree<P>,
    address: VirtAddr,
    by: Collapser,
) -> Result<Arc<Vma<P>>, NotCollapsed> {
    enter::<P>("hugepage_vma_revalidate", format_args!("{address}")).run(
        || {
            let above = vmas.all().into_iter().find(|vma| vma.end() > address);
            let vma = above.ok_or(NotCollapsed::VmaNull)?;
            if !fits_huge(&vma, address) {
                return Err(NotCollapsed::AddressRange);
            }
            let is_allowable = match by {
                Collapser::Khugepaged => is_huge_allowable(&vma, address),
                Collapser::Madvise => may_be_huge(&vma),
            };
            if !is_allowable {
                return Err(NotCollapsed::VmaCheck);
            }
            if vma.anon_vma().is_none() {
                return Err(NotCollapsed::PageAnon);
            }
            Ok(vma)
        },
        |result| result.as_ref().map_or_else(ToString::to_string, |vma| format!("{vma:?}")),
    )
}

/// The PMD entry of an address, if it points to a table (`check_pmd_state`). 4.4 has one name for all that it may be
/// instead.
pub(super) fn find_pmd_or_thp_or_none<P: Platform>(mm: &Mm<P>, address: VirtAddr) -> Result<EntryAt, NotCollapsed> {
    let pmd = find_pmd(mm, address).ok_or(NotCollapsed::PmdNull)?;
    match pmdp_get_lockless(mm, pmd).state() {
        PmdState::Table(_) => Ok(pmd),
        PmdState::None | PmdState::Huge(_) if mm.generation() == Generation::G2 => Err(NotCollapsed::PmdNull),
        PmdState::None => Err(NotCollapsed::PmdNone),
        PmdState::Huge(_) => Err(NotCollapsed::PmdMapped),
        PmdState::NotATable => Err(NotCollapsed::PmdNull),
    }
}

/// The same entry points to a table still.
pub(super) fn check_pmd_still_valid<P: Platform>(
    mm: &Mm<P>,
    address: VirtAddr,
    pmd: EntryAt,
) -> Result<(), NotCollapsed> {
    let now = find_pmd_or_thp_or_none(mm, address)?;
    if now == pmd { Ok(()) } else { Err(NotCollapsed::Fail) }
}
