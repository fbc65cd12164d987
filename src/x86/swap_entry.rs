//! Entries that are not present but not empty: a type in bits 59-63 and an inverted offset in bits 9-58
//! (`arch/x86/include/asm/pgtable_64.h`, `include/linux/swapops.h`; all configuration options on).

use super::entry::{EntryFlags, PteVal};
use crate::phys::Pfn;

/// What a non-present entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapType {
    /// A slot of swap device 0 to 22.
    Swap(u8),
    /// A poisoned page.
    HwPoison,
    /// A page under migration, to come back readable and shared.
    MigrationRead,
    /// A page under migration, to come back readable and exclusive.
    MigrationReadExclusive,
    /// A page under migration, to come back writable.
    MigrationWrite,
    /// A page of a device: 0 to 3.
    Device(u8),
    /// No page, only marks.
    Marker,
}

const SWAP_DEVICES: u8 = 23;
const DEVICE_FIRST: u8 = 27;
const MARKER: u8 = 31;

impl SwapType {
    const fn number(self) -> u8 {
        match self {
            Self::Swap(device) => device,
            Self::HwPoison => 23,
            Self::MigrationRead => 24,
            Self::MigrationReadExclusive => 25,
            Self::MigrationWrite => 26,
            Self::Device(kind) => DEVICE_FIRST + kind,
            Self::Marker => MARKER,
        }
    }

    const fn from_number(number: u8) -> Self {
        match number {
            23 => Self::HwPoison,
            24 => Self::MigrationRead,
            25 => Self::MigrationReadExclusive,
            26 => Self::MigrationWrite,
            27..=30 => Self::Device(number - DEVICE_FIRST),
            MARKER => Self::Marker,
            device => Self::Swap(device),
        }
    }
}

/// The type and offset of a non-present entry (`swp_entry_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapEntry {
    kind: SwapType,
    offset: u64,
}

const TYPE_SHIFT: u32 = 59;
const OFFSET_SHIFT: u32 = 9;
const OFFSET_BITS: u32 = 50;
const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;
/// Bits of an offset that hold a frame, with 4-level tables (`SWP_PFN_BITS`); the accessed and dirty bits follow.
const FRAME_BITS: u32 = 34;

impl SwapEntry {
    /// An entry of `kind`; `None` if the offset has more than 50 bits or the kind is not one of the 32.
    pub const fn new(kind: SwapType, offset: u64) -> Option<Self> {
        let valid = match kind {
            SwapType::Swap(device) => device < SWAP_DEVICES,
            SwapType::Device(kind) => kind < MARKER - DEVICE_FIRST,
            SwapType::HwPoison
            | SwapType::MigrationRead
            | SwapType::MigrationReadExclusive
            | SwapType::MigrationWrite
            | SwapType::Marker => true,
        };
        if valid && offset <= OFFSET_MASK { Some(Self { kind, offset }) } else { None }
    }

    /// What it stands for.
    pub const fn kind(self) -> SwapType {
        self.kind
    }

    /// The slot, or the frame with its accessed and dirty bits, or the marks.
    pub const fn offset(self) -> u64 {
        self.offset
    }

    /// The frame that an entry of a page under migration names.
    pub const fn frame(self) -> Option<Pfn> {
        match self.kind {
            SwapType::MigrationRead | SwapType::MigrationReadExclusive | SwapType::MigrationWrite => {
                Some(Pfn::truncate(self.offset & ((1 << FRAME_BITS) - 1)))
            }
            SwapType::Swap(_) | SwapType::HwPoison | SwapType::Device(_) | SwapType::Marker => None,
        }
    }

    /// The offset of a frame under migration, with what is remembered of its accessed and dirty bits.
    pub const fn migration_offset(pfn: Pfn, accessed: AccessedBit, dirty: DirtyBit) -> u64 {
        pfn.number() | (accessed as u64) << FRAME_BITS | (dirty as u64) << (FRAME_BITS + 1)
    }

    /// Soft-dirty stands elsewhere while an entry is not present.
    pub const SOFT_DIRTY: EntryFlags = EntryFlags::WRITABLE;

    /// The frame under migration (`pfn_swap_entry_to_page`).
    pub const fn migrating(self) -> Pfn {
        Pfn::truncate(self.offset & ((1 << FRAME_BITS) - 1))
    }

    /// What is remembered of the accessed and dirty bits of an entry under migration.
    pub const fn migration_marks(self) -> (AccessedBit, DirtyBit) {
        let accessed = if self.offset >> FRAME_BITS & 1 == 0 { AccessedBit::Old } else { AccessedBit::Young };
        let dirty = if self.offset >> (FRAME_BITS + 1) & 1 == 0 { DirtyBit::Clean } else { DirtyBit::Dirty };
        (accessed, dirty)
    }

