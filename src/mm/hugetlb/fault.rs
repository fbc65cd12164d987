//! A fault in a mapping of huge pages of the pool (`hugetlb_fault`).
//!
//! ```text
//!   fault mutex ─> VMA's lock ─> the entry is read
//!     empty ───────────────────────────────────────────────> hugetlb_no_page
//!     under migration ── give the mutex up, wait ──────────> again
//!     present ── lock of the table, pte_same ── folio lock, tried
//!                                                   │ taken        ├── write, read-only entry ─> hugetlb_wp
//!                                                   │              └── anything else: marked
//!                                                   └ cannot: give everything up, wait ────────> again
//! ```

use crate::mm::fault_flags::FaultFlags;
use crate::mm::fault_lock::FaultLock;
use crate::mm::huge_memory::pmd_migration_entry_wait;
use crate::mm::mm_struct::Mm;
use crate::mm::task::Task;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vmf::{FaultError, VmFault, Vmf};
use crate::phys::{OutOfMemory, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PmdState, PmdVal, VirtAddr};

use super::fault_mutex::FaultLocks;
use super::file::{filemap_lock_hugetlb_folio, put_cached};
use super::huge_pte::{HugePteLock, huge_pte_alloc, peek};
use super::no_page::hugetlb_no_page;
use super::wp::hugetlb_wp;

/// Handles the fault under the fault lock, which comes back with the result.
pub(in crate::mm) fn hugetlb_fault<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    lock: FaultLock<'m, P>,
    address: VirtAddr,
    flags: FaultFlags,
) -> VmFault<'m, P> {
    enter::<P>("hugetlb_fault", format_args!("vma={:?}, address={address}, flags={flags}", lock.vma())).run(
        || {
            let start = address.huge_start(P::GEOMETRY);
            let locks = FaultLocks::take(mm.memory().hstate(), lock.vma(), address);
            let pmd = match huge_pte_alloc(mm, task, start) {
                Ok(pmd) => pmd,
                Err(OutOfMemory) => return VmFault::Failed(lock, FaultError::Oom),
            };
            let vmf = Vmf { lock, mm, task, address: start, real_address: address, flags, pmd, orig_pte: None };
            let orig = peek(mm.memory(), pmd);
            match orig.state() {
                PmdState::None => hugetlb_no_page(vmf, locks, orig),
                PmdState::Huge(folio) => present(vmf, locks, orig, folio),
                PmdState::NotATable => under_migration(vmf, locks, orig),
                PmdState::Table(table) => panic!("D2: {start} of a hugetlb mapping has the table {table}"),
            }
        },
        VmFault::words,
    )
}

/// Waits without the mutex, which others need meanwhile. Nobody moves these folios yet.
fn under_migration<'m, P: Platform>(vmf: Vmf<'m, P>, mut locks: FaultLocks<'m, P>, orig: PmdVal) -> VmFault<'m, P> {
    locks.release_mutex();
    pmd_migration_entry_wait(&vmf, orig);
    vmf.handled()
}

fn present<'m, P: Platform>(vmf: Vmf<'m, P>, mut locks: FaultLocks<'m, P>, orig: PmdVal, folio: Pfn) -> VmFault<'m, P> {
    let memory = vmf.mm.memory();
    let writes = vmf.flags.intersects(FaultFlags::WRITE | FaultFlags::UNSHARE);
    let copies = writes && !orig.is_writable() && !vmf.vma().flags().contains(VmFlags::MAYSHARE);
    let cached = copies.then(|| filemap_lock_hugetlb_folio(&vmf)).flatten();
    let ptl = HugePteLock::lock(memory, vmf.pmd);
    // pte_same: whoever unmaps a page need not hold the mutex, nor, where the VMA has none, its lock.
    if !recheck::<P>(Variant::HugetlbSame, || ptl.is_still(orig)) {
        drop(ptl);
        cached.into_iter().for_each(|cached| put_cached(&vmf, cached));
        return vmf.handled();
    }
    let page = memory.page(folio);
    let is_locked_already = cached == Some(folio);
    if !is_locked_already && !page.folio().lock().try_lock() {
        drop(ptl);
        cached.into_iter().for_each(|cached| put_cached(&vmf, cached));
        drop(locks);
        // Without a reference, which would keep the folio from being reused: at worst this waits longer than it had to.
        page.folio().lock().wait();
        return vmf.handled();
    }
    page.get();
    let cpu = vmf.task.cpu();
    let result = if writes && !orig.is_writable() {
        hugetlb_wp(vmf, &mut locks, ptl, orig, cached)
    } else {
        mark_used(vmf, ptl, orig)
    };
    if !is_locked_already {
        page.folio().lock().unlock();
    }
    memory.put_page(cpu, folio);
    if let Some(cached) = cached {
        memory.page(cached).folio().lock().unlock();
        memory.put_page(cpu, cached);
    }
    result
}

/// Marks the entry as used, and as written if it is (`huge_ptep_set_access_flags`).
fn mark_used<'m, P: Platform>(vmf: Vmf<'m, P>, mut ptl: HugePteLock<'m, P>, orig: PmdVal) -> VmFault<'m, P> {
    let mut marks = EntryFlags::ACCESSED;
    if vmf.flags.contains(FaultFlags::WRITE) {
        marks |= EntryFlags::DIRTY | EntryFlags::SOFT_DIRTY;
    }
    if orig.with(marks) == orig {
        remark::<P>(format_args!("the entry allows it already: {orig}"));
    } else {
        ptl.set(orig.with(marks));
    }
    drop(ptl);
    vmf.handled()
}
