//! Taking a folio from the pool for a fault, and giving it back (`alloc_hugetlb_folio`, `restore_reserve_on_error`).
//!
//! The cgroup of hugetlb pages is not modelled, and the one of all other memory does not count them.

use crate::mm::vmf::Vmf;
use crate::phys::{Claim, Pfn, PoolEmpty, Restore};
use crate::platform::{Platform, enter};

use super::resv_map::{claim_of, uncommit, vma_commit_reservation};

/// Whether a copy may use the reservation of its page (`avoid_reserve`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reserve {
    /// It may.
    MayUse,
    /// It may not: the page has used its own, and what is left is other pages'.
    Avoid,
}

/// A folio from the pool that nobody has seen yet.
#[must_use = "it is mapped, or given back"]
pub(super) struct NewFolio {
    pub(super) folio: Pfn,
    claim: Claim,
}

/// Takes a folio for the page of the fault.
pub(super) fn alloc_hugetlb_folio<P: Platform>(vmf: &Vmf<'_, P>, reserve: Reserve) -> Result<NewFolio, PoolEmpty> {
    enter::<P>("alloc_hugetlb_folio", format_args!("address={}, reserve={reserve:?}", vmf.address)).run(
        || {
            let claim = match reserve {
                Reserve::MayUse => claim_of(vmf.vma(), vmf.address),
                Reserve::Avoid => Claim::Spare,
            };
            let folio = vmf.mm.memory().dequeue_hugetlb_folio(vmf.task.cpu(), claim)?;
            if reserve == Reserve::MayUse {
                vma_commit_reservation(vmf.vma(), vmf.address);
            }
            Ok(NewFolio { folio, claim })
        },
        |result| match result {
            Ok(new) => format!("folio {}", new.folio),
            Err(PoolEmpty) => "-ENOSPC".to_owned(),
        },
    )
}

/// The folio is not needed: the page has its reservation again, and the pool its folio.
pub(super) fn restore_reserve_on_error<P: Platform>(vmf: &Vmf<'_, P>, new: NewFolio, reserve: Reserve) {
    enter::<P>("restore_reserve_on_error", format_args!("folio={}", new.folio)).run(
        || {
            if reserve == Reserve::MayUse {
                uncommit(vmf.vma(), vmf.address, new.claim);
            }
            let restore = match new.claim {
                Claim::Reserved => Restore::Yes,
                Claim::Spare => Restore::No,
            };
            vmf.mm.memory().put_unused_hugetlb_folio(new.folio, restore);
        },
        |()| String::new(),
    );
}
