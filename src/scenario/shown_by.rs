//! Which scenario notices that a re-check, a step or an ordering is missing, and by which invariant.

use crate::platform::Variant;

/// How it is known that something is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A scenario fails without it.
    By {
        /// The scenario.
        scenario: &'static str,
        /// The invariant that falls, or what is found instead.
        falls: &'static str,
    },
    /// A scenario fails without it on loom, which knows stale reads; no interleaving shows it.
    OnLoom {
        /// The scenario.
        scenario: &'static str,
        /// The invariant that falls.
        falls: &'static str,
    },
    /// No scenario does.
    Never {
        /// Why not.
        because: &'static str,
    },
}

const fn by(scenario: &'static str, falls: &'static str) -> Shown {
    Shown::By { scenario, falls }
}

const fn on_loom(scenario: &'static str, falls: &'static str) -> Shown {
    Shown::OnLoom { scenario, falls }
}

const fn never(because: &'static str) -> Shown {
    Shown::Never { because }
}

/// Every variant, with how it is known that what it removes is needed.
const SHOWN: &[(Variant, Shown)] = &[
    (Variant::M1, by("same-pte-four-levels", "D10")),
    (Variant::M2, by("same-pte-new-table", "D2")),
    (Variant::M13, by("cow-two-threads", "D15")),
    (Variant::M14, by("same-pte", "D15")),
    (Variant::M14Zero, by("read-write", "D15")),
    (Variant::M19, by("zero-page-writers", "D15")),
    (Variant::M20, by("cow-read-munmap", "D35")),
    (Variant::A07, by("tlb-cow-flag", "D37")),
    (Variant::ProtNonePending, by("tlb-numa-migrate", "D14")),
    (Variant::M56, by("tlb-two-discards", "D35")),
    (Variant::GatherFlush, by("tlb-store-munmap", "D36")),
    (Variant::FlushRange, by("tlb-discard-range", "D36")),
    (Variant::FreeBeforeFlush, by("tlb-store-munmap", "D36")),
    (Variant::DecBeforeFlush, by("tlb-two-discards", "D35")),
    (Variant::PmdFlush, by("tlb-split", "D4")),
    (Variant::ClearRefsFlush, by("tlb-spurious", "D35")),
    (Variant::AgeFlush, by("tlb-age", "D40")),
    (Variant::OFlushDone, by("tlb-two-discards", "D35")),
    (Variant::OFlushPending, by("tlb-two-discards", "D35")),
    (Variant::M21, by("g2-cow-stale-reader", "D38")),
    (Variant::M22, by("cow-parent-child", "D24")),
    (Variant::B06, by("gup-pipe-parent-write", "D38")),
    (Variant::B01, by("gup-force-dontneed", "D37")),
    (Variant::OPut, by("cow-parent-child", "D24")),
    (Variant::OLastPut, by("cow-parent-child", "D24")),
    (Variant::M23, by("cow-parent-child", "D27")),
    (Variant::M25, by("mkwrite-truncate", "D41")),
    (Variant::MkwriteSame, by("mkwrite-dontneed", "D23")),
    (Variant::M26, by("fault-cut-and-grow", "D41")),
    (Variant::M26Shmem, by("shmem-wp-truncate", "D41")),
    (Variant::M26Around, by("around-cut-and-return", "D41")),
    (Variant::M27, by("miss-truncate", "D42")),
    (Variant::M27Shmem, by("shmem-truncate", "D42")),
    (Variant::M29, by("file-readers", "D15")),
    (Variant::M29Around, by("fault-around", "D15")),
    (Variant::SlotSame, by("slot-reuse", "D41")),
    (Variant::SlotAround, by("slot-reuse-around", "D41")),
    (Variant::TruncateGone, by("shmem-truncate", "D41")),
    (Variant::M35, by("migrate-write", "D14")),
    (Variant::M37, by("fault-munmap", "D50")),
    (Variant::M38, by("fault-munmap", "D50")),
    (Variant::M38Release, by("fault-munmap", "D50")),
    (Variant::M39, by("fault-munmap", "D24")),
    (Variant::VmaRange, by("fault-munmap-cut", "D24")),
    (Variant::M42, by("stack-munmap", "D50")),
    (Variant::NumaSplitting44, by("huge-numa-scan-split-4.4", "D23")),
    (Variant::C01, by("pmd-none-huge-dontneed", "D9")),
    (Variant::NumaInvalidate, by("huge-numa-scan-dontneed", "D48")),
    (Variant::StackStart44, by("stack-grown-further-4.4", "D24")),
    (Variant::StackGrown, by("stack-two-growers", "D24")),
    (Variant::M43, by("same-pte-new-table", "D24")),
    (Variant::M44, by("anon-prepare-neighbour", "D49")),
    (Variant::NumaSame, by("numa-two-faults", "D14")),
    (Variant::NumaSameAgain, by("numa-two-faults", "D18")),
    (Variant::MigrateSame, by("numa-dontneed", "is not a frame")),
    (Variant::MigrateCount, by("g2-cow-lock-wait", "never reached")),
    (Variant::ArriveSame, by("numa-dontneed", "D12")),
    (Variant::LockPageSame, by("g2-cow-lock-wait", "D23")),
    (Variant::M61, by("fork-two-writers", "D37")),
    (Variant::M62, by("fork-write", "D35")),
    (Variant::M64, by("cow-truncate", "D42")),
    (Variant::M68, by("fault-munmap", "deadlock")),
    (Variant::M5, by("same-pte-new-table", "D14")),
    (Variant::OReadTable, by("same-pte-four-levels", "D5")),
    (Variant::OReadPmd, by("same-pte-new-table", "D5")),
    (Variant::OSetPte, by("same-pte", "D14")),
    (Variant::OWalk, by("same-pte", "D14")),
    (Variant::OMapcount, by("g2-cow-parent-child", "D24")),
    (Variant::OLastMapping, by("g2-cow-parent-child", "D24")),
    (Variant::OHugeZero, by("huge-zero-zero", "D14")),
    (Variant::OFirstHugeZero, by("huge-zero-zero", "D14")),
    (Variant::M45, by("collapse-munmap-cut", "D7")),
    (Variant::M45Pmd, by("collapse-collapse", "D2")),
    (Variant::M46, by("collapse-anon-write", "D2")),
    (Variant::M47, by("gup-writev-collapse", "D37")),
    (Variant::CollapseFlush, by("collapse-write", "D36")),
    (Variant::ModifyProt, by("mprotect-marks", "D40")),
    (Variant::UpgradeExclusive, by("mprotect-upgrade-shared", "D26")),
    (Variant::MprotectFlush, by("mprotect-flush", "D35")),
    (Variant::HugeProtExchange, by("mprotect-huge-marks", "D40")),
    (Variant::M9, by("huge-small-dontneed-4.4", "D2")),
    (
        Variant::M10,
        never("whoever unlinks a table (collapse, munmap) has shut out every fault before; retraction would not"),
    ),
    (
        Variant::M27Around,
        never("a page beyond a new end is either unmapped by the truncation's second pass or was never added"),
    ),
    (Variant::InvalidateLock, never("no actor takes a page's contents away again")),
    (
        Variant::DirtyZap,
        never("nothing writes pages back, so a page that an entry marked as dirty is known to be dirty already"),
    ),
    (Variant::OReadPte, never("whoever acts on a PTE that it read without the lock takes the lock and looks again")),
    (Variant::OClearPte, never("the lock of the table and the flush that follows order the same")),
    (Variant::OWrprotect, never("the lock of the table and the flush that follows order the same")),
    (Variant::OSize, by("huge-shmem-truncate", "D14")),
    (Variant::OSetSize, by("huge-shmem-truncate", "D14")),
    (Variant::OSlot, by("huge-shmem-writers", "D14")),
    (Variant::OAddFolio, never("the reference that is tried for next orders the same")),
    (Variant::OAddHuge, by("huge-shmem-writers", "D14")),
    (Variant::ORemoveHuge, never("the reference that is tried for next orders the same")),
    (Variant::ORemoveFolio, never("the reference that is tried for next orders the same")),
    (Variant::OTryGet, by("slot-reuse", "D14")),
    (Variant::OUptodate, never("everybody who needs the contents takes the folio lock, which orders the same")),
    (Variant::OContents, never("everybody who needs the contents takes the folio lock, which orders the same")),
    (Variant::OBeginRead, never("the folio lock, which goes from one to the other, orders the same")),
    (Variant::OEndRead, never("the folio lock, which goes from one to the other, orders the same")),
    (Variant::OMark, never("what hardware marks is read by who takes the entry out, and data is ordered by the flush")),
    (Variant::OrderWithAdders, on_loom("shmem-truncate", "D42")),
    (Variant::M3, by("huge-small", "D1")),
    (Variant::M3Zero, by("huge-zero", "D1")),
    (Variant::SetPmdNone, never("whoever fills the entry has a page of the same folio, and so its lock")),
    (Variant::M6, by("huge-accessed-split", "D23")),
    (Variant::M8, by("huge-accessed-zap", "D27")),
    (Variant::HugeWpSame, by("huge-wp-split", "D23")),
    (Variant::HugeWpSameAgain, by("huge-wp-migrate", "D9")),
    (Variant::HugeWpCount, by("huge-fork-write", "D27")),
    (Variant::CopyFirst44, by("huge-cow-two-threads-4.4", "D15")),
    (Variant::CopySame44, by("huge-cow-two-threads-4.4", "D1")),
    (Variant::FallbackSame44, by("huge-cow-two-threads-4.4", "D15")),
    (Variant::M35Huge, by("huge-migrate-read", "D14")),
    (Variant::HugeMigrateSame, by("huge-migrate-split", "D21")),
    (Variant::HugeMigrateCount, by("gup-writev-huge-migrate", "D37")),
    (Variant::HugeArriveSame, by("huge-migrate-split", "D44")),
    (Variant::M66, by("huge-accessed-split", "D4")),
    (Variant::TruncateWaitsForPml, by("huge-shmem-zap-truncate", "D24")),
    (Variant::AnonPrepareTries, by("fault-munmap", "D53")),
    (Variant::VmaStartWrite, by("fault-munmap", "D49")),
    (Variant::HugetlbMutex, by("hugetlb-two-faults", "D57")),
    (Variant::HugetlbVmaLock, by("hugetlb-dontneed", "not declared")),
    (Variant::HugetlbNone, never("the fault mutex keeps everybody away who could fill the entry")),
    (Variant::HugetlbStable, never("the fault mutex keeps everybody away who could fill the entry")),
    (Variant::HugetlbSame, by("hugetlb-wp-dontneed", "D24")),
    (Variant::HugetlbCopySame, by("hugetlb-cow-dontneed", "D14")),
    (Variant::HugetlbUnmapSame, by("hugetlb-cow-unmaps-dontneed", "livelock")),
    (Variant::HugetlbUnmapped, by("hugetlb-cow-unmaps", "D38")),
    (Variant::HugetlbFlush, by("hugetlb-cow-flush", "D35")),
    (Variant::HugetlbUnmapFlush, by("hugetlb-cow-unmaps", "D35")),
    (Variant::HugetlbProtFlush, by("mprotect-hugetlb", "D35")),
    (Variant::OEntireMapcount, never("who decides by it holds the folio lock, or changes only its own entry")),
    (Variant::OLastHugeMapping, never("who decides by it holds the folio lock, or changes only its own entry")),
    (Variant::OSetPmd, by("huge-small", "D14")),
    (Variant::OExchangePmd, never("the lock of the table and the flush that follows order the same")),
    (Variant::OSetHugePte, by("hugetlb-two-faults", "D14")),
    (
        Variant::OReadHugePte,
        never("whoever acts on an entry that it read without the lock takes the lock and looks again"),
    ),
    (Variant::OClearHugePte, never("the lock of the table and the flush that follows order the same")),
    (Variant::OBegin, by("slot-reuse", "D14")),
    (Variant::OAddHugetlb, never("who finds the folio takes its lock, or has the fault mutex, which orders the same")),
    (Variant::OUpdatePmd, never("the lock of the table and the flush that follows order the same")),
    (
        Variant::OWalkHugePte,
        never("who walks has the hugetlb lock of the VMA for writing, which faults share, or all of the mmap lock"),
    ),
    (Variant::OHugeWrprotect, never("the lock of the table and the flush that follows order the same")),
    (Variant::OLeavePool, never("who looks for a folio of the pool has the fault mutex, which orders the same")),
    (Variant::OSetOnce, by("same-pte-new-table", "O1 (whoever sees the pointer")),
    (Variant::OGetOnce, by("same-pte-new-table", "O1 (whoever sees the pointer")),
    (
        Variant::ORcuEnter,
        never("of two updates of one word the later sees the earlier; only stale loads would tell, and there it stays"),
    ),
    (Variant::ORcuLook, by("fault-munmap", "I1 of RCU")),
    (Variant::ORcuLeave, by("fault-munmap", "D50")),
    (Variant::ORcuOver, by("fault-munmap", "D50")),
    (Variant::ORcuPublish, by("fault-munmap", "I1 of RCU")),
    (Variant::ORcuGet, by("fault-munmap", "I1 of RCU")),
];

