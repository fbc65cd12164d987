//! Forgetting what was written (`fs/proc/task_mmu.c`, `clear_refs_write` with 4): pages lose their soft-dirty marks and
//! the right to be written, so that the next write faults and marks them again.

use crate::mm::{EntryAt, LockedPmd, LockedTable, Mm, Owed, find_pmd, flush_tlb_mm};
use crate::platform::{Platform, Variant, enter, lacks};
use crate::x86::{EntryFlags, VirtAddr};

/// Write-protects what is mapped in the `bytes` bytes from `start`, and clears its soft-dirty marks.
pub fn clear_refs<P: Platform>(mm: &Mm<P>, start: VirtAddr, bytes: u64) {
    enter::<P>("clear_refs_write", format_args!("{start}, {bytes} bytes")).run(
        || {
            let mut vmas = mm.mmap_lock().write();
            let all = vmas.all();
            for vma in all.iter().filter(|vma| vma.start() < start.offset(bytes) && start < vma.end()) {
                vmas.start_write(vma);
            }
            mm.tlb_flush_pending().inc();
            let mut owed = Owed::new(mm);
            for address in (0..bytes).step_by(P::GEOMETRY.page_size() as usize).map(|offset| start.offset(offset)) {
                // Of pages of the hugetlb pool nobody keeps track.
                let skipped = all.iter().any(|vma| vma.contains(address) && vma.is_hugetlb());
                if let Some(pmd) = find_pmd(mm, address).filter(|_| !skipped) {
                    clear_soft_dirty(mm, pmd, address, &mut owed);
                }
            }
            if !lacks::<P>(Variant::ClearRefsFlush) {
                flush_tlb_mm(mm);
            }
            mm.tlb_flush_pending().dec();
            owed.assert_paid("clear_refs_write");
            drop(vmas);
        },
        |()| String::new(),
    );
}

fn clear_soft_dirty<P: Platform>(mm: &Mm<P>, pmd: EntryAt, address: VirtAddr, owed: &mut Owed<'_, P>) {
    if let Some(mut table) = LockedTable::offset_map_lock(mm, pmd) {
        if table.get(address).is_present() {
            let entry = table.clear(address);
            let protected = entry.write_protected().without(EntryFlags::SOFT_DIRTY);
            table.set(address, protected);
            owed.lowered((address, address.offset(P::GEOMETRY.page_size())), protected.flags());
        }
        return;
    }
    let mut pmd = LockedPmd::lock(mm, pmd);
    if pmd.get().is_huge() {
        // Invalidated first, so that the marks that hardware made last are not lost.
        let old = pmd.invalidate();
        pmd.set(old.write_protected().without(EntryFlags::SOFT_DIRTY));
    }
}
