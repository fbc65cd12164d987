//! `madvise(MADV_HUGEPAGE)` and `madvise(MADV_NOHUGEPAGE)` (`mm/madvise.c`, `madvise_vma_behavior`,
//! `madvise_update_vma`; `mm/khugepaged.c`, `hugepage_madvise`).
//!
//! What is mapped stays as it is: only faults to come are told. A VMA of which only a part is meant is split, and with
//! it a huge page that reaches over the edge. Not modelled: merging the VMA with a neighbour that is alike afterwards,
//! and telling khugepaged.

use thiserror::Error;

use crate::mm::{Generation, HugeAdvice, Mm, VmFlags, Vma, VmaTree};
use crate::phys::CpuId;
use crate::platform::{Platform, enter, remark};
use crate::x86::VirtAddr;

use super::vma_modify::{cuts_hugetlb, vma_modify};

/// Why advice was refused; the name is Linux's errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AdviceError {
    /// The range does not start at a page, or reaches beyond user space.
    #[error("EINVAL: a range must start at a page boundary and lie in user space")]
    Invalid,
    /// Linux 4.4: one of the mappings can have no huge pages. Newer kernels take the advice, and never follow it.
    #[error("EINVAL: Linux 4.4 refuses advice on shared mappings, device memory and hugetlb")]
    NoHugePages,
    /// A part of the range is not mapped; what is mapped took the advice.
    #[error("ENOMEM: not all of the range is mapped")]
    NotMapped,
}

/// Says for `bytes` bytes from `start` whether huge pages are wanted.
///
/// # Errors
/// As Linux: see [`AdviceError`].
pub fn madvise_hugepage<P: Platform>(
    mm: &Mm<P>,
    cpu: CpuId,
    (start, bytes): (VirtAddr, u64),
    advice: HugeAdvice,
) -> Result<(), AdviceError> {
    enter::<P>("hugepage_madvise", format_args!("{start}, {bytes} bytes, {advice:?}")).run(
        || {
            let end = checked_end::<P>(start, bytes).ok_or(AdviceError::Invalid)?;
            if start == end {
                return Ok(());
            }
            let mut vmas = mm.mmap_lock().write();
            let mut at = start;
            let mut result = Ok(());
            while at < end {
                let all = vmas.all();
                let Some(vma) = all.iter().find(|vma| vma.end() > at && vma.start() < end) else {
                    return Err(AdviceError::NotMapped);
                };
                if vma.start() > at {
                    remark::<P>(format_args!("nothing is mapped from {at} on"));
                    result = Err(AdviceError::NotMapped);
                }
                at = vma.end().min(end);
                advise(mm, cpu, &mut vmas, (vma.start().max(start), at), advice)?;
            }
            drop(vmas);
            result
        },
        |result| result.map_or_else(|error| error.to_string(), |()| "0".to_owned()),
    )
}

/// The pages from `start` up to `end` of one VMA (`madvise_update_vma`).
fn advise<P: Platform>(
    mm: &Mm<P>,
    cpu: CpuId,
    vmas: &mut VmaTree<P>,
    (start, end): (VirtAddr, VirtAddr),
    advice: HugeAdvice,
) -> Result<(), AdviceError> {
    let vma = vmas.all().into_iter().find(|vma| vma.contains(start)).expect("it was found");
    if mm.generation() == Generation::G2 && has_no_huge_pages(&vma) {
        return Err(AdviceError::NoHugePages);
    }
    if cuts_hugetlb(&vma, start) || cuts_hugetlb(&vma, end) {
        return Err(AdviceError::Invalid);
    }
    let flags = advised(vma.flags(), advice);
    if flags == vma.flags() {
        remark::<P>(format_args!("{vma:?} has the advice already"));
        return Ok(());
    }
    let vma = vma_modify(mm, cpu, vmas, (start, end));
    vmas.start_write(&vma).set_flags(flags);
    Ok(())
}

fn advised(flags: VmFlags, advice: HugeAdvice) -> VmFlags {
    let others = flags - (VmFlags::HUGEPAGE | VmFlags::NOHUGEPAGE);
    match advice {
        HugeAdvice::None => flags,
        HugeAdvice::Wanted => others | VmFlags::HUGEPAGE,
        HugeAdvice::Unwanted => others | VmFlags::NOHUGEPAGE,
    }
}

/// `VM_NO_THP` of Linux 4.4.
fn has_no_huge_pages<P: Platform>(vma: &Vma<P>) -> bool {
    let special = VmFlags::IO | VmFlags::DONTEXPAND | VmFlags::PFNMAP | VmFlags::MIXEDMAP;
    vma.flags().intersects(special | VmFlags::HUGETLB | VmFlags::SHARED | VmFlags::MAYSHARE)
}

