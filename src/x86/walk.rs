//! The hardware page walk (Intel SDM volume 3, 4.5 "4-level paging").
//!
//! The walk reads one entry a level and sets Accessed, and for a write Dirty, by an atomic update of the entry that it
//! read. If the entry changed meanwhile the walk starts again, as hardware does.
//!
//! # Memory ordering
//! - O1. An entry is loaded with `Acquire`: hardware orders what it reads through an entry after the entry itself
//!   (address dependency). It pairs with the `Release` stores of `mm`'s table code and gives D5 and D22.
//! - O2. The update that sets A or D is `AcqRel`: it is a locked instruction.

use crate::phys::{PageState, Pfn, PhysAddr, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, ordering, remark};

use super::access::{Access, AccessKind};
use super::address::VirtAddr;
use super::entry::EntryFlags;
use super::error_code::ErrorCode;
use super::words::describe_entry_of_page;

/// What hardware reports when a walk fails: the error code, and the address for CR2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// The address of the access (CR2).
    pub address: VirtAddr,
    /// Why.
    pub error_code: ErrorCode,
}

/// Where an access lands: a frame, and the byte in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The frame.
    pub pfn: Pfn,
    /// The byte in the frame.
    pub offset: u64,
}

impl Translation {
    /// The physical address.
    pub fn physical<P: Platform>(self) -> PhysAddr {
        self.pfn.byte(self.offset, P::GEOMETRY)
    }
}

/// The entry at which a walk ends: of a PTE table, or a huge one of a PMD table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The first frame that it maps.
    pub pfn: Pfn,
    /// The level of its table.
    pub level: u32,
    /// What all levels together allow, and the entry's own marks and key.
    pub flags: EntryFlags,
}

impl Leaf {
    /// Pages that it maps.
    pub fn pages<P: Platform>(self) -> u64 {
        1 << ((self.level - 1) * P::GEOMETRY.index_bits)
    }

    /// Bytes that it maps.
    pub fn bytes<P: Platform>(self) -> u64 {
        self.pages::<P>() * P::GEOMETRY.page_size()
    }

    /// Where an address lies that it translates.
    pub fn translation<P: Platform>(self, address: VirtAddr) -> Translation {
        let page = address.page_number(P::GEOMETRY) & (self.pages::<P>() - 1);
        Translation { pfn: Pfn::truncate(self.pfn.number() + page), offset: address.page_offset(P::GEOMETRY) }
    }
}

/// Walks the tables below `root` (CR3) to the entry that translates `address`.
///
/// # Errors
/// The page fault that hardware raises.
///
/// # Panics
/// If an entry names a frame that nobody owns (D14): hardware would go on and use it.
pub fn walk<P: Platform>(memory: &PhysMem<P>, root: Pfn, address: VirtAddr, access: Access) -> Result<Leaf, PageFault> {
    let raise = |why: ErrorCode| PageFault { address, error_code: why | access.error_code() };
    loop {
        match try_walk(memory, root, address, access) {
            Step::Reached(leaf) => return Ok(leaf),
            Step::Faults(why) => return Err(raise(why)),
            Step::EntryChanged => {}
        }
    }
}

enum Step {
    Reached(Leaf),
    Faults(ErrorCode),
    EntryChanged,
}

