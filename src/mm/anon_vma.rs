//! The `anon_vma`: how the reverse map finds the VMAs that may map an anonymous page (`mm/rmap.c`).
//!
//! # Invariants
//! - I1 (D24). A VMA gets its `anon_vma` once, before its first anonymous page is mapped, and keeps it.
//!
//! # Lock order
//! `root` before `page_table_lock` (`__anon_vma_prepare`).

use std::fmt;

use crate::locks::RwSem;
use crate::phys::AnonVmaId;
use crate::platform::{Arc, Platform, enter, remark};

use super::vma::Vma;
use super::vmf::Vmf;

/// The VMAs that may map the pages of one origin.
pub struct AnonVma<P: Platform> {
    id: AnonVmaId,
    /// The first addresses of its VMAs (`anon_vma->rb_root`), under the root semaphore.
    root: RwSem<P, Vec<u64>>,
}

impl<P: Platform> AnonVma<P> {
    /// Its number.
    pub fn id(&self) -> AnonVmaId {
        self.id
    }

    /// Adds a VMA (`anon_vma_chain_link`).
    pub(super) fn link(&self, vma: &Vma<P>) {
        self.root.write().push(vma.start().bytes());
    }

    /// Removes a VMA (`unlink_anon_vmas`).
    pub fn unlink(&self, vma: &Vma<P>) {
        let start = vma.start().bytes();
        self.root.write().retain(|linked| *linked != start);
    }

    /// Where its VMAs start.
    pub fn vma_starts(&self) -> Vec<u64> {
        self.root.read().clone()
    }
}

impl<P: Platform> fmt::Debug for AnonVma<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnonVma").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes sure that the VMA has an `anon_vma` (`vmf_anon_prepare`, `__anon_vma_prepare`).
///
/// The allocation cannot fail here: it comes from the host. Looking for a neighbour's `anon_vma` to share is not
/// modelled.
pub(super) fn vmf_anon_prepare<P: Platform>(vmf: &Vmf<'_, P>) -> AnonVmaId {
    enter::<P>("vmf_anon_prepare", format_args!("vma={:?}", vmf.vma())).run(
        || match vmf.vma().anon_vma() {
            Some(anon_vma) => anon_vma.id(),
            None => anon_vma_prepare(vmf),
        },
        |id| format!("anon_vma {:#x}", id.0),
    )
}

fn anon_vma_prepare<P: Platform>(vmf: &Vmf<'_, P>) -> AnonVmaId {
    let vma = vmf.vma();
    let mine = Arc::new(AnonVma { id: vmf.task.next_anon_vma(), root: RwSem::new("anon_vma->rwsem", Vec::new()) });
    let candidate = Arc::clone(&mine);
    let mut linked = mine.root.write();
    let _page_table_lock = vmf.mm.page_table_lock().lock();
    // The re-test under page_table_lock (M43): another fault in this VMA may have been first.
    match vma.set_anon_vma(candidate) {
        Ok(()) => {
            linked.push(vma.start().bytes());
            mine.id
        }
        Err(_mine) => {
            remark::<P>(format_args!("another fault prepared the VMA first; mine is freed"));
            vma.anon_vma().expect("somebody set it, and it is never unset").id()
        }
    }
}
