//! A virtual memory area: a range of pages with the same rights (`struct vm_area_struct`).
//!
//! # Invariants
//! - I1 (D49). A field changes only through a [`WritableVma`]: the mmap lock is held for writing, and so is the VMA's
//!   own lock where there is one. Whoever holds either for reading finds the fields stable; of a stack of 4.4 all but
//!   the start (`vma_start`).
//! - I2 (D50). A VMA that was detached is freed after a grace period: whoever found it in the tree under RCU may still
//!   try its lock, and nothing else.

use std::fmt;

use crate::phys::CpuId;
use crate::platform::{Arc, Platform, RaceCell, SetOnce};
use crate::x86::{EntryFlags, VirtAddr};

use super::anon_vma::AnonVma;
use super::filemap::{FaultOp, VmaFile};
use super::hugetlb::{HugetlbVma, hugetlb_vm_op_close, reserved_by};
use super::map_request::is_unnamed;
use super::mm_struct::Mm;
use super::vm_flags::{VmFlags, WriteNotify};
use super::vma_lock::VmaLock;
use super::vma_start::VmaStart;

/// A range of pages with the same rights.
pub struct Vma<P: Platform> {
    start: VmaStart<P>,
    end: RaceCell<P, VirtAddr>,
    flags: RaceCell<P, VmFlags>,
    anon_vma: SetOnce<P, Arc<AnonVma<P>>>,
    /// The `anon_vma`s of the processes that it was forked from: its pages may be theirs (`anon_vma_chain`).
    inherited: Vec<Arc<AnonVma<P>>>,
    file: Option<VmaFile<P>>,
    /// What it knows of the pool, if its pages come from there (`VM_HUGETLB`).
    hugetlb: Option<HugetlbVma<P>>,
    pub(super) lock: VmaLock<P>,
}

/// Write access to one VMA: its tree's lock is held for writing, and no fault holds the VMA's own.
pub struct WritableVma<'v, P: Platform>(pub(super) &'v Vma<P>);

const UPHOLDS: &str = "D49 (the fields of a VMA are stable under its lock)";

impl<P: Platform> Vma<P> {
    /// The VMA of the pages from `start` up to `end`.
    ///
    /// # Panics
    /// If it would be empty.
    pub fn new(start: VirtAddr, end: VirtAddr, flags: VmFlags) -> Self {
        assert!(start < end, "a VMA from {start} to {end} has no page");
        Self {
            start: VmaStart::new(start),
            end: RaceCell::new(UPHOLDS, end),
            flags: RaceCell::new(UPHOLDS, flags),
            anon_vma: SetOnce::empty(),
            inherited: Vec::new(),
            file: None,
            hugetlb: None,
            lock: VmaLock::new(),
        }
    }

    /// The same, showing pages of a file. The tree makes it findable from the file when it inserts it.
    #[must_use]
    pub fn with_file(self, file: VmaFile<P>) -> Self {
        Self { file: Some(file), ..self }
    }

    /// Its file, if it shows one.
    pub fn file(&self) -> Option<&VmaFile<P>> {
        self.file.as_ref()
    }

    /// The same, of huge pages of the pool. It shows a file, too.
    #[must_use]
    pub fn with_hugetlb(self, hugetlb: HugetlbVma<P>) -> Self {
        Self { hugetlb: Some(hugetlb), ..self }
    }

    /// What it knows of the pool.
    ///
    /// # Panics
    /// If its pages do not come from there.
    pub fn hugetlb(&self) -> &HugetlbVma<P> {
        self.hugetlb.as_ref().expect("a VMA with VM_HUGETLB was made with what it knows of the pool")
    }

    /// Its pages come from the pool (`is_vm_hugetlb_page`).
    pub fn is_hugetlb(&self) -> bool {
        self.hugetlb.is_some()
    }

    /// Huge pages of the pool that it has reserved for itself and not used.
    pub fn hugetlb_reserved(&self) -> u64 {
        if self.is_hugetlb() { reserved_by(self) } else { 0 }
    }

    /// The mapping is gone, and so are its entries (`vm_ops->close`).
    pub fn close(&self, mm: &Mm<P>) {
        if self.is_hugetlb() {
            hugetlb_vm_op_close(mm.memory().hstate(), self);
        }
    }

    /// Makes it unfindable from its file, once its entries are gone (`unlink_file_vma`). Whoever walks the file's
    /// mappings has left then, so its tables may be freed. A file without a name goes with its last mapping.
    pub fn unlink_file(&self, mm: &Mm<P>, cpu: CpuId) {
        if let Some(file) = &self.file {
            let mut mapped = file.mapping().i_mmap().write();
            mapped.retain(|linked| !std::ptr::eq(&**linked, self));
            if mapped.is_empty() && is_unnamed(file.mapping().id()) {
                drop(mapped);
                file.mapping().evict(mm.memory(), cpu);
            }
        }
    }

    /// The same, a stack that grows while others read where it begins (4.4).
    pub(super) fn growing_among_readers(self) -> Self {
        Self { start: self.start.sinking(), ..self }
    }

    /// Lets the start of such a stack sink; the `anon_vma` is locked (`expand_downwards`).
    pub(super) fn sink_to(&self, start: VirtAddr) {
        assert!(matches!(self.start, VmaStart::Sinking(_)), "D49: {self:?} is no stack that grows among readers");
        self.start.set(start);
    }

    /// Its first address.
    #[track_caller]
    pub fn start(&self) -> VirtAddr {
        self.start.get()
    }

    /// The first address after it.
    #[track_caller]
    pub fn end(&self) -> VirtAddr {
        self.end.get()
    }

