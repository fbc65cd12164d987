//! The names of all deliberate defects, each with its place and what it removes.
//!
//! M numbers are rows of a longer list of windows of the fault path; names in words are of places that it has no row
//! for, or of a second place of a row. O names are orderings; the number is the one in the head of the file.

/// What can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A test that a race can lose.
    Recheck,
    /// Something that is done, or its place in the order of things.
    Step,
    /// The ordering of an access to memory.
    Ordering,
}

/// Makes the enumeration and what is known of each of its values.
macro_rules! variants {
    ($($variant:ident = $kind:ident $name:literal, $place:literal, $removes:literal;)*) => {
        /// A re-check, a step or an ordering that can be removed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Variant {
            $(
                #[doc = concat!("`", $place, "`: without ", $removes, ".")]
                $variant,
            )*
        }

        /// Variants that there are.
        pub const COUNT: usize = Variant::ALL.len();

        impl Variant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name, as the command line takes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What kind of thing is removed.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }

            /// The file below `src`, and the function.
            pub const fn place(self) -> &'static str {
                match self { $(Self::$variant => $place,)* }
            }

            /// What is removed.
            pub const fn removes(self) -> &'static str {
                match self { $(Self::$variant => $removes,)* }
            }

            /// The one of this name.
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|variant| variant.name() == name)
            }
        }
    };
}

