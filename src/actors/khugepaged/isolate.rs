//! Getting hold of the pages below a table that nobody can reach any more (`__collapse_huge_page_isolate`).

use crate::mm::{LockedTable, Mm};
use crate::phys::{CpuId, Pfn};
use crate::platform::{Platform, enter, remark};
use crate::x86::VirtAddr;

use super::collapser::Collapser;
use super::scan::pages;
use super::scan_result::NotCollapsed;
use super::survey::{Part, Survey, is_refcount_suitable};

/// Folios that are locked, off their LRU lists, and referred to by who has isolated them.
#[must_use = "they stay locked until they are released"]
pub(super) struct Isolated<'m, P: Platform> {
    mm: &'m Mm<P>,
    cpu: CpuId,
    heads: Vec<Pfn>,
}

impl<P: Platform> Isolated<'_, P> {
    /// Locks a folio and takes it off its list, once. The entry that maps it keeps it from being freed meanwhile.
    fn isolate(&mut self, head: Pfn) -> Result<(), NotCollapsed> {
        if self.heads.contains(&head) {
            return Ok(());
        }
        let lock = self.mm.memory().page(head).folio().lock();
        if !lock.try_lock() {
            return Err(NotCollapsed::PageLock);
        }
        let suitable = || is_refcount_suitable(self.mm, head).then_some(()).ok_or(NotCollapsed::PageCount);
        let off_list = |()| self.mm.memory().isolate_lru(head).then_some(()).ok_or(NotCollapsed::DelPageLru);
        suitable().and_then(off_list).inspect_err(|_| lock.unlock())?;
        remark::<P>(format_args!("page {head} is isolated: locked, and off its list"));
        self.heads.push(head);
        Ok(())
    }

    /// Unlocks a folio of one page, and puts it on its way back to the list (`release_pte_folio`). One of several pages
    /// is kept until all of them are done with.
    pub(super) fn release_small(&mut self, head: Pfn) {
        if self.mm.memory().page(head).order() == 0 {
            self.heads.retain(|isolated| *isolated != head);
            self.release_one(head);
        }
    }

    /// Lets go of all that is left (`release_pte_pages`).
    pub(super) fn release(self) {
        self.heads.iter().for_each(|head| self.release_one(*head));
    }

    fn release_one(&self, head: Pfn) {
        self.mm.memory().page(head).folio().lock().unlock();
        self.mm.memory().putback_lru(self.cpu, head);
    }
}

/// Looks at the entries once more, and isolates what they map; all of it, or nothing.
pub(super) fn isolate<'m, P: Platform>(
    mm: &'m Mm<P>,
    cpu: CpuId,
    by: Collapser,
    (table, address): (Pfn, VirtAddr),
) -> Result<Isolated<'m, P>, NotCollapsed> {
    enter::<P>("__collapse_huge_page_isolate", format_args!("table {table}")).run(
        || {
            let (mut isolated, mut survey) = (Isolated { mm, cpu, heads: Vec::new() }, Survey::new(mm, by));
            let table = LockedTable::unlinked(mm, table);
            let each = |page| match survey.look(table.get(page))? {
                Part::Hole => Ok(()),
                Part::Page(pfn) => isolated.isolate(mm.memory().folio_of(pfn)),
            };
            let result = pages::<P>(address).try_for_each(each).and_then(|()| survey.conclude(0));
            match result {
                Ok(()) => Ok(isolated),
                Err(why) => {
                    isolated.release();
                    Err(why)
                }
            }
        },
        |result| result.as_ref().map_or_else(ToString::to_string, |_| "SCAN_SUCCEED".to_owned()),
    )
}