    /// Its properties.
    #[track_caller]
    pub fn flags(&self) -> VmFlags {
        self.flags.get()
    }

    /// Whether it covers `address`.
    #[track_caller]
    pub fn contains(&self, address: VirtAddr) -> bool {
        (self.start()..self.end()).contains(&address)
    }

    /// Any access is allowed (`vma_is_accessible`).
    pub fn is_accessible(&self) -> bool {
        self.flags().is_accessible()
    }

    /// A private mapping that may be written copies on write (`is_cow_mapping`).
    pub fn is_cow(&self) -> bool {
        self.flags().is_cow()
    }

    /// The `anon_vma`, once a fault has prepared one.
    pub fn anon_vma(&self) -> Option<&Arc<AnonVma<P>>> {
        self.anon_vma.get()
    }

    /// Every `anon_vma` that its pages may be from: its own, and those that it inherited.
    pub fn anon_vmas(&self) -> impl Iterator<Item = &Arc<AnonVma<P>>> {
        self.anon_vma().into_iter().chain(&self.inherited)
    }

    /// A VMA like this one for the address space of a child (`vm_area_dup`). Its pages may be from every `anon_vma`
    /// that this one's are from, and new ones will be from `own` (`anon_vma_fork`). The child's pages are not locked in
    /// memory, and it has reserved none of the pool.
    pub(super) fn forked(&self, own: Option<Arc<AnonVma<P>>>, mm: &Mm<P>) -> Self {
        let mut child = Self::new(self.start(), self.end(), self.flags() - (VmFlags::LOCKED | VmFlags::LOCKONFAULT));
        child.file = self.file.as_ref().map(|file| file.of_root(mm.pgd()));
        child.hugetlb = self.hugetlb.as_ref().map(|_| HugetlbVma::new(mm, self.flags(), None));
        if let Some(own) = own {
            child.inherited = self.anon_vmas().map(Arc::clone).collect();
            child.anon_vma = SetOnce::with(own);
            child.anon_vmas().for_each(|anon_vma| anon_vma.link(&child));
        }
        child
    }

    pub(super) fn set_anon_vma(&self, anon_vma: Arc<AnonVma<P>>) -> Result<(), Arc<AnonVma<P>>> {
        self.anon_vma.set(anon_vma).map(drop)
    }

    /// The page's place in the VMA's object (`linear_page_index`); anonymous memory starts at its own address.
    pub fn linear_page_index(&self, address: VirtAddr) -> u64 {
        self.file.as_ref().map_or_else(|| address.page_number(P::GEOMETRY), |file| file.index(address))
    }

    /// Whether the first write to a page is to fault (`vma_wants_writenotify`): where a disk stands behind shared
    /// pages, it must learn which ones are dirty.
    pub fn write_notify(&self) -> WriteNotify {
        match &self.file {
            Some(file) => match file.mapping().behaviour().fault {
                FaultOp::Filemap | FaultOp::None => WriteNotify::Yes,
                FaultOp::Shmem | FaultOp::Hugetlb => WriteNotify::No,
            },
            None => WriteNotify::No,
        }
    }

    /// The flags of an entry that maps a page of this VMA (`vm_page_prot`).
    pub fn page_prot(&self) -> EntryFlags {
        self.flags().page_prot(self.write_notify())
    }

    /// A VMA like this one, for the pages from `at` on; it shares the `anon_vma` (`vm_area_dup`, `anon_vma_clone`).
    pub(super) fn upper_part(&self, at: VirtAddr) -> Self {
        assert!(self.start() < at && at < self.end(), "{at} is not inside {self:?}");
        let mut upper = Self::new(at, self.end(), self.flags());
        upper.start = self.start.of_other_part(at);
        upper.file = self.file.as_ref().map(|file| file.of_root(file.root()));
        upper.hugetlb = self.hugetlb.as_ref().map(HugetlbVma::other_part);
        if let Some(anon_vma) = self.anon_vma() {
            upper.anon_vma = SetOnce::with(Arc::clone(anon_vma));
            upper.inherited.clone_from(&self.inherited);
            upper.anon_vmas().for_each(|anon_vma| anon_vma.link(&upper));
        }
        upper
    }

    /// Ghost: the VMA is freed; a grace period after it was detached, so nobody looks at it any more (I2).
    pub(super) fn freed(&self) {
        if P::CHECKED {
            self.start.set(VirtAddr::ZERO);
            self.end.set(VirtAddr::ZERO);
            self.flags.set(VmFlags::empty());
            self.lock.freed();
        }
    }
}

impl<P: Platform> WritableVma<'_, P> {
    /// Moves the first address.
    pub fn set_start(&mut self, start: VirtAddr) {
        self.0.start.set(start);
    }

    /// Moves the end.
    pub fn set_end(&mut self, end: VirtAddr) {
        self.0.end.set(end);
    }

    /// Says that the tree is about to forget the VMA (`vma_mark_detached`).
    pub(super) fn mark_detached(&mut self) {
        self.0.lock.mark_detached();
    }

    /// Changes the properties (`vm_flags_reset`).
    pub fn set_flags(&mut self, flags: VmFlags) {
        self.0.flags.set(flags);
    }
}

impl<P: Platform> fmt::Debug for Vma<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.flags();
        let right = |flag, letter| if flags.contains(flag) { letter } else { '-' };
        let [read, write, exec] = [(VmFlags::READ, 'r'), (VmFlags::WRITE, 'w'), (VmFlags::EXEC, 'x')]
            .map(|(flag, letter)| right(flag, letter));
        let shared = if flags.contains(VmFlags::SHARED) { 's' } else { 'p' };
        write!(formatter, "{}-{} {read}{write}{exec}{shared}", self.start(), self.end())
    }
}
