//! The pool of huge pages that hugetlb mappings are made of (`mm/hugetlb.c`, `struct hstate`).
//!
//! # State of a folio of the pool
//!
//! ```text
//!   set aside at boot ---> free ---- dequeue ----> in use
//!                           ^                        |
//!                           +---- the last put ------+      never to the buddy allocator
//! ```
//!
//! # Invariants
//! - I1 (D57). Free folios and folios in use are together as many as were set aside.
//! - I2. `free >= reserved`: who has a reservation finds a free folio. Whoever has none takes only what nobody has
//!   reserved.
//! - I3. A folio is on the list only after the last reference is gone, so who takes it is alone with it.
//!
//! Surplus pages (`nr_overcommit_hugepages`), pools of other sizes and nodes, subpools (a size limit of a mount) and
//! the hugetlb cgroup are not modelled: what the pool has not, nobody gets.

use std::fmt;

use crate::locks::{LockClass, Spin};
use crate::platform::{Platform, Tally, enter, remark};

use super::address::Pfn;
use super::config::PhysConfig;
use super::cpu::CpuId;
use super::memory::PhysMem;
use super::page::PageState;

/// The pool has no folio for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolEmpty;

/// By which right a folio is taken from the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It was reserved: the reservation is used up.
    Reserved,
    /// There is none, so it must be one that nobody has reserved.
    Spare,
}

/// Whether a folio that goes back to the pool is reserved again (`HPageRestoreReserve`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// It was taken by a reservation, and never shown to anybody.
    Yes,
    /// It was not.
    No,
}

#[derive(Debug, Default)]
struct Pool {
    free: Vec<Pfn>,
    resv_huge_pages: u64,
}

/// Fault mutexes; Linux has eight for each CPU.
const NUM_FAULT_MUTEXES: usize = 4;

/// The pool, and the mutexes that let one fault at a time take from it for one page.
pub struct Hstate<P: Platform> {
    nr_huge_pages: usize,
    hugetlb_lock: Spin<P, Pool>,
    fault_mutex_table: [Spin<P, ()>; NUM_FAULT_MUTEXES],
    allocated: P::Counter,
    freed: P::Counter,
}

impl<P: Platform> Hstate<P> {
    pub(super) fn new(config: &PhysConfig) -> Self {
        Self {
            nr_huge_pages: config.nr_hugepages,
            hugetlb_lock: Spin::new(LockClass::Hugetlb, Pool::default()),
            fault_mutex_table: std::array::from_fn(|_| Spin::new(LockClass::HugetlbFaultMutex, ())),
            allocated: P::Counter::default(),
            freed: P::Counter::default(),
        }
    }

    /// Huge pages of the pool, free or in use (`HugePages_Total`).
    pub fn nr_huge_pages(&self) -> usize {
        self.nr_huge_pages
    }

    /// Those that are free (`HugePages_Free`). Where there is no pool, the lock is not touched.
    pub fn free_huge_pages(&self) -> usize {
        if self.nr_huge_pages == 0 { 0 } else { self.hugetlb_lock.lock().free.len() }
    }

    /// Those that somebody has reserved and not yet used (`HugePages_Rsvd`). Where there is no pool, the lock is not
    /// touched.
    pub fn resv_huge_pages(&self) -> u64 {
        if self.nr_huge_pages == 0 { 0 } else { self.hugetlb_lock.lock().resv_huge_pages }
    }

    /// Folios handed out so far.
    pub fn allocated(&self) -> i64 {
        self.allocated.read()
    }

    /// Folios that came back so far.
    pub fn freed(&self) -> i64 {
        self.freed.read()
    }

    /// The mutex of whatever has this hash (`hugetlb_fault_mutex_table`). To the engines a mutex and a spinlock are the
    /// same thing: a lock with one owner.
    pub fn fault_mutex(&self, hash: u64) -> &Spin<P, ()> {
        &self.fault_mutex_table[hash as usize % NUM_FAULT_MUTEXES]
    }

    /// Sets so many pages aside for one mapping (`hugetlb_acct_memory` with a positive number).
    ///
    /// # Errors
    /// If the pool has not that many that nobody has reserved.
    pub fn reserve(&self, pages: u64) -> Result<(), PoolEmpty> {
        let mut pool = self.hugetlb_lock.lock();
        if pool.resv_huge_pages + pages > pool.free.len() as u64 {
            return Err(PoolEmpty);
        }
        pool.resv_huge_pages += pages;
        Ok(())
    }

    /// Gives reservations back that nobody will use (`hugetlb_acct_memory` with a negative number).
    ///
    /// # Panics
    /// If there are not that many (D57).
    pub fn unreserve(&self, pages: u64) {
        if pages == 0 {
            return;
        }
        let mut pool = self.hugetlb_lock.lock();
        let left = pool.resv_huge_pages.checked_sub(pages);
        pool.resv_huge_pages = left.expect("D57: more reservations are given back than there are");
    }

    fn dequeue(&self, claim: Claim) -> Result<Pfn, PoolEmpty> {
        let mut pool = self.hugetlb_lock.lock();
        let spare = (pool.free.len() as u64).saturating_sub(pool.resv_huge_pages);
        remark::<P>(format_args!("the pool has {} free, {} reserved", pool.free.len(), pool.resv_huge_pages));
        match claim {
            Claim::Reserved => {
                let left = pool.resv_huge_pages.checked_sub(1);
                pool.resv_huge_pages = left.expect("D57: a reservation is used that nobody has");
            }
            Claim::Spare if spare == 0 => return Err(PoolEmpty),
            Claim::Spare => {}
        }
        self.allocated.add(1);
        Ok(pool.free.pop().expect("I2: what is reserved or spare is free"))
    }