fn try_walk<P: Platform>(memory: &PhysMem<P>, root: Pfn, address: VirtAddr, access: Access) -> Step {
    let mut table = root;
    let mut rights = EntryFlags::USER | EntryFlags::WRITABLE;
    let mut no_execute = EntryFlags::empty();
    for level in (1..=P::GEOMETRY.levels).rev() {
        let index = address.index(level, P::GEOMETRY);
        let word = memory.word(table, index);
        if level == 1 {
            describe_entry_of_page::<P>(word, table, index, address.page_number(P::GEOMETRY));
        }
        // ORDER O1: pairs with the stores that link tables and install pages.
        let entry = word.load(ordering::<P>(Variant::OWalk, Ordering::Acquire));
        let flags = EntryFlags::from_bits_truncate(entry);
        if !flags.contains(EntryFlags::PRESENT) {
            remark::<P>(format_args!("{}[{index}] is not present", level_name(level)));
            return Step::Faults(ErrorCode::empty());
        }
        let is_leaf = level == 1 || flags.contains(EntryFlags::HUGE);
        let pfn = super::entry::PteVal::from_bits(entry).pfn();
        if level > 1 && is_leaf && !may_be_huge::<P>(level, pfn) {
            remark::<P>(format_args!("{}[{index}] has a reserved bit set", level_name(level)));
            return Step::Faults(ErrorCode::RESERVED | ErrorCode::PROTECTION);
        }
        rights &= flags;
        no_execute |= flags & EntryFlags::NO_EXECUTE;
        if is_leaf && !access.allowed_by(rights | no_execute) {
            remark::<P>(format_args!("{}[{index}] is present; the rights of the levels forbid it", level_name(level)));
            return Step::Faults(ErrorCode::PROTECTION | access.key_error(rights, flags));
        }
        if is_leaf && !access.key_error(rights, flags).is_empty() {
            remark::<P>(format_args!("protection key {} forbids it", flags.key()));
            return Step::Faults(ErrorCode::PROTECTION | ErrorCode::KEY);
        }
        let used = entry | access.marks(is_leaf).bits();
        // ORDER O2: a locked update; `Err` means that the entry is no longer the one that was checked.
        let order = ordering::<P>(Variant::OMark, Ordering::AcqRel);
        if used != entry && memory.word(table, index).compare_exchange(entry, used, order).is_err() {
            return Step::EntryChanged;
        }
        assert_owned(memory, pfn, (level, is_leaf), address);
        if is_leaf {
            let own =
                EntryFlags::from_bits_truncate(used) & (EntryFlags::ACCESSED | EntryFlags::DIRTY | EntryFlags::KEY);
            return Step::Reached(Leaf { pfn, level, flags: rights | no_execute | own });
        }
        table = pfn;
    }
    unreachable!("an entry of a PTE table is a leaf")
}

/// Only a PMD entry may map a page itself, and only one that begins at a multiple of its size; all else is reserved
/// (pages of a PUD entry are not modelled).
fn may_be_huge<P: Platform>(level: u32, pfn: Pfn) -> bool {
    level == 2 && pfn.number().is_multiple_of(P::GEOMETRY.entries() as u64)
}

fn assert_owned<P: Platform>(memory: &PhysMem<P>, pfn: Pfn, (level, is_leaf): (u32, bool), address: VirtAddr) {
    if P::CHECKED {
        let state = memory.page(pfn).state();
        let expected = match state {
            PageState::User | PageState::Reserved => is_leaf,
            PageState::Hugetlb => is_leaf && level == 2,
            PageState::Table { level: of } => of + 1 == level,
            PageState::Free | PageState::Pool => false,
        };
        assert!(expected, "D14: the walk of {address} met an entry of level {level} for {pfn:?}, which is {state:?}");
    }
}

/// What Linux calls a table of this level. Where levels are folded, the root goes by the name of the lowest level in
/// it.
pub(crate) const fn level_name(level: u32) -> &'static str {
    match level {
        1 => "PTE",
        2 => "PMD",
        3 => "PUD",
        _ => "PGD",
    }
}

impl Access {
    /// Whether what is remembered of a walk allows the access.
    pub(super) fn check(self, remembered: EntryFlags, address: VirtAddr) -> Result<(), PageFault> {
        let key = self.key_error(remembered, remembered);
        if self.allowed_by(remembered) && key.is_empty() {
            return Ok(());
        }
        Err(PageFault { address, error_code: ErrorCode::PROTECTION | key | self.error_code() })
    }

    fn error_code(self) -> ErrorCode {
        let mode = if self.mode.is_user() { ErrorCode::USER } else { ErrorCode::empty() };
        mode | match self.kind {
            AccessKind::Read => ErrorCode::empty(),
            AccessKind::Write => ErrorCode::WRITE,
            AccessKind::Fetch => ErrorCode::FETCH,
        }
    }

