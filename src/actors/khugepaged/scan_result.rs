//! Why small pages stay small (`enum scan_result`).

use thiserror::Error;

/// A result other than `SCAN_SUCCEED`; the name is Linux's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotCollapsed {
    /// What was scanned is no longer there.
    #[error("SCAN_FAIL: the PMD entry is another one by now")]
    Fail,
    /// There is no PTE table.
    #[error("SCAN_PMD_NULL: there is no table")]
    PmdNull,
    /// The PMD entry is empty.
    #[error("SCAN_PMD_NONE: the PMD entry is empty")]
    PmdNone,
    /// The PMD entry is huge already.
    #[error("SCAN_PMD_MAPPED: it is a huge page already")]
    PmdMapped,
    /// More empty entries than it is worth.
    #[error("SCAN_EXCEED_NONE_PTE: too much is empty")]
    ExceedNonePte,
    /// More entries that are not present than it is worth.
    #[error("SCAN_EXCEED_SWAP_PTE: too much is not present")]
    ExceedSwapPte,
    /// More pages that others map than it is worth.
    #[error("SCAN_EXCEED_SHARED_PTE: too much is shared")]
    ExceedSharedPte,
    /// An entry is neither empty nor present.
    #[error("SCAN_PTE_NON_PRESENT: an entry is neither empty nor present")]
    PteNonPresent,
    /// Nobody may write to any of the pages.
    #[error("SCAN_PAGE_RO: no entry is writable")]
    PageRo,
    /// Nobody has used any of the pages lately.
    #[error("SCAN_LACK_REFERENCED_PAGE: no page was used lately")]
    LackReferencedPage,
    /// An entry maps no page of its own.
    #[error("SCAN_PAGE_NULL: an entry maps no page that is counted")]
    PageNull,
    /// A page, or the VMA, is not anonymous.
    #[error("SCAN_PAGE_ANON: it is not anonymous memory, or none was ever written")]
    PageAnon,
    /// Somebody has locked a page.
    #[error("SCAN_PAGE_LOCK: a page is locked")]
    PageLock,
    /// Somebody refers to a page besides the entries that map it.
    #[error("SCAN_PAGE_COUNT: somebody refers to a page besides those who map it")]
    PageCount,
    /// A page is not on its LRU list.
    #[error("SCAN_DEL_PAGE_LRU: a page is not on its list")]
    DelPageLru,
    /// Nothing is mapped there.
    #[error("SCAN_VMA_NULL: nothing is mapped there")]
    VmaNull,
    /// The mapping may have no huge pages, or its advice says that it is not to.
    #[error("SCAN_VMA_CHECK: the mapping is not to have huge pages")]
    VmaCheck,
    /// A huge page reaches beyond the mapping.
    #[error("SCAN_ADDRESS_RANGE: a huge page does not fit into the mapping")]
    AddressRange,
    /// No huge page is free.
    #[error("SCAN_ALLOC_HUGE_PAGE_FAIL: no huge page is free")]
    AllocHugePageFail,
    /// The memory cgroup is at its limit.
    #[error("SCAN_CGROUP_CHARGE_FAIL: the cgroup is at its limit")]
    CgroupChargeFail,
}

impl NotCollapsed {
    /// The name alone.
    pub fn name(self) -> String {
        self.to_string().split(':').next().unwrap_or_default().to_owned()
    }
}
