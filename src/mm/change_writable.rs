//! Whether a change of rights may make an entry writable at once, so that no write has to fault for it
//! (`mm/mprotect.c`, `can_change_pte_writable`; `mm/huge_memory.c`, `can_change_pmd_writable`).
//!
//! # Invariants
//! - I1 (D26). A private page that is not exclusive stays read-only: the write fault decides who keeps it.
//! - I2 (D34). A shared page whose file wants to hear of writes becomes writable only if it has heard of one.
//!
//! Not modelled: entries that userfaultfd protects; `VM_SOFTDIRTY`, by which a VMA says that it needs no marks.

use crate::phys::Mapping;
use crate::platform::{Platform, Variant, lacks};
use crate::x86::{EntryFlags, PteVal};

use super::mm_struct::Mm;
use super::vm_flags::{VmFlags, WriteNotify};
use super::vma::Vma;
use super::wp_page::vm_normal_page;

/// The VMA may be written, but its `vm_page_prot` does not say so (`vma_wants_manual_pte_write_upgrade`).
pub(crate) fn wants_manual_write_upgrade<P: Platform>(vma: &Vma<P>) -> bool {
    let flags = vma.flags();
    flags.contains(VmFlags::WRITE) && (!flags.contains(VmFlags::SHARED) || vma.write_notify() == WriteNotify::Yes)
}

/// Whether a write through the entry, small or huge, would find nothing to copy and nothing to note. The entry has the
/// rights of the VMA, which may be written, and its table is locked.
pub(crate) fn can_change_writable<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, entry: PteVal) -> bool {
    // Who forgot that the page was written wants to hear of the next write.
    if entry.is_prot_none() || !entry.flags().contains(EntryFlags::SOFT_DIRTY) {
        return false;
    }
    if vma.flags().contains(VmFlags::SHARED) {
        return entry.is_dirty();
    }
    let Some(pfn) = vm_normal_page(entry) else { return false };
    let memory = mm.memory();
    let is_anon = matches!(memory.page(memory.folio_of(pfn)).mapping(), Mapping::Anon(_));
    is_anon && (lacks::<P>(Variant::UpgradeExclusive) || memory.page(pfn).is_anon_exclusive())
}
