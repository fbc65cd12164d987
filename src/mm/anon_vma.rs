//! The `anon_vma`: how the reverse map finds the VMAs that may map an anonymous page (`mm/rmap.c`).
//!
//! # Invariants
//! - I1 (D24). A VMA gets its `anon_vma` once, before its first anonymous page is mapped, and keeps it.
//!
//! # Lock order
//! `root` before `page_table_lock` (`__anon_vma_prepare`).

use std::fmt;

use crate::locks::{LockClass, RwSem, WriteGuard};
use crate::phys::{AnonVmaId, Pfn};
use crate::platform::{Arc, Platform, Variant, enter, lacks, remark};
use crate::x86::VirtAddr;

use super::mergeable_anon_vma::{Neighbours, find_mergeable_anon_vma};
use super::mm_struct::Mm;
use super::task::Task;
use super::vma::Vma;
use super::vma_lock::neighbours_under_rcu;
use super::vmf::{Effort, VmFault, Vmf};

/// The VMAs that may map the pages of one origin.
pub struct AnonVma<P: Platform> {
    id: AnonVmaId,
    /// The root table of the address space that it was made for: whose own it is.
    owner: Pfn,
    /// Its VMAs (`anon_vma->rb_root`), in the order in which they were linked, under the root semaphore; the VMA of a
    /// forked process has its parent's address, and counts again. Each `anon_vma` has a semaphore of its own: that
    /// those of a family share one is not modelled.
    root: RwSem<P, Vec<LinkedVma>>,
}

/// A VMA that may map the pages of an `anon_vma` (`struct anon_vma_chain`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkedVma {
    start: u64,
    /// The root table of its address space.
    pub(super) pgd: Pfn,
}

impl<P: Platform> AnonVma<P> {
    /// One for an address space, with no VMA yet.
    fn new(mm: &Mm<P>, task: &Task) -> Self {
        Self { id: task.next_anon_vma(), owner: mm.pgd(), root: RwSem::new(LockClass::AnonVma, Vec::new()) }
    }

    /// Its number.
    pub fn id(&self) -> AnonVmaId {
        self.id
    }

    /// Adds a VMA (`anon_vma_chain_link`).
    pub(super) fn link(&self, vma: &Vma<P>) {
        self.root.write().push(LinkedVma::of(vma));
    }

    /// Removes a VMA (`unlink_anon_vmas`). The others stay in the order in which they were linked.
    pub fn unlink(&self, vma: &Vma<P>) {
        let this = LinkedVma::of(vma);
        let mut linked = self.root.write();
        let place = linked.iter().position(|linked| *linked == this).expect("it was linked");
        linked.remove(place);
    }

    /// One of its VMAs is about to start elsewhere.
    pub(super) fn moves(&self, vma: &Vma<P>, start: VirtAddr) {
        LinkedVma::move_in(&mut self.root.write(), vma, start);
    }

    /// Locks its VMAs for a change (`anon_vma_lock_write`).
    pub(crate) fn lock_write(&self) -> WriteGuard<'_, P, Vec<LinkedVma>> {
        self.root.write()
    }

    /// Looks while no VMA comes or goes (`anon_vma_lock_read`).
    #[track_caller]
    pub fn read_locked<R>(&self, look: impl FnOnce() -> R) -> R {
        let _linked = self.root.read();
        look()
    }

    /// Does something while nobody else looks (`anon_vma_lock_write`).
    #[track_caller]
    pub fn write_locked<R>(&self, change: impl FnOnce() -> R) -> R {
        let _linked = self.root.write();
        change()
    }

    /// Whether this very VMA is one of them: that of a parent or a child, at the same address, is another one.
    pub fn is_linked(&self, vma: &Vma<P>) -> bool {
        self.root.read().contains(&LinkedVma::of(vma))
    }
}

impl LinkedVma {
    /// The VMA, which has an `anon_vma` of its own: that tells whose it is.
    fn of<P: Platform>(vma: &Vma<P>) -> Self {
        let own = vma.anon_vma().expect("a VMA is linked once it has an anon_vma");
        Self { start: vma.start().bytes(), pgd: own.owner }
    }

    /// Among the VMAs of an `anon_vma`, this one is about to start elsewhere.
    pub(super) fn move_in<P: Platform>(linked: &mut [Self], vma: &Vma<P>, start: VirtAddr) {
        let this = Self::of(vma);
        linked.iter_mut().find(|linked| **linked == this).into_iter().for_each(|linked| linked.start = start.bytes());
    }
}