    fn enqueue(&self, folio: Pfn, restore: Restore) {
        let mut pool = self.hugetlb_lock.lock();
        pool.free.push(folio);
        pool.resv_huge_pages += u64::from(restore == Restore::Yes);
        self.freed.add(1);
    }
}

impl<P: Platform> PhysMem<P> {
    /// Fills the pool, when the machine boots.
    ///
    /// # Panics
    /// If memory is too small for it.
    pub(super) fn hugetlb_hstate_alloc_pages(&self, folios: usize) {
        for _ in 0..folios {
            let head = self.alloc_huge(CpuId::new(0), PageState::Pool).expect("memory has room for its hugetlb pool");
            assert!(self.page(head).put(), "nobody refers to a folio of the pool");
            self.hstate().hugetlb_lock.lock().free.push(head);
        }
    }

    /// A folio of the pool, with one reference; its words are whatever they were (`dequeue_hugetlb_folio_vma`).
    ///
    /// # Errors
    /// If there is none for this claim.
    pub fn dequeue_hugetlb_folio(&self, cpu: CpuId, claim: Claim) -> Result<Pfn, PoolEmpty> {
        enter::<P>("dequeue_hugetlb_folio_vma", format_args!("claim={claim:?}")).run(
            || {
                let head = self.hstate().dequeue(claim)?;
                self.frames_of_folio(head).for_each(|frame| self.page(frame).leave_pool(cpu));
                Ok(head)
            },
            |result| result.map_or_else(|_| "NULL".to_owned(), |head| format!("folio {head}")),
        )
    }

    /// Drops the only reference to a folio that was taken from the pool and not used.
    ///
    /// # Panics
    /// If somebody else refers to it.
    pub fn put_unused_hugetlb_folio(&self, head: Pfn, restore: Restore) {
        assert!(self.page(head).put(), "D16: a folio that is not used has one reference");
        self.free_huge_folio(head, restore);
    }

    /// The last reference is gone: the folio goes back to the pool (`free_huge_folio`).
    pub(super) fn free_huge_folio(&self, head: Pfn, restore: Restore) {
        enter::<P>("free_huge_folio", format_args!("folio={head}, restore reserve: {restore:?}")).run(
            || {
                for frame in self.frames_of_folio(head) {
                    self.assert_not_translated(frame);
                    self.page(frame).enter_pool();
                }
                self.hstate().enqueue(head, restore);
            },
            |()| String::new(),
        );
    }
}

impl<P: Platform> fmt::Debug for Hstate<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hstate").field("nr_huge_pages", &self.nr_huge_pages).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Native, X86_64};

    const CPU: CpuId = CpuId::new(0);

    fn memory(nr_hugepages: usize) -> PhysMem<Native<X86_64>> {
        let config = PhysConfig { nr_hugepages, ..PhysConfig::linux(Pfn::truncate(0x1000), 2048, 1) };
        PhysMem::new(&config).expect("a little memory")
    }

    fn numbers(memory: &PhysMem<Native<X86_64>>) -> (usize, u64) {
        (memory.hstate().free_huge_pages(), memory.hstate().resv_huge_pages())
    }

    #[test]
    fn a_folio_goes_back_to_the_pool_and_never_to_the_buddy_allocator() {
        let memory = memory(2);
        let free = memory.zone().free_frames();
        assert_eq!(free, 2048 - 1024);
        let folio = memory.dequeue_hugetlb_folio(CPU, Claim::Spare).expect("two are free");
        assert_eq!((memory.page(folio).state(), memory.page(folio).refcount()), (PageState::Hugetlb, 1));
        let tail = Pfn::truncate(folio.number() + 511);
        memory.put_page(CPU, tail);
        assert_eq!((memory.page(tail).state(), memory.folio_of(tail)), (PageState::Pool, folio), "still one folio");
        assert_eq!((memory.zone().free_frames(), numbers(&memory)), (free, (2, 0)));
    }

    #[test]
    fn what_is_reserved_is_kept_for_who_reserved_it() {
        let memory = memory(2);
        assert_eq!(memory.hstate().reserve(3), Err(PoolEmpty));
        assert_eq!(memory.hstate().reserve(2), Ok(()));
        assert_eq!(memory.dequeue_hugetlb_folio(CPU, Claim::Spare), Err(PoolEmpty));
        let folio = memory.dequeue_hugetlb_folio(CPU, Claim::Reserved).expect("it was reserved");
        assert_eq!(numbers(&memory), (1, 1));
        memory.put_unused_hugetlb_folio(folio, Restore::Yes);
        assert_eq!(numbers(&memory), (2, 2));
        memory.hstate().unreserve(1);
        assert!(memory.dequeue_hugetlb_folio(CPU, Claim::Spare).is_ok(), "one is spare now");
    }

    #[test]
    fn an_empty_pool_has_nothing_for_anybody() {
        let memory = memory(0);
        assert_eq!(memory.hstate().reserve(1), Err(PoolEmpty));
        assert_eq!(memory.dequeue_hugetlb_folio(CPU, Claim::Spare), Err(PoolEmpty));
    }
}
