//! Whether a range is worth a huge page (`hpage_collapse_scan_pmd`), and having one made of it.
//!
//! The mmap lock is held for reading, so faults go on: what is found may be otherwise by the time when it matters, and
//! is looked at again then.

use crate::mm::{EntryAt, Generation, LockedTable, Mm, Task, under_migration};
use crate::platform::{Platform, Variant, enter, lacks, remark};
use crate::x86::VirtAddr;

use super::collapse::{Found, collapse_huge_page};
use super::collapser::Collapser;
use super::revalidate::{find_pmd_or_thp_or_none, hugepage_vma_revalidate};
use super::scan_result::NotCollapsed;
use super::survey::{Part, Survey, is_refcount_suitable};

/// Makes the small pages around `address` a huge one, if that is worth it and possible.
///
/// The daemon tries for the mmap lock, and comes again if it does not get it: that it waits stands for that. Before
/// anything else the LRU batches of all CPUs are emptied, since a page in one has a reference too many.
///
/// # Errors
/// As Linux: see [`NotCollapsed`]. 4.4 has no `MADV_COLLAPSE`: there this is `SCAN_VMA_CHECK`, which `madvise` makes
/// EINVAL.
pub fn collapse<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr, by: Collapser) -> Result<(), NotCollapsed> {
    let address = address.huge_start(P::GEOMETRY);
    let name = match by {
        Collapser::Khugepaged => "khugepaged_scan_mm_slot",
        Collapser::Madvise => "madvise_collapse",
    };
    enter::<P>(name, format_args!("{address}")).run(
        || {
            if by == Collapser::Madvise && mm.generation() == Generation::G2 {
                return Err(NotCollapsed::VmaCheck);
            }
            mm.memory().drain_lru_batches(task.cpu());
            let vmas = mm.mmap_lock().read();
            let vma = hugepage_vma_revalidate(&vmas, address, by)?;
            let (pmd, unmapped) = hpage_collapse_scan_pmd(mm, address, by)?;
            let stale = lacks::<P>(Variant::M45).then_some(vma);
            // Before a huge page is allocated, which may take its time.
            drop(vmas);
            collapse_huge_page(mm, task, address, by, Found { pmd, stale, unmapped })
        },
        |result| result.map_or_else(|why| why.to_string(), |()| "SCAN_SUCCEED".to_owned()),
    )
}

/// Looks at every entry under the table's lock. How many are not present is returned: somebody will wait for them.
fn hpage_collapse_scan_pmd<P: Platform>(
    mm: &Mm<P>,
    address: VirtAddr,
    by: Collapser,
) -> Result<(EntryAt, usize), NotCollapsed> {
    enter::<P>("hpage_collapse_scan_pmd", format_args!("{address}")).run(
        || {
            let pmd = find_pmd_or_thp_or_none(mm, address)?;
            let table = LockedTable::offset_map_lock(mm, pmd).ok_or(NotCollapsed::PmdNull)?;
            let (mut survey, mut unmapped) = (Survey::new(mm, by), 0);
            for page in pages::<P>(address) {
                let entry = table.get(page);
                if under_migration(entry).is_some() {
                    unmapped += 1;
                    if unmapped > by.max_ptes_swap::<P>() {
                        return Err(NotCollapsed::ExceedSwapPte);
                    }
                    remark::<P>(format_args!("{page} is under migration: it will be waited for"));
                } else if let Part::Page(pfn) = survey.look(entry)? {
                    let head = mm.memory().folio_of(pfn);
                    // That a page is on no list is not asked here: then it is in a batch, which refers to it.
                    if mm.memory().page(head).folio().lock().is_locked() {
                        return Err(NotCollapsed::PageLock);
                    }
                    if !is_refcount_suitable(mm, head) {
                        return Err(NotCollapsed::PageCount);
                    }
                }
            }
            survey.conclude(unmapped)?;
            Ok((pmd, unmapped))
        },
        |result| result.as_ref().map_or_else(ToString::to_string, |_| "SCAN_SUCCEED".to_owned()),
    )
}

/// The small pages of a huge one.
pub(super) fn pages<P: Platform>(address: VirtAddr) -> impl Iterator<Item = VirtAddr> {
    let size = P::GEOMETRY.page_size();
    (0..P::GEOMETRY.entries() as u64).map(move |number| address.offset(number * size))
}