impl<P: Platform> fmt::Debug for AnonVma<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnonVma").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What preparing a VMA for anonymous pages came to.
#[must_use]
pub(super) enum Prepared<'m, P: Platform> {
    /// The fault goes on, and this is the VMA's `anon_vma`.
    Ready(Vmf<'m, P>, AnonVmaId),
    /// The fault must begin again under the mmap lock; its lock is dropped.
    Retry(VmFault<'m, P>),
}

/// Makes sure that the VMA has an `anon_vma` (`__vmf_anon_prepare`).
///
/// To prepare one takes the mmap lock, because it looks at the neighbours. A fault that holds only its VMA's lock may
/// not wait for it (who writes holds it and waits for the VMA's), so it tries (M44).
///
/// The allocation cannot fail here: it comes from the host.
pub(super) fn vmf_anon_prepare<'m, P: Platform>(vmf: Vmf<'m, P>) -> Prepared<'m, P> {
    enter::<P>("vmf_anon_prepare", format_args!("vma={:?}", vmf.vma())).run(
        || {
            if let Some(id) = vmf.vma().anon_vma().map(|anon_vma| anon_vma.id()) {
                return Prepared::Ready(vmf, id);
            }
            if let Some((vmas, _)) = vmf.lock.under_mmap_lock() {
                let id = anon_vma_prepare(vmf.mm, vmf.task, vmf.vma(), &vmas.neighbours(vmf.vma()));
                return Prepared::Ready(vmf, id);
            }
            if lacks::<P>(Variant::M44) {
                let neighbours = neighbours_under_rcu(vmf.mm, vmf.task, vmf.vma());
                let id = anon_vma_prepare(vmf.mm, vmf.task, vmf.vma(), &neighbours);
                return Prepared::Ready(vmf, id);
            }
            let tried = if lacks::<P>(Variant::AnonPrepareTries) {
                Some(vmf.mm.mmap_lock().read())
            } else {
                vmf.mm.mmap_lock().try_read()
            };
            let Some(vmas) = tried else {
                return Prepared::Retry(vmf.retry(Effort::Minor));
            };
            let id = anon_vma_prepare(vmf.mm, vmf.task, vmf.vma(), &vmas.neighbours(vmf.vma()));
            drop(vmas);
            Prepared::Ready(vmf, id)
        },
        |prepared| match prepared {
            Prepared::Ready(_, id) => format!("anon_vma {:#x}", id.0),
            Prepared::Retry(result) => result.words(),
        },
    )
}

/// A VMA like `parent` for the address space of a child, with an `anon_vma` of its own if the parent has one
/// (`vm_area_dup`, `anon_vma_fork`). To take over one that a dead process left behind is not modelled.
pub fn fork_vma<P: Platform>(child: &Mm<P>, task: &Task, parent: &Vma<P>) -> Vma<P> {
    enter::<P>("anon_vma_fork", format_args!("vma={parent:?}")).run(
        || parent.forked(parent.anon_vma().map(|_| Arc::new(AnonVma::new(child, task))), child),
        |child| child.anon_vma().map_or("none".to_owned(), |anon_vma| format!("anon_vma {:#x}", anon_vma.id.0)),
    )
}

/// Links a VMA that had none to a neighbour's `anon_vma` or to a new one, unless another task is faster
/// (`__anon_vma_prepare`). The mmap lock is held.
pub(super) fn anon_vma_prepare<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    vma: &Vma<P>,
    neighbours: &Neighbours<P>,
) -> AnonVmaId {
    enter::<P>("__anon_vma_prepare", format_args!("vma={vma:?}")).run(
        || {
            let shared = find_mergeable_anon_vma(vma, neighbours);
            let mine = shared.unwrap_or_else(|| Arc::new(AnonVma::new(mm, task)));
            let candidate = Arc::clone(&mine);
            let mut linked = mine.root.write();
            let _page_table_lock = mm.page_table_lock().lock();
            // The re-test under page_table_lock (M43): another fault in this VMA may have been first.
            match vma.set_anon_vma(candidate) {
                Err(_mine) if !lacks::<P>(Variant::M43) => {
                    remark::<P>(format_args!("another fault prepared the VMA first; mine is freed"));
                    vma.anon_vma().expect("somebody set it, and it is never unset").id()
                }
                Ok(()) | Err(_) => {
                    linked.push(LinkedVma::of(vma));
                    mine.id
                }
            }
        },
        |id| format!("anon_vma {:#x}", id.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{Generation, Placement, Process, Protection, mmap};
    use crate::phys::{CpuId, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Instruction, Machine, Mode};

    type P = Native<X86_64>;

    #[test]
    fn a_vma_that_goes_leaves_parents_before_their_children() {
        let (task, page) = (Task::new(CpuId::new(0)), VirtAddr::user(0x5000));
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 256, 1)).expect("a little memory");
        let machine = Arc::new(machine);
        let new = || Mm::<P>::new(Arc::clone(&machine), Generation::G2, task.cpu()).expect("a frame for the root");
        let (first, second, third) = (new(), new(), new());
        let rights = Protection::READ | Protection::WRITE;
        mmap(&first, Placement::Fixed(page), 0x1000, rights).expect("an empty address space");
        let _done = Process::new(&first, &task).execute(Mode::User, Instruction::store(page, 1));
        let vmas = first.mmap_lock().read();
        let vma = vmas.iter().next().expect("it is mapped");
        let child = fork_vma(&second, &task, vma);
        let _grandchild = fork_vma(&third, &task, &child);
        let anon_vma = vma.anon_vma().expect("the store prepared it");
        let roots = || anon_vma.root.read().iter().map(|linked| linked.pgd).collect::<Vec<_>>();
        assert_eq!(roots(), [first.pgd(), second.pgd(), third.pgd()]);
        anon_vma.unlink(vma);
        assert_eq!(roots(), [second.pgd(), third.pgd()]);
    }
}
