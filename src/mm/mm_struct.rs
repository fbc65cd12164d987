//! An address space (`struct mm_struct`).

use std::fmt;
use std::io;

use thiserror::Error;

use crate::locks::{LockClass, Spin};
use crate::phys::{CpuId, Mapping, OutOfMemory, PageState, Pfn, PhysMem};
use crate::platform::{Arc, AtomicWord, Ordering, Platform, Tally, named};
use crate::x86::{Machine, VirtAddr};

use super::entry_at::EntryAt;
use super::generation::Generation;
use super::mmap_lock::MmapLock;
use super::tlb_flush_pending::TlbFlushPending;
use super::vma::Vma;
use super::vma_lock::VmaReaders;
use super::vma_tree::VmaTree;
use super::walk::describe_table;

/// An address space, shared by the tasks of a process.
pub struct Mm<P: Platform> {
    machine: Arc<Machine<P>>,
    pgd: Pfn,
    generation: Generation,
    mmap_lock: MmapLock<P>,
    vma_readers: VmaReaders<P>,
    page_table_lock: Spin<P, ()>,
    rss_anon_pages: P::Counter,
    rss_file_pages: P::Counter,
    rss_shmem_pages: P::Counter,
    hugetlb_usage: Arc<P::Counter>,
    pgtables_bytes: P::Counter,
    write_protect_seq: P::AtomicU64,
    tlb_flush_pending: TlbFlushPending<P>,
}

/// What a page counts as in an address space's RSS (`MM_ANONPAGES`, `MM_FILEPAGES`, `MM_SHMEMPAGES`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RssKind {
    /// Anonymous memory.
    Anon,
    /// The page cache of a file.
    File,
    /// Shared memory.
    Shmem,
}

impl RssKind {
    /// The kind of a page that is mapped (`mm_counter`).
    pub fn of(mapping: Mapping) -> Self {
        match mapping {
            Mapping::Anon(_) => Self::Anon,
            Mapping::Shmem(_) => Self::Shmem,
            // A page that left its file counts as before until its last entry is gone.
            Mapping::File(_) | Mapping::None => Self::File,
        }
    }
}

/// Why an address space could not be made.
#[derive(Debug, Error)]
pub enum MmError {
    /// The machine has no frame for the root table.
    #[error("no frame is free for the root table")]
    OutOfMemory,
    /// The host has not the memory for a machine.
    #[error("the host has not the memory for the machine's: {0}")]
    Host(#[from] io::Error),
}

impl From<OutOfMemory> for MmError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl<P: Platform> Mm<P> {
    /// An empty address space, a root table and nothing else, that follows the protocol of a generation (`mm_init`).
    ///
    /// # Errors
    /// If there is no frame for the root table.
    pub fn new(machine: Arc<Machine<P>>, generation: Generation, cpu: CpuId) -> Result<Self, MmError> {
        let pgd = machine.memory().alloc_page(cpu, PageState::Table { level: P::GEOMETRY.levels })?;
        describe_table(machine.memory(), pgd, P::GEOMETRY.levels);
        machine.memory().clear_page(pgd);
        let tree = VmaTree::new(machine.rcu(), generation);
        Ok(Self {
            machine,
            pgd,
            generation,
            vma_readers: tree.readers(),
            mmap_lock: MmapLock::new(tree),
            page_table_lock: Spin::new(LockClass::PageTableLock, ()),
            rss_anon_pages: P::Counter::default(),
            rss_file_pages: P::Counter::default(),
            rss_shmem_pages: P::Counter::default(),
            hugetlb_usage: Arc::default(),
            pgtables_bytes: P::Counter::default(),
            write_protect_seq: named::<P>(format_args!("mm->write_protect_seq"), 0),
            tlb_flush_pending: TlbFlushPending::new(),
        })
    }

    /// The machine that it lives on.
    pub fn machine(&self) -> &Machine<P> {
        &self.machine
    }

    /// The machine's memory.
    pub fn memory(&self) -> &PhysMem<P> {
        self.machine.memory()
    }

    /// The root table (`mm->pgd`).
    pub fn pgd(&self) -> Pfn {
        self.pgd
    }

    /// Whose protocol it follows.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The lock of the VMAs.
    pub fn mmap_lock(&self) -> &MmapLock<P> {
        &self.mmap_lock
    }

    /// Whether a writer keeps faults out of a VMA; when nobody writes, nobody does (D51).
    pub fn is_vma_write_locked(&self, vma: &Vma<P>) -> bool {
        self.vma_readers.is_write_locked(vma)
    }

