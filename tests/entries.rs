//! Our entries and addresses against the `x86_64` crate, which others wrote from the same manuals.
//!
//! Only 4-level paging with 4 KiB pages has a counterpart there; the small geometries are covered by the modules' own
//! tests.

use pagerace::phys::Pfn;
use pagerace::platform::{Geometry, Shape, X86_64};
use pagerace::x86::{EntryFlags, PmdState, PmdVal, PteVal, TableVal, VirtAddr};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use x86_64::PhysAddr;
use x86_64::structures::paging::PageTableFlags as Theirs;
use x86_64::structures::paging::page_table::PageTableEntry;

const G: Geometry = X86_64::GEOMETRY;

/// Each of our flags with the bit that it must be.
const FLAGS: [(EntryFlags, Theirs); 19] = [
    (EntryFlags::PRESENT, Theirs::PRESENT),
    (EntryFlags::WRITABLE, Theirs::WRITABLE),
    (EntryFlags::USER, Theirs::USER_ACCESSIBLE),
    (EntryFlags::WRITE_THROUGH, Theirs::WRITE_THROUGH),
    (EntryFlags::CACHE_DISABLED, Theirs::NO_CACHE),
    (EntryFlags::ACCESSED, Theirs::ACCESSED),
    (EntryFlags::DIRTY, Theirs::DIRTY),
    (EntryFlags::HUGE, Theirs::HUGE_PAGE),
    (EntryFlags::GLOBAL, Theirs::GLOBAL),
    (EntryFlags::SPECIAL, Theirs::BIT_9),
    (EntryFlags::UFFD_WP, Theirs::BIT_10),
    (EntryFlags::SOFT_DIRTY, Theirs::BIT_11),
    (EntryFlags::DEVMAP, Theirs::BIT_57),
    (EntryFlags::SAVED_DIRTY, Theirs::BIT_58),
    (EntryFlags::of_key(1), Theirs::BIT_59),
    (EntryFlags::of_key(2), Theirs::BIT_60),
    (EntryFlags::of_key(4), Theirs::BIT_61),
    (EntryFlags::of_key(8), Theirs::BIT_62),
    (EntryFlags::NO_EXECUTE, Theirs::NO_EXECUTE),
];

/// Any set of flags, in both alphabets.
fn flags() -> impl Strategy<Value = (EntryFlags, Theirs)> {
    prop::collection::vec(any::<bool>(), FLAGS.len()).prop_map(|chosen| {
        let chosen = FLAGS.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(pair, _)| *pair);
        chosen.fold((EntryFlags::empty(), Theirs::empty()), |(ours, theirs), (our, their)| (ours | our, theirs | their))
    })
}

fn pfn() -> impl Strategy<Value = Pfn> {
    (0..1u64 << Pfn::BITS).prop_map(Pfn::truncate)
}

/// Any bits, half of them with those clear that decide what an entry is.
fn entry_bits() -> impl Strategy<Value = u64> {
    (any::<u64>(), any::<u64>()).prop_map(|(bits, deciding)| bits & !(deciding & 0b1_1000_0001))
}

/// Any address, mostly near the edges of the two halves.
fn address() -> impl Strategy<Value = u64> {
    let near = |edge: u64| (0u64..0x4000).prop_map(move |off| edge.wrapping_add(off).wrapping_sub(0x2000));
    prop_oneof![
        any::<u64>(),
        any::<u64>().prop_map(|address| address >> 16),
        near(0),
        near(1 << 47),
        near(1 << 48),
        near(0xffff_8000_0000_0000)
    ]
}

fn canonical() -> impl Strategy<Value = VirtAddr> {
    address().prop_map(|address| {
        let sign_extended = (address << 16) as i64 >> 16;
        VirtAddr::new(sign_extended as u64, G).expect("bits 47 to 63 are equal")
    })
}

fn their_entry(address: u64, flags: Theirs) -> PageTableEntry {
    let mut entry = PageTableEntry::new();
    entry.set_addr(PhysAddr::new(address), flags);
    entry
}

fn their_entry_of(bits: u64) -> PageTableEntry {
    let address = PhysAddr::new_truncate(bits).align_down(0x1000_u64).as_u64();
    their_entry(address, Theirs::from_bits_retain(bits & !address))
}

