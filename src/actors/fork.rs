//! `fork`, as far as memory is concerned (`kernel/fork.c`, `dup_mmap`; `mm/memory.c`, `copy_page_range`).
//!
//! # Invariants
//! - I1 (M61). Every VMA of the parent is locked for writing before its entries are copied, so no fault that holds a
//!   VMA's lock sees the parent half write-protected.
//! - I2 (D29). A page ceases to be exclusive before its entries are write-protected, and GUP-fast is fenced off
//!   meanwhile.
//! - I3 (D40). The parent's entry is write-protected by an update that keeps what hardware marks in it.
//! - I4 (M62, D38). Every CPU has forgotten the parent's writable entries before the mmap lock is released: a store
//!   that is under way lands before the child runs, or faults.
//!
//! # Lock order
//! The parent's mmap lock, the child's; the child's table, the parent's. Nobody else knows the child yet.
//!
//! Not modelled: pages that somebody has pinned, which the child must get as copies at once, since nobody pins pages
//! here; swap entries; dropping the table locks from time to time.

use crate::mm::{
    CopiedHuge, CowReuse, EntryAt, LockedTable, Mm, Owed, RssKind, Task, VmFlags, Vma, copy_huge_pmd,
    copy_hugetlb_page_range, dup_anon_rmap, find_pmd, flush_tlb_mm, folio_add_file_rmap, fork_vma, pmd_of,
    pmdp_get_lockless, pte_alloc, under_migration,
};
use crate::phys::OutOfMemory;
use crate::platform::{Platform, Variant, enter, lacks, remark};
use crate::x86::{EntryFlags, PmdState, PteVal, VirtAddr, make_readable_migration_entry};

/// Makes `child`, an empty address space, a copy of `parent`: their private pages are shared until one of them writes.
///
/// # Errors
/// If there is no frame for a table of the child, which then has a part of the parent's memory and is good for nothing
/// but `exit_mmap`.
pub fn fork<P: Platform>(parent: &Mm<P>, child: &Mm<P>, task: &Task) -> Result<(), OutOfMemory> {
    enter::<P>("dup_mmap", format_args!("")).run(
        || {
            let mut vmas = parent.mmap_lock().write();
            let mut childs_vmas = child.mmap_lock().write_nested();
            let result = vmas.all().iter().try_for_each(|vma| {
                if !lacks::<P>(Variant::M61) {
                    vmas.start_write(vma);
                }
                if vma.flags().contains(VmFlags::DONTCOPY) {
                    return Ok(());
                }
                let copy = fork_vma(child, task, vma);
                // The child's VMA is looked for by nobody yet: Linux, too, inserts it before it copies the entries.
                let start = copy.start();
                childs_vmas.insert(copy);
                let copy = childs_vmas.iter().find(|vma| vma.start() == start).expect("it was just inserted");
                copy_page_range((parent, child), task, (vma, copy))
            });
            drop(childs_vmas);
            let mut owed = Owed::new(parent);
            let is_shared_now = |vma: &&Vma<P>| vma.is_cow() && !vma.flags().contains(VmFlags::DONTCOPY);
            vmas.iter().filter(is_shared_now).for_each(|vma| owed.writes((vma.start(), vma.end())));
            if !lacks::<P>(Variant::M62) {
                flush_tlb_mm(parent);
            }
            owed.assert_paid("fork");
            drop(vmas);
            result
        },
        |result| result.map_or("-ENOMEM".to_owned(), |()| "0".to_owned()),
    )
}

/// Copies the entries of a VMA. One without an `anon_vma` has no pages of its own: the child's faults find what is
/// there (`vma_needs_copy`).
fn copy_page_range<P: Platform>(
    (parent, child): (&Mm<P>, &Mm<P>),
    task: &Task,
    (vma, copy): (&Vma<P>, &Vma<P>),
) -> Result<(), OutOfMemory> {
    if vma.anon_vma().is_none() || vma.flags().contains(VmFlags::WIPEONFORK) {
        return Ok(());
    }
    enter::<P>("copy_page_range", format_args!("vma={vma:?}")).run(
        || match parent.generation().cow_reuse() {
            CowReuse::MapCount => copy_entries((parent, child), task, (vma, copy)),
            CowReuse::AnonExclusive => parent.write_protecting(|| copy_entries((parent, child), task, (vma, copy))),
        },
        |result| result.map_or("-ENOMEM".to_owned(), |()| "0".to_owned()),
    )
}

