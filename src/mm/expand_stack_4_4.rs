//! How a stack grew in Linux 4.4 (`mm/mmap.c`, `expand_stack`, `expand_downwards`; `mm/memory.c`,
//! `check_stack_guard_page`): under the mmap lock held for reading, and with a page left free at its low end.
//!
//! # Invariants
//! - I1. Faults may grow a stack side by side. What keeps them apart is the lock of its `anon_vma`: who has it looks
//!   again whether the stack has grown far enough meanwhile, and otherwise moves the start down.
//! - I2. The lowest page of a stack is never mapped: an access to it makes the stack grow by one more, or ends in
//!   SIGSEGV if another mapping is right below.
//!
//! Linux also refuses, in user mode, an access far below the stack pointer; registers are not modelled.

use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::VirtAddr;

use super::anon_vma::{LinkedVma, anon_vma_prepare};
use super::expand_stack::{CannotGrow, STACK_LIMIT};
use super::mm_struct::Mm;
use super::task::Task;
use super::vm_flags::VmFlags;
use super::vma::Vma;
use super::vma_tree::{VmaIndex, VmaTree};
use super::vmf::Vmf;

/// Makes the VMA, which lies above `address`, reach down to its page. The mmap lock is held for reading.
pub(super) fn expand_stack<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    vmas: &VmaTree<P>,
    index: VmaIndex,
    address: VirtAddr,
) -> Result<(), CannotGrow> {
    enter::<P>("expand_stack", format_args!("vma={:?}, address={address}", vmas.vma(index))).run(
        || {
            let start = address.page_start(P::GEOMETRY);
            if abuts(vmas, index, start).is_some_and(|below| !is_stack(below)) {
                return Err(CannotGrow::NoRoom);
            }
            expand_downwards(mm, task, vmas, (vmas.vma(index), start))
        },
        CannotGrow::tell,
    )
}

/// The mapping that ends where another one would begin.
fn abuts<P: Platform>(vmas: &VmaTree<P>, index: VmaIndex, start: VirtAddr) -> Option<&Vma<P>> {
    vmas.below(index).filter(|below| below.end() == start)
}

fn is_stack<P: Platform>(vma: &Vma<P>) -> bool {
    vma.flags().contains(VmFlags::GROWSDOWN)
}

fn expand_downwards<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    vmas: &VmaTree<P>,
    (vma, start): (&Vma<P>, VirtAddr),
) -> Result<(), CannotGrow> {
    if !is_stack(vma) {
        return Err(CannotGrow::NoStack);
    }
    if start.bytes() < P::GEOMETRY.lowest_mapping() {
        return Err(CannotGrow::TooLow);
    }
    if vma.anon_vma().is_none() {
        anon_vma_prepare(mm, task, vma, &vmas.neighbours(vma));
    }
    let anon_vma = vma.anon_vma().expect("it has just been prepared");
    let mut starts = anon_vma.lock_write();
    // The re-test under the lock (I1): without it a start that has sunk further would rise again.
    if !recheck::<P>(Variant::StackStart44, || start < vma.start()) {
        remark::<P>(format_args!("another fault has made it grow"));
        return Ok(());
    }
    // The page that is kept free does not count.
    if vma.end().bytes() - start.bytes() > STACK_LIMIT + P::GEOMETRY.page_size() {
        return Err(CannotGrow::NoRoom);
    }
    // Linux has one lock for the whole family; here each has its own, a child's before its parent's.
    let mut inherited: Vec<_> = vma.anon_vmas().skip(1).map(|anon_vma| anon_vma.lock_write()).collect();
    let _page_table_lock = mm.page_table_lock().lock();
    inherited.iter_mut().for_each(|starts| LinkedVma::move_in(starts, vma, start));
    LinkedVma::move_in(&mut starts, vma, start);
    vma.sink_to(start);
    Ok(())
}

