//! A stack that grows when it is accessed below its start (`mm/mmap.c`, `expand_stack_locked`, `expand_downwards`).
//!
//! How 4.4 did it, among readers, stands in `expand_stack_4_4`.
//!
//! # Invariants
//! - I1. The VMA has its `anon_vma` before it grows, and the `anon_vma` learns the new start under its own lock, so the
//!   reverse map never looks for a page of the stack in the wrong place (D24).
//! - I2 (D49). No fault holds the VMA while its start moves.

use crate::platform::{Platform, enter};
use crate::x86::VirtAddr;

use super::anon_vma::{LinkedVma, anon_vma_prepare};
use super::mm_struct::Mm;
use super::task::Task;
use super::vm_flags::VmFlags;
use super::vma_tree::{VmaIndex, VmaTree};

/// Bytes that a stack may have (`RLIMIT_STACK`, as most systems set it).
pub(super) const STACK_LIMIT: u64 = 8 << 20;

/// Why a stack does not grow; the name is Linux's errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CannotGrow {
    /// `EFAULT`: it is no stack.
    NoStack,
    /// `EPERM`: nothing may be mapped that low.
    TooLow,
    /// `ENOMEM`: another mapping is too near, or the stack would be too large.
    NoRoom,
}

impl CannotGrow {
    fn words(self) -> &'static str {
        match self {
            Self::NoStack => "-EFAULT: it is no stack",
            Self::TooLow => "-EPERM: nothing may be mapped that low",
            Self::NoRoom => "-ENOMEM: another mapping is too near, or the stack would be too large",
        }
    }

    /// What growing came to, in words.
    pub(super) fn tell(result: &Result<(), Self>) -> String {
        result.map_or_else(|error| error.words().to_owned(), |()| "0".to_owned())
    }
}

/// Makes the VMA, which lies above `address`, reach down to its page; the mmap lock is held for writing, so that nobody
/// else grows it meanwhile.
pub(super) fn expand_stack_locked<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    vmas: &mut VmaTree<P>,
    index: VmaIndex,
    address: VirtAddr,
) -> Result<(), CannotGrow> {
    enter::<P>("expand_stack_locked", format_args!("vma={:?}, address={address}", vmas.vma(index))).run(
        || {
            let start = address.page_start(P::GEOMETRY);
            may_grow(vmas, index, start)?;
            let vma = vmas.shared(index);
            if vma.anon_vma().is_none() {
                anon_vma_prepare(mm, task, &vma, &vmas.neighbours(&vma));
            }
            vmas.start_write(&vma);
            let anon_vma = vma.anon_vma().expect("it has just been prepared");
            // Linux has one lock for the whole family. Here each has its own, which may wait, so those that a child has
            // inherited come before the spinlock; nobody walks them while the mmap lock is held for writing.
            vma.anon_vmas().skip(1).for_each(|inherited| inherited.moves(&vma, start));
            let mut starts = anon_vma.lock_write();
            let _page_table_lock = mm.page_table_lock().lock();
            LinkedVma::move_in(&mut starts, &vma, start);
            vmas.set_start(index, start);
            Ok(())
        },
        CannotGrow::tell,
    )
}

fn may_grow<P: Platform>(vmas: &VmaTree<P>, index: VmaIndex, start: VirtAddr) -> Result<(), CannotGrow> {
    let vma = vmas.vma(index);
    if !vma.flags().contains(VmFlags::GROWSDOWN) {
        return Err(CannotGrow::NoStack);
    }
    if start.bytes() < P::GEOMETRY.lowest_mapping() {
        return Err(CannotGrow::TooLow);
    }
    // Another stack below keeps its own distance, and what nobody can access needs none.
    let below = vmas.below(index).filter(|below| !below.flags().contains(VmFlags::GROWSDOWN) && below.is_accessible());
    let gap = below.map_or(u64::MAX, |below| start.bytes().saturating_sub(below.end().bytes()));
    let size = vma.end().bytes() - start.bytes();
    if gap < P::GEOMETRY.stack_guard_gap() || size > STACK_LIMIT { Err(CannotGrow::NoRoom) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{Generation, Vma};
    use crate::phys::{CpuId, Pfn, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::Machine;

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const RIGHTS: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::MAYWRITE);
    const STACK: VmFlags = RIGHTS.union(VmFlags::GROWSDOWN);
    const START: u64 = 0x4000_0000;

    /// Grows a stack of one page at `START` to `address`, above a mapping that ends at `below`.
    fn grow(flags: VmFlags, below: Option<(u64, VmFlags)>, address: u64) -> (Result<(), CannotGrow>, u64) {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 64, 1)).expect("a little memory");
        let mm = Mm::<P>::new(Arc::new(machine), Generation::G6, CPU).expect("a frame for the root table");
        let mut vmas = mm.mmap_lock().write();
        if let Some((end, flags)) = below {
            vmas.insert(Vma::new(VirtAddr::user(end - 0x1000), VirtAddr::user(end), flags));
        }
        vmas.insert(Vma::new(VirtAddr::user(START), VirtAddr::user(START + 0x1000), flags));
        let index = vmas.find(VirtAddr::user(START)).expect("the stack");
        let result = expand_stack_locked(&mm, &Task::new(CPU), &mut vmas, index, VirtAddr::user(address));
        (result, vmas.vma(index).start().bytes())
    }

    #[test]
    fn a_stack_grows_to_the_page_that_was_accessed() {
        assert_eq!(grow(STACK, None, START - 0x2ff8), (Ok(()), START - 0x3000));
    }

    #[test]
    fn what_is_no_stack_does_not_grow() {
        assert_eq!(grow(RIGHTS, None, START - 8), (Err(CannotGrow::NoStack), START));
    }

    #[test]
    fn the_guard_gap_is_kept_from_mappings_that_can_be_accessed() {
        let near = START - 257 * 0x1000;
        assert_eq!(grow(STACK, Some((near, RIGHTS)), START - 8), (Ok(()), START - 0x1000), "256 pages are left");
        assert_eq!(grow(STACK, Some((near, RIGHTS)), START - 0x1008), (Err(CannotGrow::NoRoom), START));
        assert_eq!(grow(STACK, Some((near, STACK)), START - 0x1008), (Ok(()), START - 0x2000), "another stack");
        assert_eq!(grow(STACK, Some((near, VmFlags::empty())), START - 0x1008), (Ok(()), START - 0x2000), "no access");
    }

    #[test]
    fn a_stack_has_a_limit_and_a_lowest_address() {
        let most = START + 0x1000 - STACK_LIMIT;
        assert_eq!(grow(STACK, None, most), (Ok(()), most));
        assert_eq!(grow(STACK, None, most - 1), (Err(CannotGrow::NoRoom), START));
        assert_eq!(grow(STACK, None, 0xfff8), (Err(CannotGrow::TooLow), START));
    }
}
