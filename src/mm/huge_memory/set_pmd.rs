//! A huge page of a file is mapped (`mm/memory.c`, `do_set_pmd`).
//!
//! # Invariants
//! - I1 (D41). The folio is locked, and the file's.
//! - I2 (D2). The entry is tested again under its lock: another fault may have linked a table, or was as fast.
//! - I3 (D9). On x86 no table is deposited: what is split is cleared, and faulted in again page by page.

use crate::phys::Pfn;
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{EntryFlags, PmdVal};

use crate::mm::RssKind;
use crate::mm::finish_fault::Write;
use crate::mm::mm_struct::Mm;
use crate::mm::rmap::folio_add_file_rmap_pmd;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vmf::Vmf;

use super::eligible::{fits_file, pages};
use super::locked_pmd::LockedPmd;

/// What mapping a huge page of a file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::mm) enum SetPmd {
    /// The entry shows it; the caller's reference is the entry's.
    Done,
    /// `VM_FAULT_FALLBACK`: a small entry must do.
    Fallback,
}

/// The page is one of a folio that a PMD entry can map (`folio_test_pmd_mappable`); the caller has a reference. Linux
/// 4.4 has none in files.
pub(in crate::mm) fn is_pmd_mappable<P: Platform>(mm: &Mm<P>, page: Pfn) -> bool {
    mm.memory().page(mm.memory().folio_of(page)).order() == P::GEOMETRY.index_bits
}

/// Maps the huge folio of a locked page as a whole, if the VMA has its place, and the PMD entry is empty.
pub(in crate::mm) fn do_set_pmd<P: Platform>(vmf: &Vmf<'_, P>, page: Pfn, write: Write) -> SetPmd {
    let memory = vmf.mm.memory();
    let head = memory.folio_of(page);
    enter::<P>("do_set_pmd", format_args!("folio={head}, pmd={}", vmf.pmd)).run(
        || {
            let vma = vmf.vma();
            if vma.flags().contains(VmFlags::NOHUGEPAGE) || !fits_file(vma, vmf.address) {
                remark::<P>(format_args!("the VMA does not want it, or has no room for it"));
                return SetPmd::Fallback;
            }
            let file = vma.file().expect("a page of a file is mapped in a VMA of it");
            file.mapping().assert_installable(vmf.mm, head, file.index(vmf.address.huge_start(P::GEOMETRY)));
            let mut pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
            // The re-test under the lock (I2).
            if !recheck::<P>(Variant::SetPmdNone, || pmd.get().is_none()) {
                remark::<P>(format_args!("another fault came first: the PMD is {} now", pmd.get()));
                return SetPmd::Fallback;
            }
            let entry = PmdVal::huge(head, vma.page_prot() | EntryFlags::ACCESSED);
            let shared = vma.flags().contains(VmFlags::SHARED);
            assert!(shared || write == Write::No, "D33: a write to a private mapping maps a copy");
            let may_write = write == Write::Yes && vma.flags().contains(VmFlags::WRITE);
            pmd.count_rss(RssKind::of(memory.page(head).mapping()), pages::<P>());
            folio_add_file_rmap_pmd(vmf.mm, head);
            pmd.set(if may_write { entry.dirty_and_writable() } else { entry });
            drop(pmd);
            SetPmd::Done
        },
        |set| match set {
            SetPmd::Done => "0".to_owned(),
            SetPmd::Fallback => "VM_FAULT_FALLBACK".to_owned(),
        },
    )
}