    /// The entry (`swp_entry_to_pte`).
    pub const fn to_pte(self) -> PteVal {
        PteVal::from_bits((self.kind.number() as u64) << TYPE_SHIFT | (!self.offset & OFFSET_MASK) << OFFSET_SHIFT)
    }

    /// The type and offset of an entry that is neither present nor empty (`pte_to_swp_entry`).
    pub const fn from_pte(pte: PteVal) -> Option<Self> {
        if pte.is_none() || pte.is_present() {
            return None;
        }
        let kind = SwapType::from_number((pte.bits() >> TYPE_SHIFT) as u8);
        Some(Self { kind, offset: !(pte.bits() >> OFFSET_SHIFT) & OFFSET_MASK })
    }
}

/// The entry of a page under migration that would come back writable, to come back readable; nobody else has the page
/// (`make_readable_exclusive_migration_entry`). Any other entry as it is.
pub const fn make_readable_exclusive_migration_entry(pte: PteVal) -> PteVal {
    match SwapEntry::from_pte(pte) {
        Some(SwapEntry { kind: SwapType::MigrationWrite, offset }) => {
            let marks = pte.flags().intersection(SwapEntry::SOFT_DIRTY);
            SwapEntry { kind: SwapType::MigrationReadExclusive, offset }.to_pte().with(marks)
        }
        Some(_) | None => pte,
    }
}

/// The entry of a page under migration that will come back without the right to write, and shared
/// (`make_readable_migration_entry`); any other entry as it is.
pub const fn make_readable_migration_entry(pte: PteVal) -> PteVal {
    let Some(SwapEntry { kind, offset }) = SwapEntry::from_pte(pte) else { return pte };
    match kind {
        SwapType::MigrationReadExclusive | SwapType::MigrationWrite => {
            let marks = pte.flags().intersection(SwapEntry::SOFT_DIRTY);
            SwapEntry { kind: SwapType::MigrationRead, offset }.to_pte().with(marks)
        }
        SwapType::MigrationRead | SwapType::Swap(_) | SwapType::HwPoison | SwapType::Device(_) | SwapType::Marker => {
            pte
        }
    }
}

/// Whether an entry under migration was accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessedBit {
    /// It was not.
    Old,
    /// It was.
    Young,
}

/// Whether an entry under migration was dirty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirtyBit {
    /// It was not.
    Clean,
    /// It was.
    Dirty,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PFN: Pfn = Pfn::truncate(0x38944c);

    fn bits(kind: SwapType, offset: u64) -> u64 {
        SwapEntry::new(kind, offset).expect("a valid entry").to_pte().bits()
    }

    #[test]
    fn the_documented_non_present_entries_have_the_documented_bits() {
        let young = SwapEntry::migration_offset(PFN, AccessedBit::Young, DirtyBit::Clean);
        let both = SwapEntry::migration_offset(PFN, AccessedBit::Young, DirtyBit::Dirty);
        let neither = SwapEntry::migration_offset(PFN, AccessedBit::Old, DirtyBit::Clean);
        assert_eq!(bits(SwapType::Swap(0), 0x1234), 0x07ff_ffff_ffdb_9600);
        assert_eq!(bits(SwapType::MigrationWrite, both), 0xd7ff_e7ff_8ed7_6600);
        assert_eq!(bits(SwapType::MigrationReadExclusive, young), 0xcfff_f7ff_8ed7_6600);
        assert_eq!(bits(SwapType::MigrationRead, neither), 0xc7ff_ffff_8ed7_6600);
        assert_eq!(bits(SwapType::Marker, 1), 0xffff_ffff_ffff_fc00);
    }

    #[test]
    fn an_entry_under_migration_remembers_its_page() {
        let offset = SwapEntry::migration_offset(PFN, AccessedBit::Young, DirtyBit::Clean);
        let entry = SwapEntry::new(SwapType::MigrationWrite, offset).expect("a valid entry");
        let soft_dirty = entry.to_pte().with(SwapEntry::SOFT_DIRTY);
        assert!(!soft_dirty.is_present());
        let read = SwapEntry::from_pte(soft_dirty).expect("an entry under migration");
        assert_eq!((read.migrating(), read.migration_marks()), (PFN, (AccessedBit::Young, DirtyBit::Clean)));
    }

    proptest! {
        #[test]
        fn an_entry_survives_its_bits(number in 0u8..32, offset in 0..=OFFSET_MASK) {
            let entry = SwapEntry::new(SwapType::from_number(number), offset).expect("a valid entry");
            prop_assert!(!entry.to_pte().is_present());
            // Swap device 0 with the largest offset would be the empty entry; Linux never uses that slot.
            let expected = Some(entry).filter(|entry| entry.to_pte().bits() != 0);
            prop_assert_eq!(SwapEntry::from_pte(entry.to_pte()), expected);
        }
    }
}
