//! Entries of page tables: their bits on x86-64, and the bits that Linux (6.12) keeps in those that hardware ignores.
//!
//! | bit | present | not present |
//! |---|---|---|
//! | 0 | P | 0 |
//! | 1 | RW | soft-dirty |
//! | 2 | US | uffd-wp |
//! | 3 | PWT | anon-exclusive |
//! | 4 | PCD | free |
//! | 5, 6 | A, D | 0 |
//! | 7 | PAT (PTE), PSE (PMD) | 0 |
//! | 8 | G | PROT_NONE (with a frame), else 0 |
//! | 9 | special | 9-58: inverted offset |
//! | 10, 11 | uffd-wp, soft-dirty | |
//! | 12-51 | frame | (inverted frame if PROT_NONE) |
//! | 57, 58 | devmap, saved-dirty | |
//! | 59-62 | protection key | 59-63: type |
//! | 63 | NX | |
//!
//! The frame number stands at bit 12 in every geometry: an entry holds the number, not the address.

use std::fmt;

use bitflags::bitflags;

use crate::phys::Pfn;

bitflags! {
    /// The flags of a present entry.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct EntryFlags: u64 {
        /// The entry translates (`_PAGE_PRESENT`).
        const PRESENT = 1;
        /// Writes are allowed (`_PAGE_RW`).
        const WRITABLE = 1 << 1;
        /// User mode may use it (`_PAGE_USER`).
        const USER = 1 << 2;
        /// Write-through (`_PAGE_PWT`).
        const WRITE_THROUGH = 1 << 3;
        /// Cache disabled (`_PAGE_PCD`).
        const CACHE_DISABLED = 1 << 4;
        /// Hardware has used the entry (`_PAGE_ACCESSED`).
        const ACCESSED = 1 << 5;
        /// Hardware has written through the entry (`_PAGE_DIRTY`).
        const DIRTY = 1 << 6;
        /// In a PMD or PUD entry: it maps a page itself (`_PAGE_PSE`).
        const HUGE = 1 << 7;
        /// Survives a change of address space (`_PAGE_GLOBAL`).
        const GLOBAL = 1 << 8;
        /// The page is not counted: a zero page or a raw frame (`_PAGE_SPECIAL`).
        const SPECIAL = 1 << 9;
        /// Write-protected by userfaultfd (`_PAGE_UFFD_WP`).
        const UFFD_WP = 1 << 10;
        /// Written since the soft-dirty bits were cleared (`_PAGE_SOFT_DIRTY`).
        const SOFT_DIRTY = 1 << 11;
        /// A device's page (`_PAGE_DEVMAP`).
        const DEVMAP = 1 << 57;
        /// Dirty while not writable (`_PAGE_SAVED_DIRTY`).
        const SAVED_DIRTY = 1 << 58;
        /// The protection key, four bits (`_PAGE_PKEY_BIT0` to `3`).
        const KEY = 0xf << KEY_SHIFT;
        /// Instructions may not be fetched (`_PAGE_NX`).
        const NO_EXECUTE = 1 << 63;
    }
}

const KEY_SHIFT: u32 = 59;

impl EntryFlags {
    /// The flags of an entry whose page has this protection key.
    pub const fn of_key(key: u32) -> Self {
        Self::from_bits_retain((key as u64) << KEY_SHIFT).intersection(Self::KEY)
    }

    /// The protection key.
    pub const fn key(self) -> u32 {
        (self.intersection(Self::KEY).bits() >> KEY_SHIFT) as u32
    }

    /// With P clear, bit 8 says that the page is there but may not be accessed (`_PAGE_PROTNONE`).
    pub const PROT_NONE: Self = Self::GLOBAL;
    /// What an entry that points to a table carries (`_PAGE_TABLE`).
    pub const TABLE: Self =
        Self::PRESENT.union(Self::WRITABLE).union(Self::USER).union(Self::ACCESSED).union(Self::DIRTY);
}

const PFN_SHIFT: u32 = 12;
const PFN_MASK: u64 = ((1 << Pfn::BITS) - 1) << PFN_SHIFT;

/// The entry of a PTE table (`pte_t`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PteVal(u64);

impl PteVal {
    /// The empty entry.
    pub const NONE: Self = Self(0);

    /// The entry with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// An entry for a frame (`pfn_pte`). One with P clear keeps its frame inverted.
    pub const fn new(pfn: Pfn, flags: EntryFlags) -> Self {
        let frame = pfn.number() << PFN_SHIFT;
        let frame = if flags.contains(EntryFlags::PRESENT) { frame } else { !frame & PFN_MASK };
        Self(frame | flags.bits())
    }

