//! Getting a user's page for the kernel itself, which keeps it by a reference (`mm/gup.c`, `__get_user_pages`).
//!
//! ```text
//!   mmap lock, VMA ──> check_vma_flags
//!                           │
//!                           v
//!          ┌───────> follow_page_mask ──── a page that will do ──> a reference to it
//!          │                │ none
//!          │                v
//!          └───────── faultin_page ─────── RETRY: from the start
//! ```
//!
//! # Invariants
//! - I1 (D14). The reference is taken under the lock of the entry that shows the page. The entry may go then; the page
//!   stays.
//! - I2 (D37). Who asks for a page to write to asks for that until the end: what a fault has made may have been
//!   discarded when the entry is looked at again, and the next fault must not be a read.
//! - I3 (D32). `FOLL_FORCE` makes a private copy of what may not be written, and no entry writable.
//!
//! Not modelled: pins (`FOLL_PIN`, by which a fork copies at once what somebody may write to); GUP-fast, which takes no
//! lock; pages of the hugetlb pool and the huge zero page; stacks, which grow for 4.4's GUP and for a debugger; the
//! marks that the page gets when it is had (`FOLL_TOUCH`); that 4.4.26 takes no copy in a huge page for a forced
//! write, and faults again and again.

use bitflags::bitflags;
use thiserror::Error;

use crate::phys::{CpuId, Mapping, Pfn, PhysMem};
use crate::platform::{Platform, Variant, enter, lacks, remark};
use crate::x86::{EntryFlags, PmdState, PteVal, VirtAddr};

use super::entry_at::EntryAt;
use super::fault_flags::FaultFlags;
use super::fault_lock::FaultLock;
use super::generation::{CowReuse, Generation};
use super::handle_mm_fault::handle_mm_fault;
use super::huge_memory::pmd_trans_huge_lock;
use super::mm_struct::Mm;
use super::pte_table::{LockedTable, pmdp_get_lockless};
use super::task::{Signal, Task};
use super::vm_flags::VmFlags;
use super::vma::Vma;
use super::vmf::{FaultError, VmFault};
use super::walk::find_pmd;
use super::wp_page::vm_normal_page;

bitflags! {
    /// What a page is wanted for (`FOLL_*`); the bits are Linux 6.12's.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct GupFlags: u32 {
        /// To write to it.
        const WRITE = 1;
        /// Whatever rights the VMA gives, as long as it may be given them (a debugger).
        const FORCE = 1 << 3;
        /// On behalf of another task: protection keys are not asked.
        const REMOTE = 1 << 17;
        /// A fault may drop the mmap lock.
        const UNLOCKABLE = 1 << 22;
        /// 4.4: a fault has made the private copy that was asked for.
        const COW = 0x4000;
    }
}

/// Why there is no page; the name is Linux's errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GupError {
    /// Nothing is mapped there, or not with these rights.
    #[error("EFAULT: nothing is mapped there with the rights that were asked for")]
    Fault,
    /// There is no memory.
    #[error("ENOMEM: there is no memory for the page")]
    OutOfMemory,
    /// The task was killed.
    #[error("EINTR: the task was killed")]
    Killed,
    /// The page is of a kind that is not modelled here: of the hugetlb pool, or the huge zero page.
    #[error("NOT-MODELLED: a reference to a page of the hugetlb pool, or to the huge zero page")]
    NotModelled,
}

/// A reference to a page, which is not freed as long as there is one.
#[derive(Debug)]
#[must_use = "a page whose reference is lost is never freed"]
pub struct UserPage {
    pfn: Pfn,
    found: u64,
}

impl UserPage {
    /// The frame.
    pub fn pfn(&self) -> Pfn {
        self.pfn
    }

    /// Ghost: when an entry showed the page, as [`crate::x86::Machine::tick`] counts.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Gives the reference back (`put_page`).
    pub fn put<P: Platform>(self, memory: &PhysMem<P>, cpu: CpuId) {
        memory.put_page(cpu, self.pfn);
    }
}

/// Gets the page of an address, faulting it in if it has to (`get_user_pages_unlocked` of one page).
///
/// # Errors
/// As Linux: see [`GupError`].
pub fn get_user_page<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    address: VirtAddr,
    flags: GupFlags,
) -> Result<UserPage, GupError> {
    get_user_page_locked(mm, task, address, flags).map(|(page, _)| page)
}

