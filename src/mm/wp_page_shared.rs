//! The first write to a page of a shared mapping (`mm/memory.c`, `wp_page_shared`, `do_page_mkwrite`,
//! `fault_dirty_shared_page`): the file system is told, and may refuse, before the entry is writable.
//!
//! # Invariants
//! - I1 (D34). When the fault is over, a page that an entry lets write is dirty, and its file system has agreed.
//! - I2 (D41, M25). After the file system was asked, the folio is locked and its mapping is looked at again: it was
//!   not locked meanwhile, and the page may have been truncated away.
//! - I3. The entry is compared with the one that faulted under the table's lock (`finish_mkwrite_fault`): it was not
//!   locked meanwhile either.

use crate::phys::{Mapping, Pfn};
use crate::platform::{Arc, Platform, Variant, enter, recheck, remark};
use crate::x86::PteVal;

use super::do_fault::vmf_can_call_fault;
use super::filemap::{AddressSpace, Allowed, PageMkwrite, may_drop_fault_lock};
use super::generation::Generation;
use super::pte_table::LockedTable;
use super::vmf::{Effort, FaultError, VmFault, Vmf};
use super::wp_page::wp_page_reuse;

/// What asking the file system came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum MadeWritable {
    /// It agreed, and the page is locked and still the file's.
    Locked,
    /// The page has left the file: the access will tell (0).
    Gone,
    /// The same, found by the file system (`VM_FAULT_NOPAGE`).
    NoPage,
    /// It refused (`VM_FAULT_SIGBUS`).
    Refused,
}

impl MadeWritable {
    /// The result as Linux's functions return it.
    fn words(&self) -> String {
        match self {
            Self::Locked => "VM_FAULT_LOCKED",
            Self::Gone => "0",
            Self::NoPage => "VM_FAULT_NOPAGE",
            Self::Refused => "VM_FAULT_SIGBUS",
        }
        .to_owned()
    }

    /// The end of a fault whose page may not be written now.
    ///
    /// # Panics
    /// If it may.
    pub(super) fn end<'m, P: Platform>(self, vmf: Vmf<'m, P>, effort: Effort) -> VmFault<'m, P> {
        match self {
            Self::Locked => unreachable!("a page that may be written is not the end of the fault"),
            Self::Gone => VmFault::Handled(vmf.lock, effort),
            Self::NoPage => vmf.no_page(effort),
            Self::Refused => vmf.failed(FaultError::Sigbus),
        }
    }
}

/// Asks the file system whether an unlocked page may be written, and locks it (`do_page_mkwrite`).
pub(super) fn do_page_mkwrite<P: Platform>(vmf: &Vmf<'_, P>, file: &AddressSpace<P>, pfn: Pfn) -> MadeWritable {
    enter::<P>("do_page_mkwrite", format_args!("page={pfn}")).run(
        || {
            match file.page_mkwrite(vmf.mm, pfn) {
                Allowed::Locked => return MadeWritable::Locked,
                Allowed::NoPage => return MadeWritable::NoPage,
                Allowed::Refused => return MadeWritable::Refused,
                Allowed::Unlocked => {}
            }
            file.lock_folio(vmf.mm.memory(), pfn);
            let page = vmf.mm.memory().page(pfn);
            // The re-test of the mapping (M25).
            if !recheck::<P>(Variant::M25, || page.mapping() != Mapping::None) {
                remark::<P>(format_args!("page {pfn} left the file meanwhile"));
                page.folio().lock().unlock();
                return MadeWritable::Gone;
            }
            MadeWritable::Locked
        },
        MadeWritable::words,
    )
}

