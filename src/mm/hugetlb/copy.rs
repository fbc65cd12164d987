//! Fork of a private mapping of huge pages of the pool (`copy_hugetlb_page_range`): both processes have the same
//! folios, read-only; the child has no reservations.
//!
//! # Lock order
//! The child's table, the parent's.

use crate::mm::mm_struct::Mm;
use crate::mm::rmap::dup_anon_rmap_pmd;
use crate::mm::task::Task;
use crate::mm::vma::Vma;
use crate::phys::{Mapping, OutOfMemory};
use crate::platform::{Platform, enter};
use crate::x86::VirtAddr;

use super::huge_pte::{HugePteLock, huge_pte_alloc, hugetlb_walk};
use super::rmap::hugetlb_add_file_rmap;

/// Copies the entries of the parent's VMA, which is locked for writing; `write_protect_seq` is odd. The caller flushes.
///
/// # Errors
/// If there is no frame for a table of the child.
pub fn copy_hugetlb_page_range<P: Platform>(
    (parent, child): (&Mm<P>, &Mm<P>),
    task: &Task,
    (from, to): (&Vma<P>, &Vma<P>),
) -> Result<(), OutOfMemory> {
    enter::<P>("copy_hugetlb_page_range", format_args!("vma={from:?}")).run(
        || {
            let starts = (from.start().bytes()..from.end().bytes()).step_by(P::GEOMETRY.huge_page_size() as usize);
            starts.map(VirtAddr::user).try_for_each(|address| copy_one((parent, child), task, (from, to), address))
        },
        |result| result.map_or("-ENOMEM".to_owned(), |()| "0".to_owned()),
    )
}

fn copy_one<P: Platform>(
    (parent, child): (&Mm<P>, &Mm<P>),
    task: &Task,
    (from, to): (&Vma<P>, &Vma<P>),
    address: VirtAddr,
) -> Result<(), OutOfMemory> {
    let memory = parent.memory();
    let Some(source) = hugetlb_walk(memory, parent.pgd(), address) else { return Ok(()) };
    let copy = huge_pte_alloc(child, task, address)?;
    let mut copy = HugePteLock::lock(memory, copy);
    let mut source = HugePteLock::lock_nested(memory, source);
    let entry = source.get();
    if !entry.is_huge() {
        // Empty. Nobody moves these folios, so it is not under migration.
        return Ok(());
    }
    let page = memory.page(entry.pfn());
    page.get();
    match page.mapping() {
        Mapping::Anon(_) => dup_anon_rmap_pmd(parent, entry.pfn()),
        Mapping::File(_) | Mapping::Shmem(_) | Mapping::None => hugetlb_add_file_rmap(memory, entry.pfn()),
    }
    let entry = if from.is_cow() { source.set_wrprotect() } else { entry };
    copy.set(entry);
    to.hugetlb().count(1);
    Ok(())
}
