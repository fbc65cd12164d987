//! Whose `anon_vma` a VMA may share instead of making one (`mm/vma.c`, `find_mergeable_anon_vma`): its neighbour's, if
//! the two could have been one mapping. It saves an `anon_vma`, and lets them become one when `mprotect` makes them
//! alike.
//!
//! # Invariants
//! - I1 (M44). Neighbours are only looked at while the mmap lock is held: it keeps them from being freed.

use crate::platform::{Arc, Platform, enter};

use super::anon_vma::AnonVma;
use super::vm_flags::VmFlags;
use super::vma::Vma;

/// The VMAs next to one, if there are any: the one below, and the one above.
pub(super) type Neighbours<P> = [Option<Arc<Vma<P>>>; 2];

/// The `anon_vma` of a neighbour that the VMA may share. The one above is asked first, as Linux does.
pub(super) fn find_mergeable_anon_vma<P: Platform>(
    vma: &Vma<P>,
    [below, above]: &Neighbours<P>,
) -> Option<Arc<AnonVma<P>>> {
    enter::<P>("find_mergeable_anon_vma", format_args!("vma={vma:?}")).run(
        || {
            let next = above.as_ref().and_then(|above| reusable_anon_vma(above, (vma, above)));
            next.or_else(|| below.as_ref().and_then(|below| reusable_anon_vma(below, (below, vma))))
        },
        |found| found.as_ref().map_or("NULL".to_owned(), |anon_vma| format!("anon_vma {:#x}", anon_vma.id().0)),
    )
}

/// A neighbour's, if it has one that no other process shares.
fn reusable_anon_vma<P: Platform>(neighbour: &Vma<P>, (lower, upper): (&Vma<P>, &Vma<P>)) -> Option<Arc<AnonVma<P>>> {
    let anon_vma = is_compatible(lower, upper).then(|| neighbour.anon_vma())??;
    (neighbour.anon_vmas().count() == 1).then(|| Arc::clone(anon_vma))
}

/// Whether the two could be one mapping if their rights were the same (`anon_vma_compatible`).
fn is_compatible<P: Platform>(lower: &Vma<P>, upper: &Vma<P>) -> bool {
    let may_differ = VmFlags::READ | VmFlags::WRITE | VmFlags::EXEC | VmFlags::SOFTDIRTY;
    let file = |vma: &Vma<P>| vma.file().map(|file| file.mapping().id());
    lower.end() == upper.start()
        && (lower.flags() - may_differ) == (upper.flags() - may_differ)
        && file(lower) == file(upper)
        && lower.linear_page_index(lower.end()) == upper.linear_page_index(upper.start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{Generation, Mm, Placement, Process, Protection, Task, VmaTree, mmap};
    use crate::phys::{CpuId, Pfn, PhysConfig};
    use crate::platform::{Native, X86_64};
    use crate::x86::{Instruction, Machine, Mode, VirtAddr};

    type P = Native<X86_64>;

    const PAGE: u64 = 0x1000;

    /// The `anon_vma`s of mappings with these rights, one page each, side by side, after a store to each in this order.
    fn anon_vmas(rights: [Protection; 2], gap: u64, order: [u64; 2]) -> Vec<Option<u64>> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 64, 1)).expect("a little memory");
        let task = Task::new(CpuId::new(0));
        let mm = Mm::<P>::new(Arc::new(machine), Generation::G6, task.cpu()).expect("a frame for the root table");
        let start = |number: u64| VirtAddr::user(0x10_0000 + number * (PAGE + gap));
        for (number, rights) in (0..).zip(rights) {
            mmap(&mm, Placement::Fixed(start(number)), PAGE, rights).expect("nothing is mapped there");
        }
        for number in order {
            let _done = Process::new(&mm, &task).execute(Mode::User, Instruction::store(start(number), 1));
        }
        let vmas = mm.mmap_lock().read();
        let ids = |vmas: &VmaTree<P>| vmas.iter().map(|vma| vma.anon_vma().map(|own| own.id().0)).collect();
        ids(&vmas)
    }

    #[test]
    fn neighbours_that_differ_in_their_rights_share_one() {
        let rights = Protection::READ | Protection::WRITE;
        for order in [[0, 1], [1, 0]] {
            let ids = anon_vmas([rights, rights | Protection::EXEC], 0, order);
            assert!(ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
            let apart = anon_vmas([rights, rights | Protection::EXEC], PAGE, order);
            assert!(apart[0].is_some() && apart[0] != apart[1], "{apart:?}");
        }
    }
}