/// Makes the entry of a shared page writable; `table` is locked and holds `orig` (`wp_page_shared`). What maps raw
/// frames, and would ask `pfn_mkwrite`, is not modelled.
pub(super) fn wp_page_shared<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    mut table: LockedTable<'m, P>,
    orig: PteVal,
) -> VmFault<'m, P> {
    enter::<P>("wp_page_shared", format_args!("address={}, pte={orig}", vmf.address)).run(
        || {
            let file = Arc::clone(vmf.vma().file().expect("a shared page is a file's").mapping());
            let (pfn, memory, cpu) = (orig.pfn(), vmf.mm.memory(), vmf.task.cpu());
            memory.page(memory.folio_of(pfn)).get();
            if file.behaviour().page_mkwrite == PageMkwrite::None {
                wp_page_reuse(&vmf, &mut table, orig);
                drop(table);
                file.lock_folio(memory, pfn);
            } else {
                drop(table);
                let vmf_ready = match vmf_can_call_fault(vmf, &file) {
                    Ok(vmf) => vmf,
                    Err(result) => {
                        memory.put_page(cpu, pfn);
                        return result;
                    }
                };
                return after_page_mkwrite(vmf_ready, &file, orig);
            }
            let result = fault_dirty_shared_page(vmf, &file, pfn, Effort::Minor);
            memory.put_page(cpu, pfn);
            result
        },
        VmFault::words,
    )
}

/// The rest of `wp_page_shared` where the file system is asked; the caller's reference is dropped.
fn after_page_mkwrite<'m, P: Platform>(vmf: Vmf<'m, P>, file: &AddressSpace<P>, orig: PteVal) -> VmFault<'m, P> {
    let (pfn, memory, cpu) = (orig.pfn(), vmf.mm.memory(), vmf.task.cpu());
    let result = match do_page_mkwrite(&vmf, file, pfn) {
        MadeWritable::Locked if finish_mkwrite_fault(&vmf, orig) => {
            fault_dirty_shared_page(vmf, file, pfn, Effort::Minor)
        }
        MadeWritable::Locked => {
            memory.page(pfn).folio().lock().unlock();
            vmf.no_page(Effort::Minor)
        }
        not @ (MadeWritable::Gone | MadeWritable::NoPage | MadeWritable::Refused) => not.end(vmf, Effort::Minor),
    };
    memory.put_page(cpu, pfn);
    result
}

/// Makes the entry writable if it is still the one that faulted (I3); says whether it was.
fn finish_mkwrite_fault<P: Platform>(vmf: &Vmf<'_, P>, orig: PteVal) -> bool {
    enter::<P>("finish_mkwrite_fault", format_args!("address={}", vmf.address)).run(
        || match LockedTable::offset_map_lock(vmf.mm, vmf.pmd) {
            Some(mut table) if recheck::<P>(Variant::MkwriteSame, || table.get(vmf.address) == orig) => {
                wp_page_reuse(vmf, &mut table, orig);
                true
            }
            Some(_) | None => {
                remark::<P>(format_args!("the entry changed meanwhile"));
                false
            }
        },
        |same| if *same { "0".to_owned() } else { "VM_FAULT_NOPAGE".to_owned() },
    )
}

/// Ends a write fault of a shared, locked page: the page is dirty, and too many dirty pages make the writer wait,
/// without the fault lock on the first try (`fault_dirty_shared_page`).
pub(super) fn fault_dirty_shared_page<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    file: &AddressSpace<P>,
    pfn: Pfn,
    effort: Effort,
) -> VmFault<'m, P> {
    enter::<P>("fault_dirty_shared_page", format_args!("page={pfn}")).run(
        || {
            let page = vmf.mm.memory().page(pfn);
            let dirtied = vmf.mm.memory().folio(pfn).mark_dirty();
            let is_files = page.mapping() != Mapping::None;
            vmf.mm.memory().folio(pfn).lock().unlock();
            let told = file.behaviour().page_mkwrite != PageMkwrite::None;
            // 4.4 keeps its lock, and knows no VM_FAULT_COMPLETED.
            let may_drop = vmf.mm.generation() == Generation::G6 && may_drop_fault_lock(vmf.flags);
            if is_files && (dirtied || told) && may_drop {
                remark::<P>(format_args!("balance_dirty_pages_ratelimited, without the fault lock"));
                drop(vmf.lock);
                return VmFault::Completed(effort);
            }
            VmFault::Handled(vmf.lock, effort)
        },
        VmFault::words,
    )
}