    /// The VMAs, for faults that do not hold the mmap lock.
    pub(super) fn vma_readers(&self) -> &VmaReaders<P> {
        &self.vma_readers
    }

    /// The lock of the tables above the PMD tables, and of `anon_vma` pointers (PGL).
    pub fn page_table_lock(&self) -> &Spin<P, ()> {
        &self.page_table_lock
    }

    /// Anonymous pages that are mapped (`MM_ANONPAGES`). Exact when nobody faults.
    pub fn rss_anon_pages(&self) -> i64 {
        self.rss_anon_pages.read()
    }

    /// Pages of a kind that are mapped (`get_mm_counter`). Exact when nobody faults.
    pub fn rss(&self, kind: RssKind) -> i64 {
        self.rss_counter(kind).read()
    }

    /// Counts pages of a kind mapped or, if negative, unmapped (`add_mm_counter`). Who may is who has locked the table
    /// that maps them (D20): [`LockedTable::count_rss`](super::LockedTable::count_rss),
    /// [`LockedPmd::count_rss`](super::LockedPmd::count_rss).
    pub(super) fn add_rss(&self, kind: RssKind, pages: i64) {
        self.rss_counter(kind).add(pages);
    }

    fn rss_counter(&self, kind: RssKind) -> &P::Counter {
        match kind {
            RssKind::Anon => &self.rss_anon_pages,
            RssKind::File => &self.rss_file_pages,
            RssKind::Shmem => &self.rss_shmem_pages,
        }
    }

    /// Small pages that are mapped by huge pages of the pool, which count in no RSS (`mm->hugetlb_usage`). Exact when
    /// nobody faults.
    pub fn hugetlb_usage(&self) -> i64 {
        self.hugetlb_usage.read()
    }

    /// Its counter, which the VMAs keep: another process may unmap a page of theirs.
    pub(super) fn hugetlb_usage_counter(&self) -> Arc<P::Counter> {
        Arc::clone(&self.hugetlb_usage)
    }

    /// Bytes of page tables below the root. Exact when nobody faults.
    pub fn pgtables_bytes(&self) -> i64 {
        self.pgtables_bytes.read()
    }

    /// Counts tables linked or, if negative, unlinked (`mm_inc_nr_ptes` and its kin).
    pub fn add_tables(&self, tables: i64) {
        self.pgtables_bytes.add(tables * P::GEOMETRY.page_size() as i64);
    }

    /// Runs what write-protects pages that two processes are going to share: meanwhile `write_protect_seq` is odd, and
    /// whoever takes references without a lock (GUP-fast) must not believe that a page is exclusive.
    pub(crate) fn write_protecting<R>(&self, protect: impl FnOnce() -> R) -> R {
        // ORDER none: the mmap lock is held for writing, and nobody runs GUP-fast here.
        self.write_protect_seq.fetch_add(1, Ordering::Relaxed);
        let result = protect();
        // ORDER none: as above.
        self.write_protect_seq.fetch_add(1, Ordering::Relaxed);
        result
    }

    /// D29: a page that is mapped ceases to be exclusive only while GUP-fast is fenced off.
    pub(super) fn assert_write_protecting(&self) {
        if P::CHECKED {
            // ORDER none: as `write_protecting`.
            let seq = self.write_protect_seq.load(Ordering::Relaxed);
            assert!(seq % 2 == 1, "D29: a mapped page ceases to be exclusive while write_protect_seq is {seq}");
        }
    }

    /// How many flushes are still to come (`mm->tlb_flush_pending`).
    pub fn tlb_flush_pending(&self) -> &TlbFlushPending<P> {
        &self.tlb_flush_pending
    }

    /// The word of an entry. Whoever uses it says by which ordering.
    pub(crate) fn entry(&self, at: EntryAt) -> &P::AtomicU64 {
        self.memory().word(at.table, at.index)
    }

    /// Frees the root table of an address space whose other tables are gone (`pgd_free`).
    ///
    /// # Panics
    /// If a CPU remembers anything of it (D36): the next address space with this root would inherit it.
    pub(crate) fn free_pgd(&self, cpu: CpuId) {
        if P::CHECKED {
            let everything = (VirtAddr::ZERO, VirtAddr::user(P::GEOMETRY.task_size()));
            let left = self.machine.remembered_of(self.pgd, everything).len();
            assert!(left == 0, "D36: CPUs remember {left} translations of an address space that is gone");
        }
        self.memory().free_uncharged(cpu, self.pgd);
    }
}

impl<P: Platform> fmt::Debug for Mm<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mm").field("pgd", &self.pgd).finish_non_exhaustive()
    }
}
