//! How large physical memory is and how its per-CPU parts are tuned.

use super::address::Pfn;

/// Sizes of a machine's memory.
#[derive(Clone, Copy, Debug)]
pub struct PhysConfig {
    /// The first frame.
    pub first: Pfn,
    /// Frames in all.
    pub frames: usize,
    /// CPUs, each with lists of its own.
    pub cpus: usize,
    /// Frames that a CPU takes from the buddy allocator at a time (`pcp->batch`).
    pub pcp_batch: usize,
    /// Frames that a CPU keeps at most before it gives a batch back (`pcp->high`).
    pub pcp_high: usize,
    /// Folios that a CPU gathers before it adds them to the LRU lists (`PAGEVEC_SIZE`).
    pub lru_batch: usize,
    /// Pages that the memory cgroup may charge.
    pub memcg_limit_pages: u64,
    /// Pages that a CPU charges at a time (`MEMCG_CHARGE_BATCH`).
    pub memcg_batch_pages: u64,
    /// Huge pages that are set aside at boot for hugetlb mappings (`hugepages=` on the command line).
    pub nr_hugepages: usize,
}

impl PhysConfig {
    /// A machine with Linux's own tuning.
    pub const fn linux(first: Pfn, frames: usize, cpus: usize) -> Self {
        Self {
            first,
            frames,
            cpus,
            pcp_batch: 63,
            pcp_high: 378,
            lru_batch: 15,
            memcg_limit_pages: u64::MAX / 2,
            memcg_batch_pages: 64,
            nr_hugepages: 0,
        }
    }
}