fn copy_entries<P: Platform>(
    (parent, child): (&Mm<P>, &Mm<P>),
    task: &Task,
    (vma, copy): (&Vma<P>, &Vma<P>),
) -> Result<(), OutOfMemory> {
    if vma.is_hugetlb() {
        return copy_hugetlb_page_range((parent, child), task, (vma, copy));
    }
    copy_tables(parent, child, task, vma)
}

fn copy_tables<P: Platform>(parent: &Mm<P>, child: &Mm<P>, task: &Task, vma: &Vma<P>) -> Result<(), OutOfMemory> {
    let span = P::GEOMETRY.huge_page_size();
    let mut at = vma.start();
    while at < vma.end() {
        let next = at.aligned_after(span).min(vma.end());
        if let Some(pmd) = find_pmd(parent, at) {
            copy_pmd(&Copying { parent, child, vma }, task, pmd, (at, next))?;
        }
        at = next;
    }
    Ok(())
}

/// What one PMD entry translates: a huge page, whole, since none reaches over an edge of a VMA, or a table of small
/// ones.
fn copy_pmd<P: Platform>(
    copying: &Copying<'_, P>,
    task: &Task,
    pmd: EntryAt,
    (at, next): (VirtAddr, VirtAddr),
) -> Result<(), OutOfMemory> {
    let Copying { parent, child, vma } = copying;
    let is_table = || matches!(pmdp_get_lockless(parent, pmd).state(), PmdState::Table(_));
    if matches!(pmdp_get_lockless(parent, pmd).state(), PmdState::Huge(_) | PmdState::NotATable) {
        let childs = pmd_of(child, task, at)?;
        match copy_huge_pmd((parent, child), task, vma, (pmd, childs))? {
            CopiedHuge::Done => return Ok(()),
            CopiedHuge::NotHuge => remark::<P>(format_args!("it was split meanwhile: its table is copied")),
        }
    }
    if is_table() {
        let childs = pmd_of(child, task, at)?;
        pte_alloc(child, task, childs)?;
        copy_pte_range(copying, (pmd, childs), at, next);
    }
    Ok(())
}

/// A VMA whose entries are being copied.
struct Copying<'m, P: Platform> {
    parent: &'m Mm<P>,
    child: &'m Mm<P>,
    vma: &'m Vma<P>,
}

fn copy_pte_range<P: Platform>(
    copying: &Copying<'_, P>,
    (pmd, childs): (EntryAt, EntryAt),
    start: VirtAddr,
    end: VirtAddr,
) {
    let Some(mut to) = LockedTable::offset_map_lock(copying.child, childs) else { return };
    let Some(mut from) = LockedTable::offset_map_lock_nested(copying.parent, pmd) else { return };
    let pages = (start.bytes()..end.bytes()).step_by(P::GEOMETRY.page_size() as usize).map(VirtAddr::user);
    for address in pages {
        let entry = from.get(address);
        if entry.is_present() {
            copy_present_pte(copying, address, entry, (&mut from, &mut to));
        } else if !entry.is_none() {
            copy_nonpresent_pte(copying, address, entry, (&mut from, &mut to));
        }
    }
}

fn copy_present_pte<P: Platform>(
    Copying { parent, vma, .. }: &Copying<'_, P>,
    address: VirtAddr,
    entry: PteVal,
    (from, to): (&mut LockedTable<'_, P>, &mut LockedTable<'_, P>),
) {
    if !entry.is_special() {
        let folio = parent.memory().page(parent.memory().folio_of(entry.pfn()));
        folio.get();
        let kind = RssKind::of(folio.mapping());
        match kind {
            RssKind::Anon => dup_anon_rmap(parent, entry.pfn()),
            RssKind::File | RssKind::Shmem => folio_add_file_rmap(parent, entry.pfn()),
        }
        to.count_rss(kind, 1);
    }
    let mut copy = entry;
    if vma.is_cow() && entry.is_writable() {
        from.set_wrprotect(address);
        copy = entry.write_protected();
    }
    if vma.flags().contains(VmFlags::SHARED) {
        // Through this entry nobody has written yet.
        copy = copy.without(EntryFlags::DIRTY | EntryFlags::SAVED_DIRTY);
    }
    to.set(address, copy.without(EntryFlags::ACCESSED));
}