    /// The entry's bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Its flags, as if it were present.
    pub const fn flags(self) -> EntryFlags {
        EntryFlags::from_bits_truncate(self.0)
    }

    /// The frame (`pte_pfn`), which is inverted if hardware must not see it.
    pub const fn pfn(self) -> Pfn {
        let inverted = self.0 != 0 && !self.flags().contains(EntryFlags::PRESENT);
        let bits = if inverted { !self.0 } else { self.0 };
        Pfn::truncate((bits & PFN_MASK) >> PFN_SHIFT)
    }

    /// Empty, but for what hardware may have set by mistake (`pte_none`).
    pub const fn is_none(self) -> bool {
        self.0 & !EntryFlags::ACCESSED.union(EntryFlags::DIRTY).bits() == 0
    }

    /// Maps a page, perhaps one that may not be accessed (`pte_present`).
    pub const fn is_present(self) -> bool {
        self.flags().intersects(EntryFlags::PRESENT.union(EntryFlags::PROT_NONE))
    }

    /// Maps a page that may not be accessed (`pte_protnone`).
    pub const fn is_prot_none(self) -> bool {
        self.flags().contains(EntryFlags::PROT_NONE) && !self.flags().contains(EntryFlags::PRESENT)
    }

    /// Allows writes (`pte_write`).
    pub const fn is_writable(self) -> bool {
        self.flags().contains(EntryFlags::WRITABLE)
    }

    /// Maps a page that is not counted (`pte_special`).
    pub const fn is_special(self) -> bool {
        self.flags().contains(EntryFlags::SPECIAL)
    }

    /// Was written through, or was before it was write-protected (`pte_dirty`).
    pub const fn is_dirty(self) -> bool {
        self.flags().intersects(EntryFlags::DIRTY.union(EntryFlags::SAVED_DIRTY))
    }

    /// The same with flags set.
    pub const fn with(self, flags: EntryFlags) -> Self {
        Self(self.0 | flags.bits())
    }

    /// The same with flags cleared.
    pub const fn without(self, flags: EntryFlags) -> Self {
        Self(self.0 & !flags.bits())
    }

    /// Written, as software notes it (`pte_mkdirty`).
    pub const fn dirtied(self) -> Self {
        let dirty = if self.is_writable() { EntryFlags::DIRTY } else { EntryFlags::SAVED_DIRTY };
        self.with(dirty.union(EntryFlags::SOFT_DIRTY))
    }

    /// Allows writes; what was dirty while it did not is so where hardware keeps it again (`pte_mkwrite`).
    pub const fn writable(self) -> Self {
        let dirty = self.is_dirty();
        let writable = self.without(EntryFlags::SAVED_DIRTY).with(EntryFlags::WRITABLE);
        if dirty { writable.with(EntryFlags::DIRTY) } else { writable }
    }

    /// Writable and dirty (`pte_mkwrite(pte_mkdirty(...))`).
    pub const fn dirty_and_writable(self) -> Self {
        self.dirtied().writable()
    }

    /// Not writable; a dirty bit moves to where it cannot mean a shadow stack (`pte_wrprotect`).
    pub const fn write_protected(self) -> Self {
        let dirty = self.flags().contains(EntryFlags::DIRTY);
        let read_only = self.without(EntryFlags::WRITABLE.union(EntryFlags::DIRTY));
        if dirty { read_only.with(EntryFlags::SAVED_DIRTY) } else { read_only }
    }

    /// The same page with other rights (`pte_modify`): the frame, what hardware and software noted of its use, and how
    /// it is cached remain; the rest is as `rights` say.
    pub const fn modified(self, rights: EntryFlags) -> Self {
        let kept = EntryFlags::ACCESSED
            .union(EntryFlags::SPECIAL)
            .union(EntryFlags::SOFT_DIRTY)
            .union(EntryFlags::UFFD_WP)
            .union(EntryFlags::DEVMAP)
            .union(EntryFlags::WRITE_THROUGH)
            .union(EntryFlags::CACHE_DISABLED)
            .union(EntryFlags::HUGE);
        let entry = Self::new(self.pfn(), self.flags().intersection(kept).union(rights.difference(kept)));
        match (self.is_dirty(), rights.contains(EntryFlags::WRITABLE)) {
            (false, _) => entry,
            (true, true) => entry.with(EntryFlags::DIRTY),
            (true, false) => entry.with(EntryFlags::SAVED_DIRTY),
        }
    }
}

