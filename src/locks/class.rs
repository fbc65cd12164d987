//! Classes of locks: lockdep reasons about kinds of locks, not about single ones.
//!
//! Two locks of one class nest only if the inner one is taken in a [`Subclass`] of its own, which says that the caller
//! has a reason why nobody does it the other way round.

use std::fmt;

/// How a lock excludes, and whether its waiters sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// A spinlock: its holder does not sleep.
    Spin,
    /// A mutex: its waiters sleep.
    Mutex,
    /// A fair reader-writer semaphore: its waiters sleep.
    RwSem,
    /// A lock bit: its waiters sleep, and whoever finishes the work releases it.
    Bit,
}

impl LockKind {
    /// Whether who waits for it sleeps.
    pub const fn sleeps(self) -> bool {
        match self {
            Self::Spin => false,
            Self::Mutex | Self::RwSem | Self::Bit => true,
        }
    }
}

macro_rules! classes {
    ($($name:ident = $kind:ident $words:literal, $what:literal;)*) => {
        /// A class of locks, in the order of the hierarchy: the outermost first, as far as there is an order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LockClass {
            $(#[doc = $what] $name,)*
        }

        impl LockClass {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name by which lockdep and stories call it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }

            /// How it excludes.
            pub const fn kind(self) -> LockKind {
                match self { $(Self::$name => LockKind::$kind,)* }
            }
        }
    };
}

classes! {
    Inode = RwSem "inode->i_rwsem", "Who changes a file's size.";
    MmapLock = RwSem "mm->mmap_lock", "The lock of an address space.";
    VmaLock = RwSem "vma->vm_lock", "The lock of a VMA, by which a fault does without the mmap lock.";
    InvalidateLock = RwSem "mapping->invalidate_lock", "Who keeps pages from being added to a page cache.";
    HugetlbFaultMutex = Mutex "hugetlb_fault_mutex_table", "Faults in one huge page of hugetlb.";
    HugetlbVmaLock = RwSem "hugetlb_vma_lock", "A VMA of hugetlb, against who unmaps it.";
    ResvMapSema = RwSem "resv_map->rw_sema", "The same for a private mapping.";
    Folio = Bit "folio lock", "The lock bit of a folio.";
    IMmap = RwSem "mapping->i_mmap_rwsem", "The VMAs that map a file.";
    AnonVma = RwSem "anon_vma->rwsem", "The VMAs that can map an anonymous page.";
    PageTableLock = Spin "mm->page_table_lock", "The upper tables of an address space.";
    Pml = Spin "page->ptl (PMD)", "The lock of a PMD table, or of the table that maps a huge page.";
    Ptl = Spin "page->ptl", "The lock of a PTE table.";
    IPages = Spin "mapping->i_pages", "The index of a page cache.";
    ResvMap = Spin "resv_map->lock", "The reservations of a hugetlb mapping.";
    Hugetlb = Spin "hugetlb_lock", "The pool of huge pages.";
    MemcgStock = Spin "memcg_stock.lock", "What a CPU has charged beforehand.";
    Pcp = Spin "pcp->lock", "A CPU's list of free pages.";
    Zone = Spin "zone->lock", "The buddy allocator.";
    LruBatch = Spin "cpu_fbatches.lock", "Pages on their way to an LRU list.";
    Lru = Spin "lruvec->lru_lock", "The LRU lists.";
    Instruction = Spin "instruction", "Between two instructions of a CPU: interrupts are taken when it is free.";
}

impl fmt::Display for LockClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Which of the nested locks of one class this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subclass {
    /// The only one, or the outer one.
    #[default]
    Outer,
    /// The inner one (`SINGLE_DEPTH_NESTING`).
    Nested,
}

/// What lockdep tells apart: a class, and how deep in itself it is nested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockKey {
    /// The class.
    pub class: LockClass,
    /// How deep.
    pub subclass: Subclass,
}

/// Subclasses of a class.
const DEPTH: usize = 2;

impl LockKey {
    /// How many keys there are, at most.
    pub(super) const COUNT: usize = 64;

    /// The usual key of a class.
    pub const fn of(class: LockClass) -> Self {
        Self { class, subclass: Subclass::Outer }
    }

    /// The key of the inner one of two.
    pub const fn nested(class: LockClass) -> Self {
        Self { class, subclass: Subclass::Nested }
    }

    /// Every key.
    pub fn all() -> impl Iterator<Item = Self> {
        LockClass::ALL.iter().flat_map(|class| [Self::of(*class), Self::nested(*class)])
    }

    pub(super) const fn index(self) -> usize {
        self.class as usize * DEPTH + self.subclass as usize
    }
}

const _: () = assert!(LockClass::ALL.len() * DEPTH <= LockKey::COUNT, "a set of keys is a word of 64 bits");

impl From<LockClass> for LockKey {
    fn from(class: LockClass) -> Self {
        Self::of(class)
    }
}

impl fmt::Display for LockKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&match self.subclass {
            Subclass::Outer => self.class.name().to_owned(),
            Subclass::Nested => format!("{}/1", self.class.name()),
        })
    }
}

/// A set of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySet(u64);

impl KeySet {
    pub(super) fn add(&mut self, key: LockKey) {
        self.0 |= 1 << key.index();
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the key is one of them.
    pub fn contains(self, key: LockKey) -> bool {
        self.0 >> key.index() & 1 == 1
    }

    /// The keys, outermost first.
    pub fn iter(self) -> impl Iterator<Item = LockKey> {
        LockKey::all().filter(move |key| self.contains(*key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_place_and_a_name_of_its_own() {
        let indices: std::collections::BTreeSet<_> = LockKey::all().map(LockKey::index).collect();
        assert_eq!(indices.len(), LockKey::all().count());
        let names: std::collections::BTreeSet<_> = LockKey::all().map(|key| key.to_string()).collect();
        assert_eq!(names.len(), indices.len());
        assert_eq!(LockKey::nested(LockClass::Ptl).to_string(), "page->ptl/1");
    }

    #[test]
    fn a_set_gives_back_what_it_got() {
        let mut set = KeySet::default();
        let keys = [LockKey::of(LockClass::MmapLock), LockKey::nested(LockClass::Ptl)];
        keys.into_iter().for_each(|key| set.add(key));
        assert!(set.iter().eq(keys));
        let mut other = KeySet::default();
        other.add(keys[1]);
        assert!(set.and(other).iter().eq([keys[1]]));
    }
}