/// An entry under migration counts as a page of the child, too, and will come back shared (`copy_nonpresent_pte`). No
/// fork here meets one: whoever moves a page holds the mmap lock to the end.
fn copy_nonpresent_pte<P: Platform>(
    Copying { parent, vma, .. }: &Copying<'_, P>,
    address: VirtAddr,
    entry: PteVal,
    (from, to): (&mut LockedTable<'_, P>, &mut LockedTable<'_, P>),
) {
    let Some(moving) = under_migration(entry) else { panic!("{entry:?}: no actor swaps pages") };
    remark::<P>(format_args!("the page is under migration"));
    let readable = if vma.is_cow() { make_readable_migration_entry(entry) } else { entry };
    from.set(address, readable);
    to.set(address, readable);
    let page = parent.memory().page(parent.memory().folio_of(moving));
    to.count_rss(RssKind::of(page.mapping()), 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::exit_mmap;
    use crate::mm::{Generation, Placement, Process, Protection, mmap};
    use crate::phys::{CpuId, Pfn, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Completion, Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const PAGE: VirtAddr = VirtAddr::user(0x5000);

    fn family(generation: Generation) -> (Mm<P>, Mm<P>, Task) {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 256, 1)).expect("a little memory");
        let machine = Arc::new(machine);
        let mm = || Mm::new(Arc::clone(&machine), generation, CPU).expect("a frame for the root table");
        let (parent, child) = (mm(), mm());
        let rights = Protection::READ | Protection::WRITE;
        mmap(&parent, Placement::Fixed(PAGE), 0x2000, rights).expect("an empty address space");
        (parent, child, Task::new(CPU))
    }

    fn store(mm: &Mm<P>, task: &Task, value: u64) {
        let completion = Process::new(mm, task).execute(Mode::User, Instruction::store(PAGE, value));
        assert_eq!(completion, Completion::Done(None));
    }

    fn load(mm: &Mm<P>, task: &Task) -> u64 {
        match Process::new(mm, task).execute(Mode::User, Instruction::Load(PAGE)) {
            Completion::Done(Some(value)) => value,
            ended @ (Completion::Done(None) | Completion::Ended(_)) => panic!("a load ended with {ended:?}"),
        }
    }

    fn entry(mm: &Mm<P>) -> PteVal {
        let pmd = find_pmd(mm, PAGE).expect("there are tables");
        LockedTable::offset_map_lock(mm, pmd).expect("there is a table").get(PAGE)
    }

    #[test]
    fn both_share_the_page_read_only_until_one_writes() {
        for generation in Generation::ALL {
            let (parent, child, task) = family(generation);
            store(&parent, &task, 9);
            fork(&parent, &child, &task).expect("there is memory");
            let (parents, childs) = (entry(&parent), entry(&child));
            assert_eq!(parents.bits() & 0xfff, 0x825, "written, not writable, soft-dirty");
            assert_eq!(childs.bits() & 0xfff, 0x805, "the same, and old");
            assert_eq!(parents.pfn(), childs.pfn());
            assert_eq!(parent.memory().page(parents.pfn()).mapcount(), 2);
            store(&child, &task, 1);
            assert_eq!((load(&parent, &task), load(&child, &task)), (9, 1));
            parent.memory().drain_lru_batches(CPU);
            let before = entry(&parent).pfn();
            store(&parent, &task, 2);
            assert_eq!((load(&parent, &task), load(&child, &task)), (2, 1));
            assert_eq!(entry(&parent).pfn(), before, "the last one keeps the page");
            exit_mmap(&child, CPU);
            exit_mmap(&parent, CPU);
            assert_eq!((parent.rss_anon_pages(), child.rss_anon_pages()), (0, 0));
        }
    }

    #[test]
    fn what_was_never_written_is_not_copied() {
        let (parent, child, task) = family(Generation::G6);
        assert_eq!(load(&parent, &task), 0);
        fork(&parent, &child, &task).expect("there is memory");
        assert_eq!(child.pgtables_bytes(), 0);
        assert_eq!(load(&child, &task), 0);
        exit_mmap(&child, CPU);
        exit_mmap(&parent, CPU);
    }
}
