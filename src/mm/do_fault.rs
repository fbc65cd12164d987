//! The first touch of a page of a file (`mm/memory.c`, `do_fault`).
//!
//! | access | mapping | handler | the entry shows |
//! |---|---|---|---|
//! | read | any | `do_read_fault` | the page of the file, read-only if the file system is told of writes |
//! | write | private | `do_cow_fault` | a copy of it |
//! | write | shared | `do_shared_fault` | the page of the file, writable, after the file system agreed |
//!
//! # Invariants
//! - I1. Nothing is allocated while a folio is locked: the table and the copy come first.
//! - I2 (D57). On every way out the copy, the table and the reference have an owner, or are freed.

use crate::phys::{OutOfMemory, Pfn};
use crate::platform::{Arc, Platform, enter, remark};

use super::anon_vma::{Prepared, vmf_anon_prepare};
use super::fault_flags::FaultFlags;
use super::filemap::{
    AddressSpace, Around, FaultOp, Fetched, MapPages, PageMkwrite, filemap_fault, filemap_map_pages, folio_prealloc,
    shmem_fault,
};
use super::finish_fault::{Finished, Page, finish_fault};
use super::preallocated::PreallocatedTable;
use super::pte_table::LockedTable;
use super::vm_flags::VmFlags;
use super::vmf::{Effort, FaultError, VmFault, Vmf};
use super::wp_page_shared::{MadeWritable, do_page_mkwrite, fault_dirty_shared_page};

/// Maps a page of the VMA's file.
///
/// # Panics
/// If the VMA has no file.
pub(super) fn do_fault<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    enter::<P>("do_fault", format_args!("address={}, flags={}", vmf.address, vmf.flags)).run(
        || {
            let file = Arc::clone(vmf.vma().file().expect("a VMA without a file is anonymous").mapping());
            if file.behaviour().fault == FaultOp::None {
                return nobody_answers(vmf);
            }
            let prealloc = PreallocatedTable::none(&vmf);
            if !vmf.flags.contains(FaultFlags::WRITE) {
                do_read_fault(vmf, &file, prealloc)
            } else if !vmf.vma().flags().contains(VmFlags::SHARED) {
                do_cow_fault(vmf, &file, prealloc)
            } else {
                do_shared_fault(vmf, &file, prealloc)
            }
        },
        VmFault::words,
    )
}

/// The VMA has no operation `fault`. The entry may have been none for a moment only, in the middle of a change: the
/// lock tells.
fn nobody_answers<'m, P: Platform>(vmf: Vmf<'m, P>) -> VmFault<'m, P> {
    let table = LockedTable::offset_map_lock(vmf.mm, vmf.pmd);
    let is_none = table.as_ref().is_none_or(|table| table.get(vmf.address).is_none());
    drop(table);
    if is_none { vmf.failed(FaultError::Sigbus) } else { vmf.no_page(Effort::Minor) }
}

/// Whether the fault may be handled under the lock that it has (`vmf_can_call_fault`): file systems that do not map
/// pages around a fault may not be ready for the lock of a VMA alone.
pub(super) fn vmf_can_call_fault<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    file: &AddressSpace<P>,
) -> Result<Vmf<'m, P>, VmFault<'m, P>> {
    enter::<P>("vmf_can_call_fault", format_args!("address={}", vmf.address)).run(
        || {
            if file.behaviour().map_pages != MapPages::None || !vmf.flags.contains(FaultFlags::VMA_LOCK) {
                return Ok(vmf);
            }
            remark::<P>(format_args!("this file system wants the mmap lock"));
            Err(vmf.retry(Effort::Minor))
        },
        |may| may.as_ref().map_or_else(VmFault::words, |_| "0".to_owned()),
    )
}

/// A read: what is around first, then the page itself.
fn do_read_fault<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    file: &Arc<AddressSpace<P>>,
    mut prealloc: PreallocatedTable<'m, P>,
) -> VmFault<'m, P> {
    enter::<P>("do_read_fault", format_args!("address={}", vmf.address)).run(
        || {
            if let MapPages::Window(pages) = file.behaviour().map_pages
                && pages > 1
                && !vmf.vma().flags().intersects(VmFlags::UFFD_MISSING | VmFlags::UFFD_MINOR)
            {
                match do_fault_around(&vmf, file, pages, &mut prealloc) {
                    Err(OutOfMemory) => return vmf.failed(FaultError::Oom),
                    Ok(Around::Mapped) => return vmf.no_page(Effort::Minor),
                    Ok(Around::NotMapped) => {}
                }
            }
            let vmf = match vmf_can_call_fault(vmf, file) {
                Ok(vmf) => vmf,
                Err(result) => return result,
            };
            let (vmf, pfn, effort) = match __do_fault(vmf, file, &mut prealloc) {
                Fetched::Locked(vmf, pfn, effort) => (vmf, pfn, effort),
                Fetched::Ended(result) => return result,
            };
            let finished = finish_fault(&vmf, Page::OfFile(pfn), &mut prealloc);
            unlock_folio(&vmf, pfn);
            if finished != Finished::Done {
                vmf.mm.memory().put_page(vmf.task.cpu(), pfn);
            }
            end(vmf, finished, effort)
        },
        VmFault::words,
    )
}

