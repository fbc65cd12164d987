//! Moving one page, or the huge one that it is a part of (`mm/migrate.c`, `do_pages_move`, `add_page_for_migration`).
//!
//! Linux holds the mmap lock only to find the page, and finds its entries again by the reverse map. Here the lock is
//! held to the end instead, and the caller says where the page is mapped. A huge page that is mapped by small entries
//! would be moved with all of them; here it is kept. Linux 4.4 knows no huge entries under migration: a huge page is
//! split first, and the one page is moved.
//!
//! Not modelled: moving a page of the hugetlb pool.

use crate::mm::{Generation, LockedTable, Migrated, Mm, Task, find_pmd, migrate_folio, migrate_huge_folio, split_at};
use crate::platform::{Platform, enter, remark};
use crate::x86::VirtAddr;

/// Moves the page that is mapped at `address` to another frame, if one is and can be moved.
pub fn migrate<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr) -> Migrated {
    enter::<P>("do_pages_move", format_args!("address={address}")).run(
        || {
            let vmas = mm.mmap_lock().read();
            let Some(vma) = vmas.iter().find(|vma| vma.contains(address)) else { return Migrated::Kept };
            if vma.is_hugetlb() {
                remark::<P>(format_args!("a page of the pool stays where it is"));
                return Migrated::Kept;
            }
            let Some(pmd) = find_pmd(mm, address) else { return Migrated::Kept };
            let table = match (LockedTable::offset_map_lock(mm, pmd), mm.generation()) {
                (Some(table), _) => table,
                (None, Generation::G6) => return migrate_huge_folio(mm, task, vma, pmd, address),
                (None, Generation::G2) => {
                    // `FOLL_SPLIT`.
                    split_at(mm, task.cpu(), vma, pmd);
                    let Some(table) = LockedTable::offset_map_lock(mm, pmd) else { return Migrated::Kept };
                    table
                }
            };
            let entry = table.get(address);
            if !entry.is_present() || entry.is_special() {
                return Migrated::Kept;
            }
            let folio = mm.memory().page(mm.memory().folio_of(entry.pfn()));
            if folio.order() > 0 {
                remark::<P>(format_args!("a page of a huge one that is mapped by small entries stays where it is"));
                return Migrated::Kept;
            }
            folio.get();
            drop(table);
            migrate_folio(mm, task, vma, address, entry.pfn())
        },
        |migrated| format!("{migrated:?}"),
    )
}