fn bits_of(entry: &PageTableEntry) -> u64 {
    entry.addr().as_u64() | entry.flags().bits()
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

#[test]
fn no_flag_is_missing_from_the_comparison() {
    let compared = FLAGS.iter().fold(EntryFlags::empty(), |all, (ours, _)| all | *ours);
    assert_eq!(compared, EntryFlags::all());
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_present_entry_has_their_bits(pfn in pfn(), (ours, theirs) in flags()) {
        let (ours, theirs) = (ours | EntryFlags::PRESENT, theirs | Theirs::PRESENT);
        let (entry, expected) = (PteVal::new(pfn, ours), their_entry(pfn.number() << 12, theirs));
        prop_assert_eq!(entry.bits(), bits_of(&expected));
        prop_assert_eq!((entry.pfn(), entry.flags()), (pfn, ours));
    }

    #[test]
    fn an_entry_that_is_not_present_shows_hardware_another_frame(pfn in pfn(), (ours, _) in flags()) {
        let entry = PteVal::new(pfn, ours - EntryFlags::PRESENT);
        let shown = their_entry_of(entry.bits());
        prop_assert!(!shown.flags().contains(Theirs::PRESENT));
        prop_assert_eq!(shown.addr().as_u64() >> 12, !pfn.number() & ((1 << Pfn::BITS) - 1));
        // All frame bits clear and no flag is the empty entry, which names no frame.
        prop_assert!(entry.bits() == 0 || entry.pfn() == pfn);
    }

    #[test]
    fn any_bits_read_as_they_read_them(bits in entry_bits()) {
        let (ours, theirs) = (PteVal::from_bits(bits), their_entry_of(bits));
        for (our, their) in FLAGS {
            prop_assert_eq!(ours.flags().contains(our), theirs.flags().contains(their), "{:?}", their);
        }
        prop_assert_eq!(ours.is_writable(), theirs.flags().contains(Theirs::WRITABLE));
        prop_assert_eq!(ours.is_special(), theirs.flags().contains(Theirs::BIT_9));
        if theirs.flags().contains(Theirs::PRESENT) {
            prop_assert!(ours.is_present() && !ours.is_prot_none() && !ours.is_none());
            prop_assert_eq!(ours.pfn().number() << 12, theirs.addr().as_u64());
        }
    }

    #[test]
    fn setting_and_clearing_flags_keeps_the_rest(bits in any::<u64>(), (ours, theirs) in flags()) {
        let mut expected = their_entry_of(bits);
        expected.set_flags(expected.flags() | theirs);
        prop_assert_eq!(PteVal::from_bits(bits).with(ours).bits(), bits_of(&expected));
        expected.set_flags(expected.flags() - theirs);
        prop_assert_eq!(PteVal::from_bits(bits).with(ours).without(ours).bits(), bits_of(&expected));
    }

    #[test]
    fn a_write_protected_entry_allows_no_write_and_stays_dirty(bits in any::<u64>()) {
        let entry = PteVal::from_bits(bits | 1);
        let kept = EntryFlags::all() - EntryFlags::WRITABLE - EntryFlags::DIRTY - EntryFlags::SAVED_DIRTY;
        let protected = entry.write_protected();
        let flags = their_entry_of(protected.bits()).flags();
        prop_assert!(!flags.contains(Theirs::WRITABLE) && !flags.contains(Theirs::DIRTY), "it would be a shadow stack");
        prop_assert_eq!(protected.is_dirty(), entry.is_dirty());
        prop_assert_eq!((protected.pfn(), protected.flags() & kept), (entry.pfn(), entry.flags() & kept));
    }

    #[test]
    fn a_table_entry_points_where_they_follow_it(pfn in pfn()) {
        let usual = Theirs::PRESENT | Theirs::WRITABLE | Theirs::USER_ACCESSIBLE | Theirs::ACCESSED | Theirs::DIRTY;
        let expected = bits_of(&their_entry(pfn.number() << 12, usual));
        prop_assert_eq!((TableVal::table(pfn).bits(), PmdVal::table(pfn).bits()), (expected, expected));
        prop_assert_eq!((TableVal::table(pfn).target(), PmdVal::table(pfn).state()), (Some(pfn), PmdState::Table(pfn)));
    }

    #[test]
    fn what_they_call_a_frame_is_a_table(bits in entry_bits()) {
        let theirs = their_entry_of(bits);
        let pfn = Pfn::truncate(theirs.addr().as_u64() >> 12);
        let present = theirs.flags().contains(Theirs::PRESENT);
        prop_assert_eq!(TableVal::from_bits(bits).target(), present.then_some(pfn));
        match (theirs.frame(), present) {
            (Ok(_), _) => prop_assert_eq!(PmdVal::from_bits(bits).state(), PmdState::Table(pfn)),
            (Err(_), true) => prop_assert_eq!(PmdVal::from_bits(bits).state(), PmdState::Huge(pfn)),
            (Err(_), false) => prop_assert!(!matches!(PmdVal::from_bits(bits).state(), PmdState::Table(_))),
        }
    }

    #[test]
    fn they_agree_which_addresses_are_canonical(address in address()) {
        let (ours, theirs) = (VirtAddr::new(address, G), x86_64::VirtAddr::try_new(address));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        prop_assert_eq!(ours.map(VirtAddr::bytes).ok(), theirs.map(x86_64::VirtAddr::as_u64).ok());
    }

    #[test]
    fn they_find_the_same_indices(address in canonical()) {
        let theirs = x86_64::VirtAddr::new(address.bytes());
        let indices = [theirs.p1_index(), theirs.p2_index(), theirs.p3_index(), theirs.p4_index()];
        prop_assert_eq!([1, 2, 3, 4].map(|level| address.index(level, G)), indices.map(usize::from));
    }

    #[test]
    fn they_cut_pages_at_the_same_places(address in canonical()) {
        let theirs = x86_64::VirtAddr::new(address.bytes());
        prop_assert_eq!(address.page_offset(G), u64::from(theirs.page_offset()));
        prop_assert_eq!(address.page_start(G).bytes(), theirs.align_down(0x1000_u64).as_u64());
        prop_assert_eq!(address.is_page_aligned(G), theirs.is_aligned(0x1000_u64));
        prop_assert_eq!(address.page_number(G) << 12, theirs.align_down(0x1000_u64).as_u64());
    }

    #[test]
    fn a_byte_of_a_frame_has_their_physical_address(pfn in pfn(), offset in 0u64..0x1000) {
        let theirs = their_entry(pfn.number() << 12, Theirs::PRESENT).addr() + offset;
        prop_assert_eq!(pfn.byte(offset, G).bytes(), theirs.as_u64());
    }
}