/// The same, and the mmap lock is still held (`get_user_page_vma_remote`).
///
/// # Errors
/// As Linux: see [`GupError`].
pub fn get_user_page_locked<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    address: VirtAddr,
    flags: GupFlags,
) -> Result<(UserPage, FaultLock<'m, P>), GupError> {
    enter::<P>("__get_user_pages", format_args!("address={address}, flags={}", words(flags))).run(
        || {
            let mut request = Request { mm, task, address, flags, tried: FaultFlags::empty() };
            loop {
                if let Some(found) = request.under_mmap_lock()? {
                    return Ok(found);
                }
                remark::<P>(format_args!("the mmap lock was dropped: from the start"));
            }
        },
        |result| result.as_ref().map_or_else(|error| format!("-{error:?}"), |(page, _)| format!("page {}", page.pfn)),
    )
}

fn words(flags: GupFlags) -> String {
    flags.iter_names().map(|(name, _)| name).collect::<Vec<_>>().join("|")
}

/// A page that is wanted.
struct Request<'m, P: Platform> {
    mm: &'m Mm<P>,
    task: &'m Task,
    address: VirtAddr,
    flags: GupFlags,
    /// `TRIED`, once a fault has given up the lock.
    tried: FaultFlags,
}

impl<'m, P: Platform> Request<'m, P> {
    /// Looks and faults until there is the page; nothing if a fault gave up the lock.
    fn under_mmap_lock(&mut self) -> Result<Option<(UserPage, FaultLock<'m, P>)>, GupError> {
        let vmas = self.mm.mmap_lock().read();
        let vma = vmas.find(self.address).filter(|vma| vmas.vma(*vma).start() <= self.address);
        let mut lock = FaultLock::of_mmap(vmas, vma.ok_or(GupError::Fault)?, self.task);
        self.check_vma_flags(lock.vma())?;
        loop {
            if self.task.pending_signal::<P>() == Some(Signal::Fatal) {
                return Err(GupError::Killed);
            }
            if let Some(page) = self.follow_page_mask(lock.vma())? {
                return Ok(Some((page, lock)));
            }
            match self.faultin_page(lock)? {
                Some(kept) => lock = kept.go_on(),
                None => return Ok(None),
            }
        }
    }

    /// Whether the VMA may be accessed like that at all.
    fn check_vma_flags(&self, vma: &Vma<P>) -> Result<(), GupError> {
        let (has, forced) = (|flag| vma.flags().contains(flag), self.flags.contains(GupFlags::FORCE));
        let allowed = if self.flags.contains(GupFlags::WRITE) {
            has(VmFlags::WRITE) || forced && vma.is_cow()
        } else {
            has(VmFlags::READ) || forced && has(VmFlags::MAYREAD)
        };
        match (allowed && !vma.flags().intersects(VmFlags::IO | VmFlags::PFNMAP), vma.is_hugetlb()) {
            (false, _) => Err(GupError::Fault),
            (true, true) => Err(GupError::NotModelled),
            (true, false) => Ok(()),
        }
    }

    /// The page that the tables show, if it will do. Each entry is read once.
    fn follow_page_mask(&self, vma: &Vma<P>) -> Result<Option<UserPage>, GupError> {
        let Some(pmd) = find_pmd(self.mm, self.address) else { return Ok(None) };
        match pmdp_get_lockless(self.mm, pmd).state() {
            PmdState::None | PmdState::NotATable => Ok(None),
            PmdState::Huge(_) => self.follow_huge_pmd(vma, pmd),
            PmdState::Table(_) => self.follow_page_pte(vma, pmd),
        }
    }

    fn follow_page_pte(&self, vma: &Vma<P>, pmd: EntryAt) -> Result<Option<UserPage>, GupError> {
        enter::<P>("follow_page_pte", format_args!("address={}, pmd={pmd}", self.address)).run(
            || {
                let Some(table) = LockedTable::offset_map_lock(self.mm, pmd) else { return Ok(None) };
                let entry = table.get(self.address);
                if !entry.is_present() || !self.can_follow_protnone(entry) {
                    return Ok(None);
                }
                let page = vm_normal_page(entry);
                if self.flags.contains(GupFlags::WRITE) && !self.can_follow_write(vma, entry, page) {
                    return Ok(None);
                }
                let is_counted = page.is_some() || entry.pfn() == self.mm.machine().zero_page();
                if is_counted { Ok(Some(self.grab(entry.pfn()))) } else { Err(GupError::Fault) }
            },
            tell_page,
        )
    }

