//! The end of an address space (`mm/mmap.c`, `exit_mmap`; `kernel/fork.c`, `check_mm`).

use crate::mm::Mm;
use crate::phys::CpuId;
use crate::platform::{Platform, enter};
use crate::x86::VirtAddr;

use super::free_pgtables::Range;
use super::gather::Gather;
use super::munmap::remove;

/// Takes down everything but the counters, which the caller may then check; the last task has left.
pub fn exit_mmap<P: Platform>(mm: &Mm<P>, cpu: CpuId) {
    enter::<P>("exit_mmap", format_args!("")).run(
        || {
            let mut vmas = mm.mmap_lock().write();
            let all = vmas.detach(VirtAddr::ZERO, VirtAddr::user(P::GEOMETRY.task_size()));
            let everything = Range { start: 0, end: u64::MAX };
            if let (Some(first), Some(last)) = (all.first(), all.last()) {
                remove(mm, Gather::fullmm(mm, cpu), &all, Range::from((first.start(), last.end())), everything);
            }
            all.into_iter().for_each(|vma| vmas.free(vma));
            drop(vmas);
            mm.memory().drain_lru_batches(cpu);
            mm.free_pgd(cpu);
        },
        |()| String::new(),
    );
}
