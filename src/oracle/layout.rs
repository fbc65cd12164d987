//! What the tables of an address space say, read when nobody runs.

use std::collections::BTreeMap;

use crate::mm::{EntryAt, FaultCounts, Mm};
use crate::phys::Pfn;
use crate::platform::{AtomicWord, Ordering, Platform};
use crate::x86::{PteVal, TableVal, VirtAddr};

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
    /// How many entries map each frame.
    mappings: BTreeMap<Pfn, i64>,
}

impl Layout {
    /// Reads the tables of `mm`.
    pub fn of<P: Platform>(mm: &Mm<P>) -> Self {
        let mut layout = Self { root: Some(mm.pgd()), ..Self::default() };
        layout.read(mm, EntryAt { table: mm.pgd(), index: 0, level: P::GEOMETRY.levels }, 0);
        layout
    }

    /// Entries that map the frame.
    pub fn mappings(&self, pfn: Pfn) -> i64 {
        self.mappings.get(&pfn).copied().unwrap_or(0)
    }

    /// The entry of the page that holds `address`.
    pub fn entry_for<P: Platform>(&self, address: VirtAddr) -> Option<PteVal> {
        self.pages.get(&address.page_start(P::GEOMETRY)).copied()
    }

    fn add_page(&mut self, address: VirtAddr, entry: PteVal) {
        self.pages.insert(address, entry);
        *self.mappings.entry(entry.pfn()).or_default() += 1;
    }

    fn read<P: Platform>(&mut self, mm: &Mm<P>, table: EntryAt, base: u64) {
        let span = P::GEOMETRY.page_size() << ((table.level - 1) * P::GEOMETRY.index_bits);
        for index in 0..P::GEOMETRY.entries() {
            let translates = base + index as u64 * span;
            if translates >= P::GEOMETRY.task_size() {
                break;
            }
            // ORDER none: nobody runs.
            let bits = mm.entry(EntryAt { index, ..table }).load(Ordering::Relaxed);
            match (table.level, TableVal::from_bits(bits).target()) {
                (1, _) if PteVal::from_bits(bits).is_none() => {}
                (1, _) => self.add_page(VirtAddr::user(translates), PteVal::from_bits(bits)),
                (_, None) => {}
                (level, Some(child)) => {
                    self.tables.push((child, level - 1));
                    self.read(mm, EntryAt { table: child, index: 0, level: level - 1 }, translates);
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