    fn follow_huge_pmd(&self, vma: &Vma<P>, at: EntryAt) -> Result<Option<UserPage>, GupError> {
        enter::<P>("follow_huge_pmd", format_args!("address={}, pmd={at}", self.address)).run(
            || {
                let Some(pmd) = pmd_trans_huge_lock(self.mm, vma, at) else { return Ok(None) };
                let PmdState::Huge(head) = pmd.get().state() else { return Ok(None) };
                let entry = pmd.get().as_pte();
                if !self.can_follow_protnone(entry) {
                    return Ok(None);
                }
                let is_zero = self.mm.machine().huge_zero().get() == Some(head);
                let page = (!is_zero).then_some(head);
                if self.flags.contains(GupFlags::WRITE) && !self.can_follow_write(vma, entry, page) {
                    return Ok(None);
                }
                let tail = (self.address.bytes() - at.address.bytes()) / P::GEOMETRY.page_size();
                if is_zero {
                    Err(GupError::NotModelled)
                } else {
                    Ok(Some(self.grab(Pfn::truncate(head.number() + tail))))
                }
            },
            tell_page,
        )
    }

    /// Whether the NUMA scanner's mark is to be faulted away first: 4.4 does that, except for a debugger
    /// (`FOLL_NUMA`); newer kernels do it for hypervisors alone (`gup_can_follow_protnone`).
    fn can_follow_protnone(&self, entry: PteVal) -> bool {
        let faults = self.mm.generation() == Generation::G2 && !self.flags.contains(GupFlags::FORCE);
        !(entry.is_prot_none() && faults)
    }

    /// Whether the page may be written to, though perhaps not through the entry (`can_follow_write_pte`): a forced
    /// write needs a copy that is this process's own, and goes through a fault if somebody wants to hear of it
    /// (`pte_needs_soft_dirty_wp`).
    fn can_follow_write(&self, vma: &Vma<P>, entry: PteVal, page: Option<Pfn>) -> bool {
        if entry.is_writable() {
            return true;
        }
        let flags = vma.flags();
        let forced = self.flags.contains(GupFlags::FORCE) && vma.is_cow() && !flags.contains(VmFlags::WRITE);
        forced
            && match self.mm.generation().cow_reuse() {
                // As it is since 4.9; 4.4.26 has it, too.
                CowReuse::MapCount => self.flags.contains(GupFlags::COW) && entry.is_dirty(),
                CowReuse::AnonExclusive => page.is_some_and(|page| {
                    let memory = self.mm.memory();
                    let is_anon = matches!(memory.page(memory.folio_of(page)).mapping(), Mapping::Anon(_));
                    let is_marked = entry.flags().contains(EntryFlags::SOFT_DIRTY);
                    is_anon && memory.page(page).is_anon_exclusive() && is_marked
                }),
            }
    }

    /// I1. The entry's lock is held.
    fn grab(&self, page: Pfn) -> UserPage {
        let memory = self.mm.memory();
        memory.page(memory.folio_of(page)).get();
        remark::<P>(format_args!("a reference to page {page}"));
        UserPage { pfn: page, found: self.mm.machine().tick() }
    }

