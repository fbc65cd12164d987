//! The huge branches of the walk (`mm/memory.c`, `__handle_mm_fault`), between the PMD entry and the PTE.

use crate::platform::{Platform, enter, remark};
use crate::x86::PmdState;

use crate::mm::fault_flags::FaultFlags;
use crate::mm::generation::Generation;
use crate::mm::pte_table::pmdp_get_lockless;
use crate::mm::vmf::{VmFault, Vmf};

use super::accessed::{do_huge_pmd_numa_page, huge_pmd_set_accessed};
use super::anonymous::do_huge_pmd_anonymous_page;
use super::eligible::is_allowable;
use super::linux_4_4;
use super::migration::pmd_migration_entry_wait;
use super::wp_page::wp_huge_pmd;

/// What became of a fault at the PMD entry.
#[must_use]
pub(in crate::mm) enum HugeFault<'m, P: Platform> {
    /// It is over.
    Done(VmFault<'m, P>),
    /// `VM_FAULT_FALLBACK`: small pages must do (D55: nothing was changed that counts).
    Fallback(Vmf<'m, P>),
}

impl<P: Platform> HugeFault<'_, P> {
    /// What Linux calls it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Done(result) => result.words(),
            Self::Fallback(_) => "VM_FAULT_FALLBACK".to_owned(),
        }
    }
}

/// Handles the fault by a huge page, if one is there or may be.
pub(in crate::mm) fn huge_pmd_fault<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    match vmf.mm.generation() {
        Generation::G2 => linux_4_4::huge_pmd_fault(vmf),
        Generation::G6 => huge_pmd_fault_6_12(vmf),
    }
}

/// One snapshot decides; nothing pins the entry, so each handler tests it again under its lock.
fn huge_pmd_fault_6_12<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    if is_allowable(vmf.vma(), vmf.address) && pmdp_get_lockless(vmf.mm, vmf.pmd).is_none() {
        return create_huge_pmd(vmf);
    }
    let orig = pmdp_get_lockless(vmf.mm, vmf.pmd);
    match orig.state() {
        PmdState::None | PmdState::Table(_) => HugeFault::Fallback(vmf),
        PmdState::NotATable => {
            remark::<P>(format_args!("the snapshot of the PMD is {orig}: a huge page under migration"));
            pmd_migration_entry_wait(&vmf, orig);
            HugeFault::Done(vmf.handled())
        }
        PmdState::Huge(_) => {
            remark::<P>(format_args!("the snapshot of the PMD is {orig}: a huge page"));
            if orig.is_prot_none() && vmf.vma().is_accessible() {
                return HugeFault::Done(do_huge_pmd_numa_page(vmf, orig));
            }
            let write = vmf.flags.intersects(FaultFlags::WRITE | FaultFlags::UNSHARE);
            if write && !orig.is_writable() {
                return wp_huge_pmd(vmf, orig);
            }
            HugeFault::Done(huge_pmd_set_accessed(vmf, orig))
        }
    }
}

/// A huge page where there was nothing. What a file's own operations would map (`huge_fault`) is not modelled.
pub(super) fn create_huge_pmd<'m, P: Platform>(vmf: Vmf<'m, P>) -> HugeFault<'m, P> {
    enter::<P>("create_huge_pmd", format_args!("pmd={}", vmf.pmd))
        .run(|| do_huge_pmd_anonymous_page(vmf), HugeFault::words)
}
