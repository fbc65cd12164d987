//! What the tables of an address space say, read when nobody runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::mm::{EntryAt, FaultCounts, Mm};
use crate::phys::{Mapping, PageState, Pfn, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform};
use crate::x86::{PmdVal, PteVal, TableVal, VirtAddr};

use super::ghost::GhostLog;
use super::shown::Files;

/// Every table and every mapped page of an address space.
#[derive(Debug, Default)]
pub struct Layout {
    /// The root table; `None` for an address space that is gone.
    pub root: Option<Pfn>,
    /// Tables below the root, with their levels, once for each entry that points to one.
    pub tables: Vec<(Pfn, u32)>,
    /// Entries of PTE tables that are not empty, with the addresses that they translate.
    pub pages: BTreeMap<VirtAddr, PteVal>,
    /// Entries of PMD tables that are not empty, with the addresses that they translate from.
    pub pmds: BTreeMap<VirtAddr, PmdVal>,
    /// Those of them that map a huge page.
    pub huge: BTreeMap<VirtAddr, PmdVal>,
    /// Those of them that map a folio of the hugetlb pool.
    pub hugetlb: BTreeSet<VirtAddr>,
    /// PMD tables, with how many of their entries map a huge page of anonymous memory that is not of the pool: each has
    /// a deposit.
    pub pmd_tables: BTreeMap<Pfn, usize>,
    /// Tables that are deposited for huge entries.
    pub deposits: Vec<Pfn>,
    /// How many entries map each frame; a huge one counts for the first frame.
    mappings: BTreeMap<Pfn, i64>,
}

impl Layout {
    /// Reads the tables of `mm`.
    pub fn of<P: Platform>(mm: &Mm<P>) -> Self {
        let mut layout = Self { root: Some(mm.pgd()), ..Self::default() };
        layout.read(mm, EntryAt::of::<P>(mm.pgd(), P::GEOMETRY.levels, VirtAddr::ZERO));
        layout
    }

    /// Entries that map the frame.
    pub fn mappings(&self, pfn: Pfn) -> i64 {
        self.mappings.get(&pfn).copied().unwrap_or(0)
    }

    /// The small entry of the page that holds `address`.
    pub fn entry_for<P: Platform>(&self, address: VirtAddr) -> Option<PteVal> {
        self.pages.get(&address.page_start(P::GEOMETRY)).copied()
    }

    /// The frame that `address` lies in, if a page is mapped there.
    pub fn frame_for<P: Platform>(&self, address: VirtAddr) -> Option<Pfn> {
        let page = address.page_start(P::GEOMETRY);
        if let Some(entry) = self.pages.get(&page) {
            return Some(entry.pfn());
        }
        let (start, entry) = self.huge.range(..=page).next_back()?;
        let number = page.page_number(P::GEOMETRY) - start.page_number(P::GEOMETRY);
        (number < P::GEOMETRY.entries() as u64).then(|| Pfn::truncate(entry.pfn().number() + number))
    }

    /// Every page that is mapped, by a small entry or below a huge one, with its frame.
    pub fn frames<P: Platform>(&self) -> impl Iterator<Item = (VirtAddr, Pfn)> + '_ {
        let small = self.pages.iter().filter(|(_, entry)| entry.is_present());
        let below = |(start, entry): (&VirtAddr, &PmdVal)| {
            let (start, head) = (*start, entry.pfn().number());
            (0..P::GEOMETRY.entries() as u64)
                .map(move |page| (start.offset(page * P::GEOMETRY.page_size()), Pfn::truncate(head + page)))
        };
        small.map(|(address, entry)| (*address, entry.pfn())).chain(self.huge.iter().flat_map(below))
    }

    fn add_pmd<P: Platform>(&mut self, memory: &PhysMem<P>, table: Pfn, address: VirtAddr, entry: PmdVal) {
        self.pmds.insert(address, entry);
        if entry.is_huge() {
            self.huge.insert(address, entry);
            match memory.page(entry.pfn()).state() {
                PageState::Hugetlb | PageState::Pool => {
                    self.hugetlb.insert(address);
                }
                PageState::Free | PageState::Reserved | PageState::User | PageState::Table { .. } => {
                    let mapping = memory.page(entry.pfn()).mapping();
                    let of_a_file = matches!(mapping, Mapping::File(_) | Mapping::Shmem(_));
                    *self.pmd_tables.entry(table).or_default() += usize::from(!of_a_file);
                }
            }
            *self.mappings.entry(entry.pfn()).or_default() += 1;
        }
    }

    fn add_page(&mut self, address: VirtAddr, entry: PteVal) {
        self.pages.insert(address, entry);
        *self.mappings.entry(entry.pfn()).or_default() += 1;
    }

    fn read<P: Platform>(&mut self, mm: &Mm<P>, table: EntryAt) {
        if table.level == 2 {
            self.pmd_tables.insert(table.table, 0);
            self.deposits.extend(mm.memory().deposits(table.table));
        }
        for index in 0..P::GEOMETRY.entries() {
            let at = table.nth::<P>(index);
            let translates = at.address.bytes();
            if translates >= P::GEOMETRY.task_size() {
                break;
            }
            // ORDER none: nobody runs.
            let bits = mm.entry(at).load(Ordering::Relaxed);
            let pmd = PmdVal::from_bits(bits);
            if table.level == 2 && !pmd.is_none() {
                self.add_pmd(mm.memory(), table.table, VirtAddr::user(translates), pmd);
            }
            match (table.level, TableVal::from_bits(bits).target()) {
                (2, _) if pmd.is_huge() => {}
                (1, _) if PteVal::from_bits(bits).is_none() => {}
                (1, _) => self.add_page(VirtAddr::user(translates), PteVal::from_bits(bits)),
                (_, None) => {}
                (level, Some(child)) => {
                    self.tables.push((child, level - 1));
                    self.read(mm, EntryAt::of::<P>(child, level - 1, at.address));
                }
            }
        }
    }
}

/// An address space at rest: nobody runs, and every LRU batch is drained.
#[derive(Debug)]
pub struct Quiet<'a, P: Platform> {
    /// The address space.
    pub mm: &'a Mm<P>,
    /// What its tables say.
    pub layout: &'a Layout,
    /// The accounts of every task that ran in it.
    pub tasks: &'a [FaultCounts],
    /// What every task stored, loaded and discarded.
    pub ghost: &'a [GhostLog],
    /// The files, and what showed them.
    pub files: &'a Files<P>,
    /// The process that it shares pages with, if it has forked or was forked.
    pub kin: Option<Kin<'a>>,
}

/// Which end of a fork another process is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It was forked from this one.
    Child,
    /// This one was forked from it.
    Parent,
}

/// The other process, at rest too.
#[derive(Clone, Copy, Debug)]
pub struct Kin<'a> {
    /// Which one it is.
    pub relation: Relation,
    /// What its tables say.
    pub layout: &'a Layout,
    /// What every task stored, loaded and discarded there.
    pub ghost: &'a [GhostLog],
}

impl<P: Platform> Quiet<'_, P> {
    /// The tables of this address space, and of the one that it shares pages with.
    pub(super) fn layouts(&self) -> impl Iterator<Item = &Layout> {
        [self.layout].into_iter().chain(self.kin.map(|kin| kin.layout))
    }

    /// Entries that map the frame, in either.
    pub(super) fn mappings(&self, pfn: Pfn) -> i64 {
        self.layouts().map(|layout| layout.mappings(pfn)).sum()
    }
}
