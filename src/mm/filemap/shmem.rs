//! Faults on shared memory (`mm/shmem.c`, `shmem_fault`, `shmem_get_folio`): a file whose page cache is all that there
//! is, so a missing page is a page of zeros.
//!
//! Nothing is read, so the fault lock is never dropped. Pages that were swapped out are not modelled.

use crate::mm::vmf::{Effort, FaultError, Vmf};
use crate::phys::{OutOfMemory, Pfn};
use crate::platform::{Arc, Platform, Variant, enter, recheck, remark};

use super::address_space::{Added, AddressSpace};
use super::filemap_fault::Fetched;

/// Fetches the page that the fault is about.
pub(in crate::mm) fn shmem_fault<'m, P: Platform>(vmf: Vmf<'m, P>, file: &Arc<AddressSpace<P>>) -> Fetched<'m, P> {
    let index = vmf.vma().linear_page_index(vmf.address);
    enter::<P>("shmem_fault", format_args!("file={}, index={index}", file.id().0)).run(
        || match shmem_get_folio(&vmf, file, index) {
            Ok(pfn) => Fetched::Locked(vmf, pfn, Effort::Minor),
            Err(error) => Fetched::Ended(vmf.failed(error)),
        },
        Fetched::words,
    )
}

fn shmem_get_folio<P: Platform>(vmf: &Vmf<'_, P>, file: &AddressSpace<P>, index: u64) -> Result<Pfn, FaultError> {
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    loop {
        if index >= file.size_pages() {
            return Err(FaultError::Sigbus);
        }
        if let Some(pfn) = file.get_folio(memory, cpu, index) {
            file.lock_folio(memory, pfn);
            // The mapping re-test, as for a file on a disk (M26).
            if recheck::<P>(Variant::M26Shmem, || memory.page(pfn).mapping() == file.mapping()) {
                return Ok(pfn);
            }
            remark::<P>(format_args!("page {pfn} left the file meanwhile: look again"));
            memory.folio(pfn).lock().unlock();
            memory.put_page(cpu, pfn);
            continue;
        }
        if file.wants_huge_folio(vmf, index)
            && let Ok(Added::Mine(pfn)) = file.add_huge_folio(memory, cpu, index)
        {
            memory.clear_huge(memory.folio_of(pfn));
            memory.folio(pfn).set_uptodate();
            // The whole of it: what a truncation cuts, it would have to split.
            let last = index | (P::GEOMETRY.entries() as u64 - 1);
            match keep_below_the_end(vmf, file, last, pfn) {
                Ok(pfn) => return Ok(pfn),
                Err(_) => continue,
            }
        }
        match file.add_folio(memory, cpu, index, |_| {}) {
            Ok(Added::Mine(pfn)) => {
                memory.clear_page(pfn);
                memory.page(pfn).folio().set_uptodate();
                return keep_below_the_end(vmf, file, index, pfn);
            }
            Ok(Added::Theirs) => {}
            Err(OutOfMemory) => return Err(FaultError::Oom),
        }
    }
}

/// A page that was added beyond the end goes again: a truncation that came first did not see it. (Linux tests the size
/// under the folio lock as well.)
fn keep_below_the_end<P: Platform>(
    vmf: &Vmf<'_, P>,
    file: &AddressSpace<P>,
    index: u64,
    pfn: Pfn,
) -> Result<Pfn, FaultError> {
    if recheck::<P>(Variant::M27Shmem, || index < file.size_pages()) {
        return Ok(pfn);
    }
    let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
    file.remove_folio(memory, cpu, pfn);
    memory.folio(pfn).lock().unlock();
    memory.put_page(cpu, pfn);
    Err(FaultError::Sigbus)
}