impl fmt::Debug for PteVal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "pte {:#x}", self.0)
    }
}

impl fmt::Display for PteVal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

/// The entry of a PMD table (`pmd_t`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PmdVal(u64);

/// What a PMD entry is (D2: exactly one of these).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PmdState {
    /// Empty (`pmd_none`).
    None,
    /// Points to a PTE table.
    Table(Pfn),
    /// Maps a huge page, perhaps one that is invalidated for a moment (`pmd_trans_huge`).
    Huge(Pfn),
    /// None of those: a swap-form or corrupt entry.
    NotATable,
}

impl PmdVal {
    /// The entry with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// An entry that points to a PTE table.
    pub const fn table(pfn: Pfn) -> Self {
        Self(TableVal::table(pfn).0)
    }

    /// The entry's bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// An entry that maps a huge page (`pfn_pmd`, `pmd_mkhuge`). One with P clear keeps its frame inverted.
    pub const fn huge(pfn: Pfn, flags: EntryFlags) -> Self {
        Self(PteVal::new(pfn, flags.union(EntryFlags::HUGE)).0)
    }

    /// What the entry is, decided from this one value.
    pub const fn state(self) -> PmdState {
        let flags = self.flags();
        if self.0 & !EntryFlags::ACCESSED.union(EntryFlags::DIRTY).bits() == 0 {
            PmdState::None
        } else if flags.contains(EntryFlags::HUGE) {
            PmdState::Huge(self.pfn())
        } else if flags.contains(EntryFlags::PRESENT) {
            PmdState::Table(self.pfn())
        } else {
            PmdState::NotATable
        }
    }

    /// Its flags, as if it were present.
    pub const fn flags(self) -> EntryFlags {
        EntryFlags::from_bits_truncate(self.0)
    }

    /// The frame (`pmd_pfn`), which is inverted if hardware must not see it.
    pub const fn pfn(self) -> Pfn {
        PteVal(self.0).pfn()
    }

    /// Maps a huge page (`pmd_trans_huge`), perhaps one that is invalidated for a moment.
    pub const fn is_huge(self) -> bool {
        matches!(self.state(), PmdState::Huge(_))
    }

    /// Empty, but for what hardware may have set by mistake (`pmd_none`).
    pub const fn is_none(self) -> bool {
        matches!(self.state(), PmdState::None)
    }

    /// Allows writes (`pmd_write`).
    pub const fn is_writable(self) -> bool {
        self.flags().contains(EntryFlags::WRITABLE)
    }

    /// Maps a page that may not be accessed (`pmd_protnone`).
    pub const fn is_prot_none(self) -> bool {
        PteVal(self.0).is_prot_none()
    }

    /// The same with flags set; P stays as it is.
    pub const fn with(self, flags: EntryFlags) -> Self {
        Self(self.0 | flags.bits())
    }

    /// The same with flags cleared; P stays as it is.
    pub const fn without(self, flags: EntryFlags) -> Self {
        Self(self.0 & !flags.bits())
    }

    /// The same, which hardware does not use any more and software still takes for a huge page (`pmd_mkinvalid`).
    pub const fn invalidated(self) -> Self {
        let flags = self.flags().difference(EntryFlags::PRESENT.union(EntryFlags::PROT_NONE));
        Self::huge(self.pfn(), flags)
    }

    /// Written, as software notes it (`pmd_mkdirty`).
    pub const fn dirtied(self) -> Self {
        Self(PteVal(self.0).dirtied().0)
    }

    /// Allows writes (`pmd_mkwrite`).
    pub const fn writable(self) -> Self {
        Self(PteVal(self.0).writable().0)
    }

    /// The same page with other rights (`pmd_modify`).
    pub const fn modified(self, rights: EntryFlags) -> Self {
        Self(PteVal(self.0).modified(rights).0)
    }

    /// Writable and dirty (`pmd_mkwrite(pmd_mkdirty(...))`).
    pub const fn dirty_and_writable(self) -> Self {
        Self(PteVal(self.0).dirty_and_writable().0)
    }

    /// Not writable (`pmd_wrprotect`).
    pub const fn write_protected(self) -> Self {
        Self(PteVal(self.0).write_protected().0)
    }

    /// The entry of a huge page under migration (`swp_entry_to_pmd`).
    pub const fn migration(entry: PteVal) -> Self {
        Self(entry.bits())
    }

    /// The entry as one of a PTE table would be read: what a swap form says is the same in both.
    pub const fn as_pte(self) -> PteVal {
        PteVal(self.0)
    }
}

