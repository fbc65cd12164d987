//! Waiting for a huge page that is being moved (`pmd_migration_entry_wait`).

use crate::phys::{PageState, Pfn};
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{PmdState, PmdVal, SwapEntry};

use crate::mm::mm_struct::Mm;
use crate::mm::vmf::Vmf;

use super::locked_pmd::LockedPmd;

/// Waits until the folio is unlocked, if the entry still says that it is being moved (M35): its mover holds the folio
/// lock until the entry is replaced.
///
/// Linux queues on the folio before it releases the lock of the table, and takes no reference, which would keep the
/// folio from being moved. Here the lock bit stands beside the frame and outlives the folio: if the frame is another
/// folio's by then, this waits longer than it had to.
pub(in crate::mm) fn pmd_migration_entry_wait<P: Platform>(vmf: &Vmf<'_, P>, seen: PmdVal) {
    enter::<P>("pmd_migration_entry_wait", format_args!("pmd={}", vmf.pmd)).run(
        || {
            let pmd = LockedPmd::lock(vmf.mm, vmf.pmd);
            let mut moving = under_migration(seen);
            recheck::<P>(Variant::M35Huge, || {
                moving = under_migration(pmd.get());
                moving.is_some()
            });
            let Some(folio) = moving else {
                remark::<P>(format_args!("the migration is over"));
                return;
            };
            assert_being_moved(vmf.mm, folio);
            drop(pmd);
            vmf.mm.memory().page(folio).folio().lock().wait();
        },
        |()| String::new(),
    );
}

/// D58: what is waited for is a folio that somebody moves (D43), so that an end of the wait comes. The lock of the
/// table is held.
pub(in crate::mm) fn assert_being_moved<P: Platform>(mm: &Mm<P>, folio: Pfn) {
    if P::CHECKED {
        let page = mm.memory().page(folio);
        let is_moved = page.state() == PageState::User && page.folio().lock().is_locked() && page.refcount() > 0;
        assert!(is_moved, "D58: a fault waits for folio {folio}, which nobody moves");
    }
}

/// The folio that an entry under migration stands for (`is_pmd_migration_entry`).
pub(super) fn under_migration(pmd: PmdVal) -> Option<Pfn> {
    if pmd.state() == PmdState::NotATable { SwapEntry::from_pte(pmd.as_pte()).and_then(SwapEntry::frame) } else { None }
}