variants! {
    M1 = Recheck "M1", "mm/walk.rs, alloc_table_at", "the second look at the upper entry, under page_table_lock";
    M2 = Recheck "M2", "mm/pte_table.rs, pmd_install", "pmd_none under the lock of the PMD table";
    M9 = Recheck "M9", "mm/huge_memory/linux_4_4.rs, before_the_pte",
        "4.4: the question whether an entry that is not huge is a table, which 4.4.0 did not ask";
    M10 = Recheck "M10", "mm/pte_table.rs, pte_offset_map_lock", "pmd_same after the lock of the PTE table";
    M13 = Recheck "M13", "mm/handle_pte_fault.rs, fault_on_present", "pte_same before a present entry is changed";
    M14 = Recheck "M14", "mm/anonymous.rs, map_new_page", "vmf_pte_changed before a new page is mapped";
    M14Zero = Recheck "M14-zero", "mm/anonymous.rs, map_zero_page", "vmf_pte_changed before the zero page is mapped";
    M19 = Recheck "M19", "mm/wp_page_copy.rs, copy_and_replace", "pte_same before the copy takes the page's place";
    M20 = Step "M20", "mm/pte_update.rs, ptep_clear_flush", "the flush between the old entry and the new one";
    A07 = Step "A07", "mm/wp_page_copy.rs, copy_and_replace", "the order of flush and new entry: that is set first";
    ProtNonePending = Recheck "prot-none-pending", "mm/pte_update.rs, pte_accessible",
        "the question whether the flush of an entry that was just marked is still to come";
    M21 = Step "M21", "mm/wp_page_copy.rs, copy_and_replace",
        "the order of flush and rmap: the old mapping is uncounted first";
    M22 = Recheck "M22", "mm/wp_page.rs, wp_can_reuse_anon_folio",
        "the second look at the refcount, under the folio lock";
    M23 = Step "M23", "mm/wp_page.rs, wp_page_private",
        "the question whether the page is shared, before it is marked as exclusive";
    B06 = Step "B06", "mm/wp_page.rs, wp_can_reuse_anon_folio",
        "the references without a mapping: a page that one entry maps is reused";
    B01 = Step "B01", "mm/gup.rs, note_copy",
        "asking for a page to write to again after the copy for a forced write was made";
    M25 = Recheck "M25", "mm/wp_page_shared.rs, do_page_mkwrite",
        "the look at the mapping after the file system was asked";
    MkwriteSame = Recheck "mkwrite-same", "mm/wp_page_shared.rs, finish_mkwrite_fault",
        "pte_same after the file system was asked";
    M26 = Recheck "M26", "mm/filemap/filemap_fault.rs, get", "the look at the mapping under the folio lock";
    M26Shmem = Recheck "M26-shmem", "mm/filemap/shmem.rs, shmem_get_folio", "the same for shared memory";
    M26Around = Recheck "M26-around", "mm/filemap/map_pages.rs, try_folio", "the same around a fault";
    M27 = Recheck "M27", "mm/filemap/filemap_fault.rs, get", "the look at the size under the folio lock";
    M27Shmem = Recheck "M27-shmem", "mm/filemap/shmem.rs, keep_below_the_end",
        "the look at the size once the page is in the cache";
    M27Around = Recheck "M27-around", "mm/filemap/map_pages.rs, try_folio", "the same around a fault";
    M29 = Recheck "M29", "mm/finish_fault.rs, finish_fault", "vmf_pte_changed before the page of a file is mapped";
    M29Around = Recheck "M29-around", "mm/filemap/map_pages.rs, filemap_map_pages",
        "pte_none before a page around the fault is mapped";
    SlotSame = Recheck "slot-same", "mm/filemap/address_space.rs, get_folio",
        "the second look at the slot, with a reference";
    SlotAround = Recheck "slot-around", "mm/filemap/map_pages.rs, try_folio", "the same around a fault";
    TruncateGone = Recheck "truncate-gone", "actors/truncate.rs, truncate_inode_pages",
        "the look at the mapping under the folio lock";
    InvalidateLock = Recheck "invalidate-lock", "mm/filemap/filemap_fault.rs, get",
        "the second look at a page without contents, with the invalidate lock";
    DirtyZap = Step "dirty-zap", "actors/zap.rs, zap_entry", "handing the dirty mark of an entry on to its page";
    M35 = Recheck "M35", "mm/swap_page.rs, migration_entry_wait",
        "the second look at the entry, under the lock of its table";
    M37 = Recheck "M37", "mm/vma_lock.rs, start_read", "the second comparison of the sequence numbers";
    M39 = Recheck "M39", "mm/vma_lock.rs, lock_vma_under_rcu", "the question whether the VMA was detached";
    VmaRange = Recheck "vma-range", "mm/vma_lock.rs, lock_vma_under_rcu",
        "the question whether the VMA still covers the address";
    NumaSplitting44 = Step "numa-splitting-4.4", "actors/numa_scan.rs, mark_huge",
        "leaving a huge page alone that is being split";
    C01 = Step "C01", "actors/zap.rs, zap_pmd_range",
        "the one look at a PMD entry: a huge page that appears after it is taken for a corrupted table";
    NumaInvalidate = Step "numa-invalidate", "actors/numa_scan.rs, mark_huge",
        "an entry that is not empty while a huge page is NUMA-marked";
    StackStart44 = Recheck "stack-start-4.4", "mm/expand_stack_4_4.rs, expand_downwards",
        "whether the stack has grown meanwhile, under the lock of its anon_vma";
    M42 = Recheck "M42", "mm/fault_lock.rs, grow_stack", "looking for the VMA again after the gap between two locks";
    StackGrown = Recheck "stack-grown", "mm/fault_lock.rs, grow_stack",
        "the question whether the stack has grown meanwhile";
    M43 = Step "M43", "mm/anon_vma.rs, anon_vma_prepare", "the look at the VMA's anon_vma under page_table_lock";
    M44 = Step "M44", "mm/anon_vma.rs, vmf_anon_prepare", "the mmap lock that is tried under a VMA's lock";
    NumaSame = Recheck "numa-same", "mm/numa_page.rs, do_numa_page",
        "pte_same before a page is moved or gets its rights back";
    NumaSameAgain = Recheck "numa-same-again", "mm/numa_page.rs, do_numa_page",
        "pte_same after the page could not be moved";
    MigrateSame = Recheck "migrate-same", "mm/migrate.rs, try_to_migrate",
        "the look at the entry of a page that is to be moved";
    MigrateCount = Recheck "migrate-count", "mm/migrate.rs, unmap_and_move",
        "the count of references before a page is copied";
    ArriveSame = Recheck "arrive-same", "mm/migrate.rs, remove_migration_ptes",
        "the look at the entry where the moved page is to be mapped";
    LockPageSame = Recheck "lock-page-same", "mm/wp_page_g2.rs, lock_page_and_map_again",
        "4.4: pte_same after the wait for the folio lock";
    M56 = Recheck "M56", "actors/gather.rs, flush",
        "the question whether another unmapping has yet to flush (mm_tlb_flush_nested)";
    GatherFlush = Step "gather-flush", "actors/gather.rs, flush", "the flush before what was gathered is freed";
    FlushRange = Step "flush-range", "actors/gather.rs, must_flush", "the growth of the range that is to be flushed";
    FreeBeforeFlush = Step "free-before-flush", "actors/gather.rs, finish",
        "the order of flush and free: pages are freed first";
    DecBeforeFlush = Step "dec-before-flush", "actors/gather.rs, finish",
        "the order of flush and count: tlb_flush_pending goes down first";
    PmdFlush = Step "pmd-flush", "mm/huge_memory/locked_pmd.rs, flush",
        "the flush of a huge entry that is invalidated or cleared";
    ClearRefsFlush = Step "clear-refs-flush", "actors/clear_refs.rs, clear_refs",
        "the flush after entries were write-protected";
    AgeFlush = Step "age-flush", "actors/age.rs, flush", "the flush after Dirty was cleared";
    M61 = Step "M61", "actors/fork.rs, fork", "locking each VMA of the parent for writing";
    M62 = Step "M62", "actors/fork.rs, fork", "the flush after the parent's entries were write-protected";
    M64 = Step "M64", "actors/truncate.rs, truncate", "unmapping the range again once the cache is empty";
    OrderWithAdders = Step "order-with-adders", "actors/truncate.rs, truncate",
        "ordering the new size against who adds pages of shared memory";
    M68 = Step "M68", "mm/vmf.rs, retry", "releasing the fault lock with VM_FAULT_RETRY";
    M45 = Recheck "M45", "actors/khugepaged/collapse.rs, collapse_huge_page",
        "the second look for the VMA, with the mmap lock for writing";
    M45Pmd = Recheck "M45-pmd", "actors/khugepaged/collapse.rs, collapse_huge_page",
        "the second look at the PMD entry, with the mmap lock for writing";
    M46 = Step "M46", "actors/khugepaged/collapse.rs, collapse_huge_page",
        "locking the VMA for writing before its table is taken out";
    M47 = Recheck "M47", "actors/khugepaged/survey.rs, is_refcount_suitable",
        "the count of references before a page is copied into a huge one";
    CollapseFlush = Step "collapse-flush", "actors/khugepaged/collapse.rs, pmdp_collapse_flush",
        "the flush between taking the table out and copying its pages";
    ModifyProt = Step "modify-prot", "mm/pte_update.rs, modify_prot_start",
        "taking an entry out before its rights change: it is read and overwritten";
    UpgradeExclusive = Step "upgrade-exclusive", "mm/change_writable.rs, can_change_writable",
        "the question whether a private page is exclusive, before its entry becomes writable with its VMA";
    MprotectFlush = Step "mprotect-flush", "actors/change_protection.rs, note",
        "the note that an entry which lost rights needs a flush";
    HugeProtExchange = Step "huge-prot-exchange", "actors/change_protection.rs, change_huge_pmd",
        "taking a huge entry out before its rights change";
    M3 = Recheck "M3", "mm/huge_memory/anonymous.rs, map_new_folio", "pmd_none before a new huge page is mapped";
    M3Zero = Recheck "M3-zero", "mm/huge_memory/anonymous.rs, map_huge_zero",
        "pmd_none before the huge zero page is mapped";
    SetPmdNone = Recheck "set-pmd-none", "mm/huge_memory/set_pmd.rs, do_set_pmd",
        "pmd_none before a huge page of a file is mapped";
    M6 = Recheck "M6", "mm/huge_memory/accessed.rs, huge_pmd_set_accessed", "pmd_same before a huge entry is marked";
    M8 = Recheck "M8", "mm/huge_memory/accessed.rs, do_huge_pmd_numa_page",
        "pmd_same before a huge entry gets its rights back";
    HugeWpSame = Recheck "huge-wp-same", "mm/huge_memory/wp_page.rs, try_reuse",
        "pmd_same before a huge page is reused";
    HugeWpSameAgain = Recheck "huge-wp-same-again", "mm/huge_memory/wp_page.rs, lock_folio",
        "pmd_same after the wait for the folio lock";
    HugeWpCount = Recheck "huge-wp-count", "mm/huge_memory/wp_page.rs, try_reuse",
        "the count of references under the folio lock";
    CopyFirst44 = Recheck "copy-first-4.4", "mm/huge_memory/wp_page_4_4.rs, wp_folio",
        "4.4: pmd_same before a huge page is reused";
    CopySame44 = Recheck "copy-same-4.4", "mm/huge_memory/wp_page_4_4.rs, copy",
        "4.4: pmd_same before the copy takes the huge page's place";
    FallbackSame44 = Recheck "fallback-same-4.4", "mm/huge_memory/wp_page_4_4.rs, do_huge_pmd_wp_page_fallback",
        "4.4: the same where the copy is of small pages";
    M35Huge = Recheck "M35-huge", "mm/huge_memory/migration.rs, pmd_migration_entry_wait",
        "the second look at a huge entry, under the lock of its table";
    HugeMigrateSame = Recheck "huge-migrate-same", "mm/huge_memory/migrate.rs, set_pmd_migration_entry",
        "the look at the entry of a huge page that is to be moved";
    HugeMigrateCount = Recheck "huge-migrate-count", "mm/huge_memory/migrate.rs, move_folio",
        "the count of references before a huge page is copied";
    HugeArriveSame = Recheck "huge-arrive-same", "mm/huge_memory/migrate.rs, remove_migration_pmd",
        "the look at the entry where the moved huge page is to be mapped";
    M66 = Step "M66", "mm/huge_memory/split.rs, split_locked", "invalidating a huge entry before its table is filled";
    TruncateWaitsForPml = Step "truncate-pml", "actors/truncate.rs, unmap_huge",
        "waiting for the lock of a huge entry that is gone";
    AnonPrepareTries = Step "anon-prepare-tries", "mm/anon_vma.rs, vmf_anon_prepare",
        "only trying the mmap lock while the lock of a VMA is held";
    VmaStartWrite = Step "vma-start-write", "mm/vma_lock.rs, start_write",
        "waiting for the readers of a VMA before it is written";
    HugetlbMutex = Step "hugetlb-mutex", "mm/hugetlb/fault_mutex.rs, take",
        "the fault mutex of a huge page of the pool";
    HugetlbVmaLock = Step "hugetlb-vma-lock", "mm/hugetlb/vma_lock.rs, lock", "the lock of a hugetlb VMA";
    HugetlbNone = Recheck "hugetlb-none", "mm/hugetlb/no_page.rs, install",
        "the look at the empty entry before a folio is mapped";
    HugetlbStable = Recheck "hugetlb-stable", "mm/hugetlb/no_page.rs, pool_empty",
        "the look at the entry before SIGBUS";
    HugetlbSame = Recheck "hugetlb-same", "mm/hugetlb/fault.rs, present", "pte_same before a present entry is changed";
    HugetlbCopySame = Recheck "hugetlb-copy-same", "mm/hugetlb/wp.rs, copy_and_replace",
        "pte_same before the copy takes the folio's place";
    HugetlbUnmapSame = Recheck "hugetlb-unmap-same", "mm/hugetlb/wp.rs, private",
        "pte_same after the others' pages were taken away";
    HugetlbUnmapped = Step "hugetlb-unmapped", "mm/hugetlb/unmap.rs, unmap_one",
        "the mark on a VMA whose page was taken away";
    HugetlbFlush = Step "hugetlb-flush", "mm/hugetlb/wp.rs, huge_ptep_clear_flush",
        "the flush between the old entry and the new one";
    HugetlbUnmapFlush = Step "hugetlb-unmap-flush", "mm/hugetlb/unmap.rs, unmap_ref_private",
        "the flush after the others' pages were taken away";
    HugetlbProtFlush = Step "hugetlb-prot-flush", "mm/hugetlb/protect.rs, hugetlb_change_protection",
        "the flush after huge pages of the pool got other rights";
    M5 = Ordering "M5", "mm/walk.rs, link_table (O1)", "Release where a table is linked";
    OReadTable = Ordering "O-read-table", "mm/walk.rs, read_table (O1)",
        "Acquire where an upper entry is read without a lock";
    OReadPmd = Ordering "O-read-pmd", "mm/pte_table.rs, pmdp_get_lockless (O1)",
        "Acquire where a PMD entry is read without a lock";
    OReadPte = Ordering "O-read-pte", "mm/pte_table.rs, peek (O1)", "Acquire where a PTE is read without a lock";
    OSetPte = Ordering "O-set-pte", "mm/pte_table.rs, set (O1)", "Release where a PTE is set";
    OClearPte = Ordering "O-clear-pte", "mm/pte_table.rs, clear (O2)", "AcqRel where a PTE is taken out";
    OWrprotect = Ordering "O-wrprotect", "mm/pte_update.rs, set_wrprotect (O1)",
        "AcqRel where a PTE is write-protected";
    M38 = Ordering "M38", "mm/vma_lock.rs, start_read (O1)", "Acquire where a reader compares mm_lock_seq";
    M38Release = Ordering "M38-release", "mm/vma_lock.rs, end_write_all (O1)", "Release where a writer ends";
    OSize = Ordering "O-size", "mm/filemap/address_space.rs, size_pages (O2)", "Acquire where a file's size is read";
    OSetSize = Ordering "O-set-size", "mm/filemap/address_space.rs, set_size_pages (O2)",
        "Release where a file's size is set";
    OSlot = Ordering "O-slot", "mm/filemap/address_space.rs, peek (O1)",
        "Acquire where a slot of the page cache is read";
    OAddFolio = Ordering "O-add-folio", "mm/filemap/address_space.rs, add_folio (O1)",
        "AcqRel where a folio is put into its slot";
    OAddHugetlb = Ordering "O-add-hugetlb", "mm/filemap/address_space.rs, add_hugetlb_folio (O1)",
        "AcqRel where a folio of the pool is put into its slot";
    OAddHuge = Ordering "O-add-huge", "mm/filemap/huge_folio.rs, fill_slots (O1 of address_space)",
        "Release where a huge folio is put into its slots";
    ORemoveHuge = Ordering "O-remove-huge", "mm/filemap/huge_folio.rs, remove_huge_folio (O1 of address_space)",
        "AcqRel where a huge folio is taken out of its slots";
    ORemoveFolio = Ordering "O-remove-folio", "mm/filemap/address_space.rs, remove_folio (O1)",
        "AcqRel where a folio is taken out of its slot";
    OWalk = Ordering "O-walk", "x86/walk.rs, try_walk (O1)", "Acquire where hardware reads an entry";
    OMark = Ordering "O-mark", "x86/walk.rs, try_walk (O2)", "AcqRel where hardware marks an entry";
    OFlushDone = Ordering "O-flush-done", "mm/tlb_flush_pending.rs, dec (O2)", "Release where a flush is over";
    OFlushPending = Ordering "O-flush-pending", "mm/tlb_flush_pending.rs, get (O2)",
        "Acquire where somebody asks whether one is to come";
    OBegin = Ordering "O-begin", "phys/page.rs, begin (O1)", "Release where a frame gets its first reference";
    OPut = Ordering "O-put", "phys/page.rs, put (O1)", "AcqRel where a reference is dropped";
    OLastPut = Ordering "O-last-put", "phys/page.rs, refcount_after_puts (O1)", "Acquire where the refcount decides";
    OTryGet = Ordering "O-try-get", "phys/page.rs, try_get (O1)", "Acquire and AcqRel where a reference is tried for";
    OMapcount = Ordering "O-mapcount", "phys/page.rs, add_mapcount (O2)", "AcqRel where a mapping is counted";
    OLastMapping = Ordering "O-last-mapping", "phys/page.rs, mapcount_after_removals (O2)",
        "Acquire where the mapcount decides";
    OUptodate = Ordering "O-uptodate", "phys/folio.rs, set_uptodate (O1)", "Release where a page's contents are there";
    OContents = Ordering "O-contents", "phys/folio.rs, contents (O1)", "Acquire where somebody asks for them";
    OBeginRead = Ordering "O-begin-read", "phys/folio.rs, begin_read (O3)", "Release where a read begins to last";
    OEndRead = Ordering "O-end-read", "phys/folio.rs, end_read (O3)", "AcqRel where it ends";
    OEntireMapcount = Ordering "O-entire-mapcount", "phys/compound.rs, add_entire_mapcount (O1)",
        "AcqRel where a huge mapping is counted";
    OLastHugeMapping = Ordering "O-last-huge-mapping", "phys/compound.rs, entire_mapcount_after_removals (O1)",
        "Acquire where the count of huge mappings decides";
    OSetPmd = Ordering "O-set-pmd", "mm/huge_memory/locked_pmd.rs, set (O1)", "Release where a huge entry is set";
    OExchangePmd = Ordering "O-exchange-pmd", "mm/huge_memory/locked_pmd.rs, exchange (O2)",
        "AcqRel where a huge entry is taken out";
    OUpdatePmd = Ordering "O-update-pmd", "mm/huge_memory/locked_pmd.rs, update (O2)",
        "AcqRel where marks of a huge entry are changed";
    OSetHugePte = Ordering "O-set-huge-pte", "mm/hugetlb/huge_pte.rs, set (O1)",
        "Release where an entry of a hugetlb mapping is set";
    OReadHugePte = Ordering "O-read-huge-pte", "mm/hugetlb/huge_pte.rs, peek (O1)",
        "Acquire where it is read without a lock";
    OWalkHugePte = Ordering "O-walk-huge-pte", "mm/hugetlb/huge_pte.rs, hugetlb_walk (O1)",
        "Acquire where an entry above it is read without a lock";
    OHugeWrprotect = Ordering "O-huge-wrprotect", "mm/hugetlb/huge_pte.rs, set_wrprotect (O2)",
        "AcqRel where it is write-protected";
    OClearHugePte = Ordering "O-clear-huge-pte", "mm/hugetlb/huge_pte.rs, clear (O2)", "AcqRel where it is taken out";
    OHugeZero = Ordering "O-huge-zero", "x86/huge_zero.rs, get (O1)", "Acquire where the huge zero page is found";
    OFirstHugeZero = Ordering "O-first-huge-zero", "x86/huge_zero.rs, get_or_alloc (O1)", "AcqRel where it is made";
    OLeavePool = Ordering "O-leave-pool", "phys/page.rs, leave_pool (O1)",
        "Release where a folio of the pool gets its first reference";
    OSetOnce = Ordering "O-set-once", "platform/set_once.rs, set (O1)", "AcqRel where a pointer is set once";
    OGetOnce = Ordering "O-get-once", "platform/set_once.rs, get (O1)", "Acquire where it is read";
    ORcuEnter = Ordering "O-rcu-enter", "platform/rcu.rs, read (O1)", "AcqRel where a section begins";
    ORcuLook = Ordering "O-rcu-look", "platform/rcu.rs, begin_grace (O1)", "AcqRel where a grace period begins";
    ORcuLeave = Ordering "O-rcu-leave", "platform/rcu.rs, drop (O2)", "AcqRel where a section ends";
    ORcuOver = Ordering "O-rcu-over", "platform/rcu.rs, is_over (O2)", "Acquire where a grace period ends";
    ORcuPublish = Ordering "O-rcu-publish", "platform/rcu.rs, publish (O3)", "AcqRel where a pointer is replaced";
    ORcuGet = Ordering "O-rcu-get", "platform/rcu.rs, get (O3)", "Acquire where it is read";
}

impl Variant {
    /// Whether what it guards is the checker's own memory: where loads may be stale, a reader without it could follow a
    /// pointer to what is freed already. There it cannot be removed.
    pub const fn guards_host_memory(self) -> bool {
        matches!(self, Self::OSetOnce | Self::OGetOnce | Self::ORcuEnter | Self::ORcuLook)
            || matches!(self, Self::ORcuLeave | Self::ORcuOver | Self::ORcuPublish | Self::ORcuGet)
    }
}
