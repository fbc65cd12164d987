//! Making CPUs forget what they know of an address space's entries (`arch/x86/mm/tlb.c`).

use crate::platform::{Platform, enter};
use crate::x86::VirtAddr;

use super::mm_struct::Mm;

/// Makes every CPU forget the entries of a range (`flush_tlb_range`).
pub fn flush_tlb_range<P: Platform>(mm: &Mm<P>, (start, end): (VirtAddr, VirtAddr)) {
    enter::<P>("flush_tlb_range", format_args!("{start}-{end}")).run(|| mm.machine().shoot_down(), |()| String::new());
}

/// Makes every CPU forget all entries of an address space (`flush_tlb_mm`).
pub fn flush_tlb_mm<P: Platform>(mm: &Mm<P>) {
    enter::<P>("flush_tlb_mm", format_args!("")).run(|| mm.machine().shoot_down(), |()| String::new());
}
