//! Ghost: which frames CPUs remember translations to (D36).
//!
//! # Invariants
//! - I1. Whoever frees a frame asserts that no CPU remembers it.
//! - I2. Whoever has a CPU forget a frame reads the frame's state, which whoever frees it writes: if nothing orders the
//!   two, that is a data race, in whichever order they are run.

use crate::platform::{Ghost, Platform};

use super::address::Pfn;
use super::cpu::CpuId;
use super::memory::PhysMem;

/// Frames, each with a CPU that remembers it and the address that it takes it for.
#[derive(Debug, Default)]
pub(super) struct Translations(Ghost<Vec<(Pfn, CpuId, u64)>>);

impl<P: Platform> PhysMem<P> {
    /// Ghost: a CPU remembers the frame as the page at `address`.
    pub fn translated(&self, pfn: Pfn, cpu: CpuId, address: u64) {
        if P::CHECKED {
            self.translations().0.with(|all| all.push((pfn, cpu, address)));
        }
    }

    /// Ghost: it has forgotten it.
    pub fn translated_no_more(&self, pfn: Pfn, cpu: CpuId, address: u64) {
        if P::CHECKED {
            // I2.
            self.page(pfn).state();
            self.translations().0.with(|all| {
                let at = all.iter().position(|one| *one == (pfn, cpu, address));
                all.swap_remove(at.expect("what is forgotten was remembered"));
            });
        }
    }

    /// I1.
    pub(super) fn assert_not_translated(&self, pfn: Pfn) {
        if P::CHECKED {
            let left = self.translations().0.with(|all| all.iter().find(|(frame, ..)| *frame == pfn).copied());
            if let Some((_, cpu, address)) = left {
                panic!("D36: frame {pfn} is freed, and {cpu:?} still takes it for the page at {address:#x}");
            }
        }
    }
}