    /// Whether the rights of all levels together allow the access. CR0.WP and EFER.NXE are set, as Linux has them.
    fn allowed_by(self, rights: EntryFlags) -> bool {
        let is_users = rights.contains(EntryFlags::USER);
        // SMEP: the kernel executes no user memory.
        let mode = if self.mode.is_user() { is_users } else { self.kind != AccessKind::Fetch || !is_users };
        mode && match self.kind {
            AccessKind::Read => true,
            AccessKind::Write => rights.contains(EntryFlags::WRITABLE),
            AccessKind::Fetch => !rights.contains(EntryFlags::NO_EXECUTE),
        }
    }

    /// What the error code says of the page's protection key. Only users' pages have one that counts; with CR0.WP set,
    /// the kernel is bound by it too.
    fn key_error(self, rights: EntryFlags, leaf: EntryFlags) -> ErrorCode {
        let is_users = rights.contains(EntryFlags::USER);
        if is_users && !self.pkru.allows(leaf.key(), self.kind) { ErrorCode::KEY } else { ErrorCode::empty() }
    }

    fn marks(self, is_leaf: bool) -> EntryFlags {
        match self.kind {
            AccessKind::Write if is_leaf => EntryFlags::ACCESSED | EntryFlags::DIRTY,
            AccessKind::Read | AccessKind::Write | AccessKind::Fetch => EntryFlags::ACCESSED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::access::Mode;
    use super::super::pkru::Pkru;
    use super::*;
    use crate::phys::{CpuId, PhysConfig};
    use crate::platform::{Native, TwoLevels};
    use crate::x86::{PmdVal, PteVal};

    type P = Native<TwoLevels>;

    struct World {
        memory: PhysMem<P>,
        root: Pfn,
        table: Pfn,
        page: Pfn,
    }

    /// Address 0 maps a page with `flags`.
    fn world(flags: EntryFlags) -> World {
        let config = PhysConfig { pcp_batch: 1, ..PhysConfig::linux(Pfn::truncate(2), 8, 1) };
        let memory = PhysMem::<P>::new(&config).expect("a little memory");
        let cpu = CpuId::new(0);
        let [root, table] = [2, 1].map(|level| memory.alloc_page(cpu, PageState::Table { level }).expect("a frame"));
        let page = memory.alloc_page(cpu, PageState::User).expect("a frame");
        memory.word(root, 0).store(PmdVal::table(table).bits(), Ordering::Relaxed);
        memory.word(table, 0).store(PteVal::new(page, flags).bits(), Ordering::Relaxed);
        World { memory, root, table, page }
    }

    fn user(kind: AccessKind) -> Access {
        Access { kind, mode: Mode::User, pkru: Pkru::ALL }
    }

    fn error_code(world: &World, address: u64, access: Access) -> Option<u64> {
        let walked = walk(&world.memory, world.root, VirtAddr::user(address), access);
        walked.err().map(|fault| fault.error_code.bits())
    }

    const READ_ONLY: EntryFlags = EntryFlags::PRESENT.union(EntryFlags::USER).union(EntryFlags::NO_EXECUTE);

    #[test]
    fn rights_become_error_codes() {
        let world = world(READ_ONLY);
        let kernel = |kind, mode| Access { kind, mode, pkru: Pkru::ALL };
        for (address, access, code) in [
            (8, user(AccessKind::Read), None),
            (8, user(AccessKind::Write), Some(7)),
            (8, user(AccessKind::Fetch), Some(0x15)),
            (16, user(AccessKind::Write), Some(6)),
            (32, user(AccessKind::Read), Some(4)),
            (8, kernel(AccessKind::Write, Mode::KernelUserCopy), Some(3)),
            (8, kernel(AccessKind::Fetch, Mode::Kernel), Some(0x11)),
            (8, kernel(AccessKind::Read, Mode::Kernel), None),
        ] {
            assert_eq!(error_code(&world, address, access), code, "{access:?} of {address}");
        }
    }

    #[test]
    fn user_mode_needs_the_user_bit() {
        assert_eq!(error_code(&world(EntryFlags::PRESENT), 0, user(AccessKind::Read)), Some(5));
    }

    #[test]
    fn a_key_that_is_forbidden_is_named_in_the_error_code() {
        let world = world(READ_ONLY | EntryFlags::WRITABLE | EntryFlags::of_key(3));
        let code = |pkru, kind, mode| error_code(&world, 8, Access { kind, mode, pkru: Pkru::new(pkru) });
        assert_eq!(code(0b01 << 6, AccessKind::Read, Mode::User), Some(0x25));
        assert_eq!(code(0b10 << 6, AccessKind::Read, Mode::User), None);
        assert_eq!(code(0b10 << 6, AccessKind::Write, Mode::User), Some(0x27));
        assert_eq!(code(0b10 << 6, AccessKind::Write, Mode::KernelUserCopy), Some(0x23));
        assert_eq!(code(0b11 << 4, AccessKind::Write, Mode::User), None, "another key");
        assert_eq!(code(0b11 << 6, AccessKind::Fetch, Mode::User), Some(0x15), "no key, but no execution either");
    }

    #[test]
    fn a_huge_bit_where_no_huge_page_can_be_is_reserved() {
        let world = world(READ_ONLY);
        let root = world.memory.word(world.root, 0);
        // The table stands in the second frame, where no huge page can begin.
        assert_eq!(world.table.number() % 2, 1);
        root.store(root.load(Ordering::Relaxed) | EntryFlags::HUGE.bits(), Ordering::Relaxed);
        assert_eq!(error_code(&world, 0, user(AccessKind::Read)), Some(0xd));
    }

    #[test]
    fn a_huge_entry_maps_every_page_below_it_and_is_marked_itself() {
        let world = world(READ_ONLY);
        let cpu = CpuId::new(0);
        let head = world.memory.alloc_huge(cpu, PageState::User).expect("two frames");
        let pmd = || PmdVal::from_bits(world.memory.word(world.root, 1).load(Ordering::Relaxed));
        let huge = PmdVal::huge(head, READ_ONLY | EntryFlags::WRITABLE);
        world.memory.word(world.root, 1).store(huge.bits(), Ordering::Relaxed);
        let second = VirtAddr::user(32 + 16 + 8);
        let written = walk(&world.memory, world.root, second, user(AccessKind::Write));
        assert_eq!(
            written.map(|leaf| leaf.translation::<P>(second)),
            Ok(Translation { pfn: Pfn::truncate(head.number() + 1), offset: 8 })
        );
        assert!(pmd().flags().contains(EntryFlags::ACCESSED | EntryFlags::DIRTY));
        world.memory.word(world.root, 1).store(huge.invalidated().bits(), Ordering::Relaxed);
        assert_eq!(error_code(&world, 56, user(AccessKind::Write)), Some(6), "invalidated: not present to hardware");
    }

    #[test]
    fn hardware_marks_what_it_used() {
        let world = world(READ_ONLY | EntryFlags::WRITABLE);
        let pte = || PteVal::from_bits(world.memory.word(world.table, 0).load(Ordering::Relaxed)).flags();
        assert!(!pte().contains(EntryFlags::ACCESSED));
        let read = walk(&world.memory, world.root, VirtAddr::user(8), user(AccessKind::Read));
        let read = read.map(|leaf| leaf.translation::<P>(VirtAddr::user(8)));
        assert_eq!(read, Ok(Translation { pfn: world.page, offset: 8 }));
        assert!(pte().contains(EntryFlags::ACCESSED) && !pte().contains(EntryFlags::DIRTY));
        walk(&world.memory, world.root, VirtAddr::user(8), user(AccessKind::Write)).expect("a writable page");
        assert!(pte().contains(EntryFlags::DIRTY));
    }
}