    /// Faults the page in; the lock, if it is still held.
    fn faultin_page(&mut self, lock: FaultLock<'m, P>) -> Result<Option<FaultLock<'m, P>>, GupError> {
        enter::<P>("faultin_page", format_args!("address={}, flags={}", self.address, words(self.flags))).run(
            || match handle_mm_fault(self.mm, self.task, lock, self.address, self.fault_flags()) {
                VmFault::Handled(lock, _) | VmFault::NoPage(lock, _) => {
                    self.note_copy(lock.vma());
                    Ok(Some(lock))
                }
                VmFault::Completed(_) | VmFault::Retry(_) => {
                    self.tried = FaultFlags::TRIED;
                    Ok(None)
                }
                VmFault::Failed(_, FaultError::Oom) => Err(GupError::OutOfMemory),
                VmFault::Failed(_, FaultError::Sigbus | FaultError::Sigsegv | FaultError::HwPoison { .. }) => {
                    Err(GupError::Fault)
                }
            },
            |result| match result {
                Ok(Some(_)) => "0".to_owned(),
                Ok(None) => "-EAGAIN".to_owned(),
                Err(error) => format!("-{error:?}"),
            },
        )
    }

    fn fault_flags(&self) -> FaultFlags {
        let mut flags = self.tried;
        flags.set(FaultFlags::WRITE, self.flags.contains(GupFlags::WRITE));
        flags.set(FaultFlags::REMOTE, self.flags.contains(GupFlags::REMOTE));
        flags.set(FaultFlags::ALLOW_RETRY | FaultFlags::KILLABLE, self.flags.contains(GupFlags::UNLOCKABLE));
        flags
    }

    /// A forced write has its copy now, for the moment. 4.4 notes it; without its fix it took the page for a read from
    /// here on (I2). Linux does so after the fault on a write-protected page that often comes next (`VM_FAULT_WRITE`);
    /// here any fault counts that was handled.
    fn note_copy(&mut self, vma: &Vma<P>) {
        if !self.flags.contains(GupFlags::WRITE) || vma.flags().contains(VmFlags::WRITE) {
            return;
        }
        if lacks::<P>(Variant::B01) {
            self.flags.remove(GupFlags::WRITE);
        } else if self.mm.generation().cow_reuse() == CowReuse::MapCount {
            self.flags.insert(GupFlags::COW);
        }
    }
}

fn tell_page(result: &Result<Option<UserPage>, GupError>) -> String {
    match result {
        Ok(Some(page)) => format!("page {}", page.pfn),
        Ok(None) => "NULL".to_owned(),
        Err(error) => format!("-{error:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{MapFlags, MapRequest, Placement, Protection, Signals, do_mmap, mmap};
    use crate::phys::PhysConfig;
    use crate::platform::{Arc, Native, Ordering, X86_64};
    use crate::x86::Machine;

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const READ: VirtAddr = VirtAddr::user(0x1000);
    const WRITE: VirtAddr = VirtAddr::user(0x3000);
    const SHARED: VirtAddr = VirtAddr::user(0x5000);
    const POOL: VirtAddr = VirtAddr::user(0x20_0000);
    const UNMAPPED: VirtAddr = VirtAddr::user(0x9000);
    const FORCED: GupFlags = GupFlags::WRITE.union(GupFlags::FORCE);

    /// An address space with a page of each kind.
    fn mm(generation: Generation, frames: usize) -> Mm<P> {
        let config = PhysConfig { nr_hugepages: 1, ..PhysConfig::linux(Pfn::truncate(0x1000), frames, 1) };
        let machine = Arc::new(Machine::boot(&config).expect("a little memory"));
        let mm = Mm::new(machine, generation, CPU).expect("a frame for the root table");
        let rights = Protection::READ | Protection::WRITE;
        for (at, rights) in [(READ, Protection::READ), (WRITE, rights)] {
            mmap(&mm, Placement::Fixed(at), 0x1000, rights).expect("an empty address space");
        }
        for (at, flags, bytes) in [
            (SHARED, MapFlags::SHARED | MapFlags::ANONYMOUS, 0x1000),
            (POOL, MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::HUGETLB, 0x20_0000),
        ] {
            let rights = if at == SHARED { Protection::READ } else { rights };
            let request = MapRequest { placement: Placement::Fixed(at), flags, ..MapRequest::anonymous(bytes, rights) };
            do_mmap(&mm, &request).expect("room, and a huge page in the pool");
        }
        mm
    }

    fn got(mm: &Mm<P>, address: VirtAddr, flags: GupFlags) -> Result<u64, GupError> {
        let task = Task::new(CPU);
        let page = get_user_page(mm, &task, address, flags)?;
        let counts = task.counts();
        assert_eq!((counts.locks_taken, counts.locks_released), (1, 1));
        // ORDER none: one thread.
        let word = mm.memory().word(page.pfn(), 0).load(Ordering::Relaxed);
        page.put(mm.memory(), CPU);
        Ok(word)
    }

    #[test]
    fn a_page_is_had_with_the_rights_of_its_mapping_or_by_force() {
        for generation in Generation::ALL {
            let mm = mm(generation, 1024);
            for (address, flags, expected) in [
                (READ, GupFlags::empty(), Ok(0)),
                (READ, GupFlags::WRITE, Err(GupError::Fault)),
                (READ, FORCED, Ok(0)),
                (WRITE, GupFlags::WRITE, Ok(0)),
                (SHARED, FORCED, Err(GupError::Fault)),
                (UNMAPPED, GupFlags::empty(), Err(GupError::Fault)),
                (POOL, GupFlags::empty(), Err(GupError::NotModelled)),
            ] {
                assert_eq!(got(&mm, address, flags), expected, "{generation}: {address} {}", words(flags));
            }
        }
    }

    #[test]
    fn there_may_be_no_memory_and_no_time() {
        let mm = mm(Generation::G6, 1024);
        let dying = Task::new(CPU).with_signals(Signals::Pending(Signal::Fatal));
        assert_eq!(get_user_page(&mm, &dying, READ, GupFlags::empty()).err(), Some(GupError::Killed));
        while mm.memory().alloc_page(CPU, crate::phys::PageState::User).is_ok() {}
        assert_eq!(got(&mm, WRITE, GupFlags::WRITE), Err(GupError::OutOfMemory));
    }
}