/// Keeps the lowest page of a stack free: a fault in it makes the stack grow (I2).
pub(super) fn check_stack_guard_page<P: Platform>(vmf: &Vmf<'_, P>) -> Result<(), CannotGrow> {
    enter::<P>("check_stack_guard_page", format_args!("address={}", vmf.address)).run(
        || {
            let start = vmf.address.page_start(P::GEOMETRY);
            if !is_stack(vmf.vma()) || start != vmf.vma().start() {
                return Ok(());
            }
            let (vmas, index) = vmf.lock.under_mmap_lock().expect("4.4 has no other lock");
            match abuts(vmas, index, start) {
                // The same stack, which something has cut in two.
                Some(below) if is_stack(below) => Ok(()),
                Some(_) => Err(CannotGrow::NoRoom),
                None => {
                    let lower = start.bytes().checked_sub(P::GEOMETRY.page_size()).ok_or(CannotGrow::TooLow)?;
                    expand_stack(vmf.mm, vmf.task, vmas, index, VirtAddr::user(lower))
                }
            }
        },
        CannotGrow::tell,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{Ending, FaultCode, Generation, Process};
    use crate::phys::{CpuId, Pfn, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Completion, Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const RIGHTS: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::MAYWRITE);
    const STACK: VmFlags = RIGHTS.union(VmFlags::GROWSDOWN);
    const START: u64 = 0x4000_0000;

    /// Stores to `address` with a stack of one page at `START`, above a mapping that ends at `below`; the stack's start
    /// afterwards, or `None` if it got SEGV_MAPERR.
    fn start_after(below: Option<(u64, VmFlags)>, address: u64) -> Option<u64> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 64, 1)).expect("a little memory");
        let mm = Mm::<P>::new(Arc::new(machine), Generation::G2, CPU).expect("a frame for the root table");
        if let Some((end, flags)) = below {
            let below = Vma::new(VirtAddr::user(end - 0x1000), VirtAddr::user(end), flags);
            mm.mmap_lock().write().insert(below);
        }
        let stack = Vma::new(VirtAddr::user(START), VirtAddr::user(START + 0x1000), STACK);
        mm.mmap_lock().write().insert(stack);
        let task = Task::new(CPU);
        let store = Instruction::store(VirtAddr::user(address), 1);
        match Process::new(&mm, &task).execute(Mode::User, store) {
            Completion::Done(_) => {
                let vmas = mm.mmap_lock().read();
                vmas.iter().last().map(|stack| stack.start().bytes())
            }
            Completion::Ended(Ending::Sigsegv(FaultCode::MapErr, _)) => None,
            Completion::Ended(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_lowest_page_is_kept_free() {
        assert_eq!(start_after(None, START + 8), Some(START - 0x1000), "an access to the lowest page");
        assert_eq!(start_after(None, START - 0x1ff8), Some(START - 0x3000), "an access below");
    }

    #[test]
    fn another_mapping_ends_the_growth_unless_it_is_a_stack() {
        assert_eq!(start_after(Some((START, RIGHTS)), START + 8), None, "there is no room for the free page");
        assert_eq!(start_after(Some((START, STACK)), START + 8), Some(START), "the stack goes on below");
        assert_eq!(start_after(Some((START - 0x1000, RIGHTS)), START - 8), None, "it would touch the other one");
        assert_eq!(start_after(Some((START - 0x2000, RIGHTS)), START - 8), None, "its free page would");
        assert_eq!(start_after(Some((START - 0x3000, RIGHTS)), START - 8), Some(START - 0x2000));
    }

    #[test]
    fn a_stack_has_a_limit_and_a_lowest_address() {
        let most = START + 0x1000 - STACK_LIMIT;
        assert_eq!(start_after(None, most), Some(most - 0x1000));
        assert_eq!(start_after(None, most - 0x1000), None, "the free page would be within the limit no longer");
        assert_eq!(start_after(None, 0xfff8), None, "nothing may be mapped that low");
    }
}