/// How it is known that this is needed.
///
/// # Panics
/// If nobody has said so yet.
pub fn shown_by(variant: Variant) -> Shown {
    let known = SHOWN.iter().find(|(known, _)| *known == variant);
    known.unwrap_or_else(|| panic!("nobody has said who notices {}", variant.name())).1
}

/// Re-checks that never lose their race, with the reason.
const NEVER_LOST: &[(Variant, &str)] = &[
    (Variant::M10, "whoever unlinks a table (collapse, munmap) has shut out every fault before; retraction would not"),
    (Variant::M22, "whoever refers to an anonymous page holds the lock of its table; GUP-fast would not"),
    (Variant::InvalidateLock, "no actor takes a page's contents away again"),
    (Variant::HugetlbNone, "the fault mutex keeps everybody away who could fill it"),
    (Variant::HugetlbStable, "the fault mutex keeps everybody away who could fill it"),
    (Variant::SetPmdNone, "whoever fills the entry has a page of the same folio, and so its lock"),
];

/// Why a re-check never loses its race, if it does not.
pub fn never_lost(variant: Variant) -> Option<&'static str> {
    NEVER_LOST.iter().find(|(known, _)| *known == variant).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_stands_there_once() {
        for variant in Variant::ALL {
            assert_eq!(SHOWN.iter().filter(|(known, _)| known == variant).count(), 1, "{}", variant.name());
        }
    }
}
