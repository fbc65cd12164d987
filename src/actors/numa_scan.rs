//! The scanner that asks which node uses a page (`kernel/sched/fair.c`, `task_numa_work`; `mm/mprotect.c`,
//! `change_prot_numa`, `change_pte_range`).
//!
//! It holds the mmap lock for reading, so faults go on meanwhile.
//!
//! # Invariants
//! - I1 (D40). An entry is exchanged, not overwritten, so no mark of hardware's is lost.
//! - I2 (D35). Every CPU has forgotten the old entries before the scanner goes on.

use crate::mm::{CowReuse, EntryAt, LockedPmd, LockedTable, Mm, Vma, find_pmd, pmd_trans_huge_lock};
use crate::phys::CpuId;
use crate::platform::{Platform, Variant, enter, lacks, remark};
use crate::x86::{EntryFlags, PmdVal, PteVal, VirtAddr};

use super::gather::Gather;

/// Takes the rights away from the entries of `bytes` bytes from `start`, as far as it makes sense to ask: pages of the
/// hugetlb pool are not moved.
pub fn change_prot_numa<P: Platform>(mm: &Mm<P>, cpu: CpuId, start: VirtAddr, bytes: u64) {
    enter::<P>("change_prot_numa", format_args!("{start}, {bytes} bytes")).run(
        || {
            let vmas = mm.mmap_lock().read();
            let pages = (0..bytes).step_by(P::GEOMETRY.page_size() as usize).map(|offset| start.offset(offset));
            let mut gather = Gather::new(mm, cpu);
            let mut marked = 0;
            for address in pages {
                let is_asked = |vma: &&Vma<P>| vma.contains(address) && vma.is_accessible() && !vma.is_hugetlb();
                if let Some(vma) = vmas.iter().find(is_asked) {
                    marked += u32::from(mark(mm, vma, address, &mut gather));
                }
            }
            gather.finish();
            drop(vmas);
            marked
        },
        |marked| format!("{marked} entries"),
    );
}

fn mark<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, address: VirtAddr, gather: &mut Gather<'_, P>) -> bool {
    let Some(pmd) = find_pmd(mm, address) else { return false };
    let Some(mut table) = LockedTable::offset_map_lock(mm, pmd) else { return mark_huge(mm, vma, pmd, gather) };
    let entry = table.get(address);
    if !is_worth_asking(mm, vma, entry) {
        remark::<P>(format_args!("PTE = {entry} is left alone"));
        return false;
    }
    table.mark_prot_none(address, mm.generation().cow_reuse());
    gather.cleared((address, address.offset(P::GEOMETRY.page_size())));
    true
}

/// A huge entry is never empty meanwhile (D48), so it is exchanged, too (`change_huge_pmd`). In Linux 4.4 one that is
/// being split is left to who splits it.
fn mark_huge<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, at: EntryAt, gather: &mut Gather<'_, P>) -> bool {
    let in_any_state = lacks::<P>(Variant::NumaSplitting44);
    let locked = if in_any_state { Some(LockedPmd::lock(mm, at)) } else { pmd_trans_huge_lock(mm, vma, at) };
    let Some(mut pmd) = locked else { return false };
    let old = pmd.get();
    let is_zero = mm.machine().huge_zero().get() == Some(old.pfn());
    if !old.is_huge() || old.is_prot_none() || is_zero {
        remark::<P>(format_args!("PMD = {old} is left alone"));
        return false;
    }
    // `pmdp_invalidate_ad`: on x86 hardware marks nothing in an entry without P, and the flush may come at the end.
    let invalidated = pmd.get().invalidated();
    let old = pmd.exchange(if lacks::<P>(Variant::NumaInvalidate) { PmdVal::from_bits(0) } else { invalidated });
    assert!(!P::CHECKED || !pmd.get().is_none(), "D48: an entry that is being marked reads as none");
    let rights = EntryFlags::PROT_NONE | EntryFlags::ACCESSED;
    let kept = match mm.generation().cow_reuse() {
        CowReuse::MapCount => old.flags() & EntryFlags::WRITABLE,
        CowReuse::AnonExclusive => EntryFlags::empty(),
    };
    pmd.set(old.modified(rights | kept));
    gather.cleared(at.range::<P>());
    true
}

/// The zero page is everybody's, an entry that is marked already asks, and moving a page that several processes use
/// would help one of them only. (Pinned pages, KSM's and dirty ones of files are left alone, too; there are none.)
fn is_worth_asking<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, entry: PteVal) -> bool {
    if !entry.is_present() || entry.is_prot_none() || entry.is_special() {
        return false;
    }
    match mm.generation().cow_reuse() {
        // 4.4 marks shared pages, too.
        CowReuse::MapCount => true,
        CowReuse::AnonExclusive => !vma.is_cow() || mm.memory().page(entry.pfn()).mapcount() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::{exit_mmap, migrate};
    use crate::mm::{Generation, Migrated, Placement, Process, Protection, Task, mmap};
    use crate::phys::{Pfn, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Completion, Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const PAGE: VirtAddr = VirtAddr::user(0x5000);

    /// An address space with a page that holds 9.
    fn written(generation: Generation) -> (Mm<P>, Task) {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 256, 1)).expect("a little memory");
        let (mm, task) = (Mm::new(Arc::new(machine), generation, CPU).expect("a frame"), Task::new(CPU));
        mmap(&mm, Placement::Fixed(PAGE), 0x1000, Protection::READ | Protection::WRITE)
            .expect("an empty address space");
        assert_eq!(execute(&mm, &task, Instruction::store(PAGE, 9)), None);
        mm.memory().drain_lru_batches(CPU);
        (mm, task)
    }

    fn execute(mm: &Mm<P>, task: &Task, instruction: Instruction) -> Option<u64> {
        match Process::new(mm, task).execute(Mode::User, instruction) {
            Completion::Done(value) => value,
            Completion::Ended(ending) => panic!("{instruction} ended with {ending}"),
        }
    }

    fn entry(mm: &Mm<P>) -> PteVal {
        let pmd = find_pmd(mm, PAGE).expect("there are tables");
        LockedTable::offset_map_lock(mm, pmd).expect("there is a table").get(PAGE)
    }

    #[test]
    fn a_marked_page_faults_once_and_comes_back_as_it_was() {
        for generation in Generation::ALL {
            let (mm, task) = written(generation);
            let before = entry(&mm);
            change_prot_numa(&mm, CPU, PAGE, 0x1000);
            assert!(entry(&mm).is_prot_none() && entry(&mm).pfn() == before.pfn(), "{:?}", entry(&mm));
            let faults = task.counts().pgfault;
            assert_eq!(execute(&mm, &task, Instruction::Load(PAGE)), Some(9));
            // The page may have been found on the wrong node, and moved.
            assert_eq!((entry(&mm).flags(), task.counts().pgfault), (before.flags(), faults + 1));
            exit_mmap(&mm, CPU);
        }
    }

    #[test]
    fn a_page_that_moves_keeps_its_contents_and_its_rights() {
        for generation in Generation::ALL {
            let (mm, task) = written(generation);
            let before = entry(&mm);
            assert_eq!(migrate(&mm, &task, PAGE), Migrated::Moved);
            assert_ne!(entry(&mm).pfn(), before.pfn());
            assert_eq!(entry(&mm).flags(), before.flags());
            assert_eq!(execute(&mm, &task, Instruction::Load(PAGE)), Some(9));
            exit_mmap(&mm, CPU);
            assert_eq!(mm.rss_anon_pages(), 0);
        }
    }
}