/// Maps what is in the cache around the fault, within the VMA and one table (`do_fault_around`).
fn do_fault_around<P: Platform>(
    vmf: &Vmf<'_, P>,
    file: &AddressSpace<P>,
    pages: u64,
    prealloc: &mut PreallocatedTable<'_, P>,
) -> Result<Around, OutOfMemory> {
    enter::<P>("do_fault_around", format_args!("address={}", vmf.address)).run(
        || {
            let (vma, geometry) = (vmf.vma(), P::GEOMETRY);
            let at = vmf.address.page_number(geometry);
            let table = at - at % geometry.entries() as u64;
            let first = (at - at % pages).max(vma.start().page_number(geometry)).max(table);
            let end = (first + pages).min(vma.end().page_number(geometry)).min(table + geometry.entries() as u64);
            prealloc.prepare(vmf)?;
            let index = vma.linear_page_index(vmf.address);
            let range = (index - (at - first), index + (end - 1 - at));
            Ok(filemap_map_pages(vmf, file, range, || prealloc.install(vmf)))
        },
        |result| result.map_or_else(|_| "VM_FAULT_OOM".to_owned(), |around| around.words()),
    )
}

/// A write to a private mapping: a copy of the page.
fn do_cow_fault<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    file: &Arc<AddressSpace<P>>,
    mut prealloc: PreallocatedTable<'m, P>,
) -> VmFault<'m, P> {
    enter::<P>("do_cow_fault", format_args!("address={}", vmf.address)).run(
        || {
            let prepared = vmf_can_call_fault(vmf, file).map(vmf_anon_prepare);
            let (vmf, anon_vma) = match prepared {
                Ok(Prepared::Ready(vmf, anon_vma)) => (vmf, anon_vma),
                Ok(Prepared::Retry(result)) | Err(result) => return result,
            };
            let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
            let Ok(copy) = folio_prealloc(memory, cpu) else { return vmf.failed(FaultError::Oom) };
            let (vmf, pfn, effort) = match __do_fault(vmf, file, &mut prealloc) {
                Fetched::Locked(vmf, pfn, effort) => (vmf, pfn, effort),
                Fetched::Ended(result) => {
                    memory.put_page(cpu, copy);
                    return result;
                }
            };
            memory.copy_page(copy, pfn);
            let finished = finish_fault(&vmf, Page::Copy(copy, anon_vma), &mut prealloc);
            unlock_folio(&vmf, pfn);
            memory.put_page(cpu, pfn);
            if finished != Finished::Done {
                memory.put_page(cpu, copy);
            }
            end(vmf, finished, effort)
        },
        VmFault::words,
    )
}

/// A write to a shared mapping: the page itself, once the file system knows.
fn do_shared_fault<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    file: &Arc<AddressSpace<P>>,
    mut prealloc: PreallocatedTable<'m, P>,
) -> VmFault<'m, P> {
    enter::<P>("do_shared_fault", format_args!("address={}", vmf.address)).run(
        || {
            let vmf = match vmf_can_call_fault(vmf, file) {
                Ok(vmf) => vmf,
                Err(result) => return result,
            };
            let (vmf, pfn, effort) = match __do_fault(vmf, file, &mut prealloc) {
                Fetched::Locked(vmf, pfn, effort) => (vmf, pfn, effort),
                Fetched::Ended(result) => return result,
            };
            let (memory, cpu) = (vmf.mm.memory(), vmf.task.cpu());
            if file.behaviour().page_mkwrite != PageMkwrite::None {
                unlock_folio(&vmf, pfn);
                match do_page_mkwrite(&vmf, file, pfn) {
                    MadeWritable::Locked => {}
                    not @ (MadeWritable::Gone | MadeWritable::NoPage | MadeWritable::Refused) => {
                        memory.put_page(cpu, pfn);
                        return not.end(vmf, effort);
                    }
                }
            }
            let finished = finish_fault(&vmf, Page::OfFile(pfn), &mut prealloc);
            if finished != Finished::Done {
                unlock_folio(&vmf, pfn);
                memory.put_page(cpu, pfn);
                return end(vmf, finished, effort);
            }
            fault_dirty_shared_page(vmf, file, pfn, effort)
        },
        VmFault::words,
    )
}

/// Has the page fetched (`__do_fault`), with a table ready that it may go into (I1). Broken memory is not modelled.
fn __do_fault<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    file: &Arc<AddressSpace<P>>,
    prealloc: &mut PreallocatedTable<'m, P>,
) -> Fetched<'m, P> {
    enter::<P>("__do_fault", format_args!("address={}", vmf.address)).run(
        || {
            if let Err(OutOfMemory) = prealloc.prepare(&vmf) {
                return Fetched::Ended(vmf.failed(FaultError::Oom));
            }
            match file.behaviour().fault {
                FaultOp::Shmem => shmem_fault(vmf, file),
                FaultOp::Filemap | FaultOp::None => filemap_fault(vmf, file),
                FaultOp::Hugetlb => panic!("a hugetlb VMA has a path of its own"),
            }
        },
        Fetched::words,
    )
}

fn unlock_folio<P: Platform>(vmf: &Vmf<'_, P>, pfn: Pfn) {
    vmf.mm.memory().folio(pfn).lock().unlock();
}

fn end<'m, P: Platform>(vmf: Vmf<'m, P>, finished: Finished, effort: Effort) -> VmFault<'m, P> {
    match finished {
        Finished::Done => VmFault::Handled(vmf.lock, effort),
        Finished::Lost => vmf.no_page(effort),
        Finished::Failed(error) => vmf.failed(error),
    }
}