impl EntryFlags {
    /// In a huge PMD entry of Linux 2.6.38 to 4.4: the page is being split (`_PAGE_SPLITTING`, the bit that has since
    /// gone to userfaultfd).
    pub const SPLITTING: Self = Self::UFFD_WP;
}

impl fmt::Display for PmdVal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

impl fmt::Debug for PmdVal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "pmd {:#x}", self.0)
    }
}

/// The entry of a table above the PMD table (`pud_t`, `p4d_t`, `pgd_t`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TableVal(u64);

impl TableVal {
    /// The entry with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// An entry that points to a table (`_PAGE_TABLE`).
    pub const fn table(pfn: Pfn) -> Self {
        Self(pfn.number() << PFN_SHIFT | EntryFlags::TABLE.bits())
    }

    /// The entry's bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The table that it points to.
    pub const fn target(self) -> Option<Pfn> {
        let flags = EntryFlags::from_bits_truncate(self.0);
        let pfn = Pfn::truncate((self.0 & PFN_MASK) >> PFN_SHIFT);
        if flags.contains(EntryFlags::PRESENT) { Some(pfn) } else { None }
    }
}

impl fmt::Debug for TableVal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "table entry {:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PFN: Pfn = Pfn::truncate(0x38944c);

    fn written() -> PteVal {
        let flags = EntryFlags::PRESENT | EntryFlags::USER | EntryFlags::ACCESSED | EntryFlags::NO_EXECUTE;
        PteVal::new(PFN, flags).dirty_and_writable()
    }

    #[test]
    fn the_documented_entry_has_the_documented_bits() {
        assert_eq!(written().bits(), 0x8000_0003_8944_c867);
        assert_eq!(written().pfn(), PFN);
    }

    #[test]
    fn fork_leaves_the_parent_dirty_and_the_child_old() {
        let parent = written().write_protected();
        assert_eq!(parent.bits(), 0x8400_0003_8944_c825);
        assert!(parent.is_dirty() && !parent.is_writable());
        assert_eq!(parent.without(EntryFlags::ACCESSED).bits(), 0x8400_0003_8944_c805);
    }

    #[test]
    fn prot_none_keeps_its_frame_inverted() {
        let kept = EntryFlags::SOFT_DIRTY | EntryFlags::SAVED_DIRTY | EntryFlags::ACCESSED;
        let marked = PteVal::new(PFN, EntryFlags::PROT_NONE | kept);
        assert_eq!(marked.bits(), 0x040f_fffc_76bb_3920);
        assert_eq!(marked.pfn(), PFN);
        assert!(marked.is_prot_none() && marked.is_present() && !marked.is_none());
    }

    #[test]
    fn a_page_that_may_not_be_accessed_comes_back_with_the_rights_of_its_vma() {
        let marked = written().modified(EntryFlags::PROT_NONE | EntryFlags::ACCESSED);
        assert_eq!(marked.bits(), 0x040f_fffc_76bb_3920);
        let rights = EntryFlags::PRESENT | EntryFlags::USER | EntryFlags::ACCESSED | EntryFlags::NO_EXECUTE;
        let restored = marked.modified(rights);
        assert_eq!(restored.bits(), written().write_protected().bits());
        assert_eq!(marked.modified(rights | EntryFlags::WRITABLE), written());
    }

    #[test]
    fn what_hardware_sets_by_mistake_leaves_an_entry_empty() {
        assert!(PteVal::from_bits(0x60).is_none());
        assert_eq!(PmdVal::from_bits(0x60).state(), PmdState::None);
    }

    #[test]
    fn a_pmd_entry_is_exactly_one_thing() {
        assert_eq!(PmdVal::table(PFN).bits(), 0x3_8944_c067);
        assert_eq!(PmdVal::table(PFN).state(), PmdState::Table(PFN));
        assert_eq!(PmdVal::from_bits(0x3_8944_c0e7).state(), PmdState::Huge(PFN));
        let huge = PmdVal::from_bits(0x3_8944_c0e7);
        assert_eq!(huge, PmdVal::huge(PFN, huge.flags()));
        assert_eq!(huge.invalidated().bits(), 0xf_fffc_76bb_30e6, "P clear, the frame inverted");
        assert_eq!(huge.invalidated().state(), PmdState::Huge(PFN), "invalidated, still huge");
        assert_eq!(PmdVal::from_bits(0xd7ff_e7ff_8ed7_6600).state(), PmdState::NotATable);
    }
}