fn checked_end<P: Platform>(start: VirtAddr, bytes: u64) -> Option<VirtAddr> {
    let bytes = bytes.checked_next_multiple_of(P::GEOMETRY.page_size())?;
    let end = start.bytes().checked_add(bytes).filter(|end| *end <= P::GEOMETRY.task_size())?;
    start.is_page_aligned(P::GEOMETRY).then(|| VirtAddr::user(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::exit_mmap;
    use crate::mm::{MapFlags, MapRequest, Placement, Process, Protection, RssKind, Task, do_mmap};
    use crate::phys::{Pfn, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Completion, Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const START: VirtAddr = VirtAddr::user(0x20_0000);
    const HUGE_BYTES: u64 = 0x20_0000;

    /// Four megabytes of anonymous memory, with further flags.
    fn mm(generation: Generation, flags: VmFlags) -> Mm<P> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 4096, 1)).expect("16 megabytes");
        let mm = Mm::new(Arc::new(machine), generation, CPU).expect("a frame for the root table");
        let rights = (Protection::READ | Protection::WRITE).vm_flags();
        mm.mmap_lock().write().insert(Vma::new(START, START.offset(2 * HUGE_BYTES), rights | flags));
        mm
    }

    fn store(mm: &Mm<P>, task: &Task, offset: u64) {
        let completion = Process::new(mm, task).execute(Mode::User, Instruction::store(START.offset(offset), 7));
        assert_eq!(completion, Completion::Done(None));
    }

    #[test]
    fn advice_on_a_half_splits_the_vma_and_faults_follow_it() {
        for generation in Generation::ALL {
            let (mm, task) = (mm(generation, VmFlags::empty()), Task::new(CPU));
            assert_eq!(madvise_hugepage(&mm, CPU, (START, HUGE_BYTES), HugeAdvice::Wanted), Ok(()));
            assert_eq!(mm.mmap_lock().read().iter().count(), 2);
            store(&mm, &task, 0);
            assert_eq!(mm.rss(RssKind::Anon), 512, "{generation}: wanted");
            store(&mm, &task, HUGE_BYTES);
            assert_eq!(mm.rss(RssKind::Anon), 513, "{generation}: nothing was said of this half");
            exit_mmap(&mm, CPU);
        }
    }

    #[test]
    fn unwanted_pages_stay_until_they_go() {
        for generation in Generation::ALL {
            let (mm, task) = (mm(generation, VmFlags::HUGEPAGE), Task::new(CPU));
            store(&mm, &task, 0);
            assert_eq!(madvise_hugepage(&mm, CPU, (START, HUGE_BYTES / 2), HugeAdvice::Unwanted), Ok(()));
            assert_eq!(mm.rss(RssKind::Anon), 512, "{generation}: split, because a VMA ends in the middle, and there");
            store(&mm, &task, HUGE_BYTES);
            assert_eq!(mm.rss(RssKind::Anon), 1024, "{generation}: the other half still wants huge pages");
            exit_mmap(&mm, CPU);
        }
    }

    #[test]
    fn what_linux_refuses_is_refused() {
        let advise = |mm: &Mm<P>, start, bytes| madvise_hugepage(mm, CPU, (start, bytes), HugeAdvice::Wanted);
        let mm_g6 = mm(Generation::G6, VmFlags::empty());
        assert_eq!(advise(&mm_g6, START.offset(1), 4096), Err(AdviceError::Invalid));
        assert_eq!(advise(&mm_g6, START, u64::MAX), Err(AdviceError::Invalid));
        assert_eq!(advise(&mm_g6, START.offset(1 << 30), 0), Ok(()), "nothing is asked");
        assert_eq!(advise(&mm_g6, START, 3 * HUGE_BYTES), Err(AdviceError::NotMapped));
        assert!(
            mm_g6.mmap_lock().read().iter().all(|vma| vma.flags().contains(VmFlags::HUGEPAGE)),
            "as far as it goes"
        );
        for refused in [VmFlags::SHARED, VmFlags::HUGETLB, VmFlags::PFNMAP, VmFlags::MIXEDMAP] {
            let advise = |generation, bytes| advise(&mm(generation, refused), START, bytes);
            assert_eq!(advise(Generation::G2, HUGE_BYTES), Err(AdviceError::NoHugePages), "{refused:?}");
            assert_eq!(advise(Generation::G6, HUGE_BYTES), Ok(()), "{refused:?}");
        }
        let config = PhysConfig { nr_hugepages: 2, ..PhysConfig::linux(Pfn::truncate(0x1000), 4096, 1) };
        let machine = Arc::new(Machine::boot(&config).expect("16 megabytes"));
        let hugetlb = Mm::new(machine, Generation::G6, CPU).expect("a frame for the root table");
        let flags = MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::HUGETLB;
        let rights = Protection::READ | Protection::WRITE;
        let placement = Placement::Fixed(START);
        let request = MapRequest { placement, flags, ..MapRequest::anonymous(2 * HUGE_BYTES, rights) };
        do_mmap(&hugetlb, &request).expect("the pool has two");
        store(&hugetlb, &Task::new(CPU), 0);
        assert_eq!(advise(&hugetlb, START, 4096), Err(AdviceError::Invalid), "a huge page of the pool is not cut");
        exit_mmap(&hugetlb, CPU);
    }
}
