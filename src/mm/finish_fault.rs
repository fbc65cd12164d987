//! Entering the page of a fault on a file (`mm/memory.c`, `finish_fault`, `set_pte_range`).
//!
//! # Invariants
//! - I1 (D41). A page of a file is entered while its folio lock is held, and only if it is still the file's.
//! - I2 (D15, M29). The entry is tested again under the table's lock: a sibling may have filled it.
//! - I3 (D31, D33). Only a write makes an entry writable beyond the VMA's `page_prot`, and in a private mapping only
//!   one that shows a copy.

use crate::phys::{AnonVmaId, OutOfMemory, Pfn};
use crate::platform::{Platform, Variant, enter};
use crate::x86::{EntryFlags, PteVal, VirtAddr};

use super::RssKind;
use super::anonymous::vmf_pte_changed;
use super::fault_flags::FaultFlags;
use super::handle_pte_fault::written_entry;
use super::huge_memory::{SetPmd, do_set_pmd, is_pmd_mappable};
use super::preallocated::PreallocatedTable;
use super::pte_table::{LockedTable, pmdp_get_lockless, pte_alloc};
use super::rmap::{folio_add_file_rmap, folio_add_new_anon_rmap};
use super::vm_flags::{VmFlags, WriteNotify};
use super::vma::Vma;
use super::vmf::{FaultError, Vmf};

/// Whether an entry is made for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Yes,
    No,
}

/// The page that a fault ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A page of the file, whose folio lock is held; the caller's reference becomes the entry's.
    OfFile(Pfn),
    /// A private copy of one.
    Copy(Pfn, AnonVmaId),
}

/// What entering a page came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Finished {
    /// The entry shows it.
    Done,
    /// Another fault came first (`VM_FAULT_NOPAGE`); the caller still owns the page.
    Lost,
    /// There is no memory for a table.
    Failed(FaultError),
}

impl Finished {
    /// The result as Linux's functions return it.
    fn words(&self) -> String {
        match self {
            Self::Done => "0".to_owned(),
            Self::Lost => "VM_FAULT_NOPAGE: another fault was faster".to_owned(),
            Self::Failed(error) => error.words().to_owned(),
        }
    }
}

/// Enters the page. That the address space may be torn by the out-of-memory killer meanwhile is not modelled.
pub(super) fn finish_fault<P: Platform>(
    vmf: &Vmf<'_, P>,
    page: Page,
    prealloc: &mut PreallocatedTable<'_, P>,
) -> Finished {
    enter::<P>("finish_fault", format_args!("address={}, {page:?}", vmf.address)).run(
        || {
            let write = if vmf.flags.contains(FaultFlags::WRITE) { Write::Yes } else { Write::No };
            if let Page::OfFile(pfn) = page
                && is_pmd_mappable(vmf.mm, pfn)
                && pmdp_get_lockless(vmf.mm, vmf.pmd).is_none()
                && do_set_pmd(vmf, pfn, write) == SetPmd::Done
            {
                return Finished::Done;
            }
            prealloc.install(vmf);
            if let Err(OutOfMemory) = pte_alloc(vmf.mm, vmf.task, vmf.pmd) {
                return Finished::Failed(FaultError::Oom);
            }
            let Some(mut table) = LockedTable::offset_map_lock(vmf.mm, vmf.pmd) else { return Finished::Lost };
            // The re-test under the lock (M29).
            if vmf_pte_changed(vmf, &table, Variant::M29) {
                return Finished::Lost;
            }
            match page {
                Page::OfFile(pfn) => {
                    set_pte_range(vmf, &mut table, vmf.address, pfn, write);
                    table.count_rss(RssKind::of(vmf.mm.memory().page(pfn).mapping()), 1);
                }
                Page::Copy(pfn, anon_vma) => {
                    folio_add_new_anon_rmap(vmf, pfn, anon_vma);
                    vmf.mm.memory().add_to_lru(vmf.task.cpu(), pfn);
                    table.set(vmf.address, written_entry(vmf, pfn));
                    table.count_rss(RssKind::Anon, 1);
                }
            }
            drop(table);
            Finished::Done
        },
        Finished::words,
    )
}

/// Enters a locked page of the file at an address (`set_pte_range`).
pub(super) fn set_pte_range<P: Platform>(
    vmf: &Vmf<'_, P>,
    table: &mut LockedTable<'_, P>,
    address: VirtAddr,
    pfn: Pfn,
    write: Write,
) {
    enter::<P>("set_pte_range", format_args!("address={address}, page={pfn}")).run(
        || {
            let vma = vmf.vma();
            if let Some(file) = vma.file() {
                file.mapping().assert_installable(vmf.mm, pfn, file.index(address));
            }
            let entry = match write {
                Write::Yes => written_entry(vmf, pfn),
                Write::No => PteVal::new(pfn, vma.page_prot()).with(EntryFlags::ACCESSED),
            };
            assert_rights(vma, entry, write);
            folio_add_file_rmap(vmf.mm, pfn);
            table.set(address, entry);
        },
        |()| String::new(),
    );
}

/// D31 and D33: a private mapping never writes to the file, and a read makes no page writable whose file system is told
/// of writes (shared memory without a disk is not: its entries are writable from the start).
fn assert_rights<P: Platform>(vma: &Vma<P>, entry: PteVal, write: Write) {
    let shared = vma.flags().contains(VmFlags::SHARED);
    assert!(shared || !entry.is_writable(), "D33: {entry} would let a private mapping write to the file");
    let told = vma.write_notify() == WriteNotify::Yes;
    assert!(write == Write::Yes || !told || !entry.is_writable(), "D31: a read made the entry {entry} writable");
}
