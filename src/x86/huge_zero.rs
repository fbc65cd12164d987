//! The huge page of zeros that huge reads of untouched memory share (`mm/huge_memory.c`, `get_huge_zero_folio`).
//!
//! It is allocated when somebody first wants it, and kept. The shrinker that gives it back under pressure is not
//! modelled, so its references are not counted.
//!
//! # Memory ordering
//! - O1. The first one publishes the cleared folio by an `AcqRel` exchange of 0 for its frame; everybody reads it with
//!   `Acquire`.

use crate::phys::{CpuId, PageState, Pfn, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, named, ordering, remark};

/// The huge page of zeros, once somebody wanted it.
#[derive(Debug)]
pub struct HugeZero<P: Platform> {
    /// Its first frame's number and one; 0 while there is none.
    folio: P::AtomicU64,
}

impl<P: Platform> HugeZero<P> {
    pub(super) fn new() -> Self {
        Self { folio: named::<P>(format_args!("huge zero folio"), 0) }
    }

    /// The folio, if there is one (`is_huge_zero_folio` compares with it).
    pub fn get(&self) -> Option<Pfn> {
        // ORDER O1: pairs with `get_or_alloc`.
        self.folio.load(ordering::<P>(Variant::OHugeZero, Ordering::Acquire)).checked_sub(1).map(Pfn::truncate)
    }

    /// The folio, allocated if it must be; `None` if there is no memory for it.
    pub fn get_or_alloc(&self, memory: &PhysMem<P>, cpu: CpuId) -> Option<Pfn> {
        if let Some(folio) = self.get() {
            return Some(folio);
        }
        let mine = memory.alloc_huge(cpu, PageState::Reserved).ok()?;
        memory.clear_huge(mine);
        // ORDER O1: publishes the zeros.
        match self.folio.compare_exchange(
            0,
            mine.number() + 1,
            ordering::<P>(Variant::OFirstHugeZero, Ordering::AcqRel),
        ) {
            Ok(_) => Some(mine),
            Err(first) => {
                remark::<P>(format_args!("another fault allocated the huge zero page first; mine is freed"));
                memory.free_uncharged(cpu, mine);
                Some(Pfn::truncate(first - 1))
            }
        }
    }
}
