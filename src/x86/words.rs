//! The words of a page table as a reader wants them: which frame or table, and with which rights.

use crate::phys::Pfn;
use crate::platform::{GARBAGE, Platform, UNSET, describe};

use super::entry::{EntryFlags, PmdState, PmdVal, PteVal};
use super::swap_entry::SwapEntry;
use super::walk::level_name;

/// Says of a word of a table which entry it is, and how its values read.
pub(crate) fn describe_entry<P: Platform>(word: &P::AtomicU64, table: Pfn, index: usize, level: u32) {
    let words = if level == 1 { pte_words } else { upper_words };
    describe::<P>(word, format_args!("{}[{index}] of {table}", level_name(level)), words);
}

/// The same of an entry of a PTE table that translates a page.
pub(super) fn describe_entry_of_page<P: Platform>(word: &P::AtomicU64, table: Pfn, index: usize, page: u64) {
    describe::<P>(word, format_args!("{}[{index}] of {table} (page {page})", level_name(1)), pte_words);
}

/// An entry of a PTE table: `PFN 0x103 RW dirty`.
fn pte_words(bits: u64) -> String {
    let pte = PteVal::from_bits(bits);
    match bits {
        0 => return "none".to_owned(),
        GARBAGE => return UNSET.to_owned(),
        _ => {}
    }
    if pte.is_present() {
        return present(pte.pfn(), pte.flags());
    }
    SwapEntry::from_pte(pte).map_or_else(|| format!("{bits:#x}"), |swap| format!("{:?}", swap.kind()))
}

/// An entry above: a table, or a huge page.
fn upper_words(bits: u64) -> String {
    let pmd = PmdVal::from_bits(bits);
    match pmd.state() {
        _ if bits == GARBAGE => UNSET.to_owned(),
        PmdState::None => "none".to_owned(),
        PmdState::Table(pfn) => format!("table {pfn}"),
        PmdState::Huge(_) => format!("huge {}", present(pmd.pfn(), pmd.flags())),
        PmdState::NotATable => format!("{bits:#x}"),
    }
}

fn present(pfn: Pfn, flags: EntryFlags) -> String {
    let rights = match (flags.contains(EntryFlags::PRESENT), flags.contains(EntryFlags::WRITABLE)) {
        (false, _) => "PROT_NONE",
        (true, true) => "RW",
        (true, false) => "RO",
    };
    let marks = [
        (EntryFlags::DIRTY.union(EntryFlags::SAVED_DIRTY), "dirty"),
        (EntryFlags::ACCESSED, "accessed"),
        (EntryFlags::SPECIAL, "special"),
    ];
    let marks = marks.into_iter().filter(|(flag, _)| flags.intersects(*flag)).map(|(_, name)| name);
    [format!("PFN {pfn}"), rights.to_owned()].into_iter().chain(marks.map(str::to_owned)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::{SwapType, TableVal};

    const PFN: Pfn = Pfn::truncate(0x103);
    const PAGE: EntryFlags = EntryFlags::PRESENT.union(EntryFlags::USER).union(EntryFlags::ACCESSED);

    #[test]
    fn entries_say_what_they_stand_for() {
        assert_eq!(pte_words(0), "none");
        assert_eq!(pte_words(PteVal::new(PFN, PAGE).dirty_and_writable().bits()), "PFN 0x103 RW dirty accessed");
        assert_eq!(pte_words(PteVal::new(PFN, PAGE.difference(EntryFlags::ACCESSED)).bits()), "PFN 0x103 RO");
        assert_eq!(pte_words(PteVal::new(PFN, EntryFlags::PROT_NONE).bits()), "PFN 0x103 PROT_NONE");
        assert_eq!(upper_words(TableVal::table(PFN).bits()), "table 0x103");
        assert_eq!(upper_words(0), "none");
        assert_eq!([pte_words(GARBAGE), upper_words(GARBAGE)], [UNSET, UNSET]);
    }

    #[test]
    fn an_entry_that_is_not_present_says_why() {
        let words = |kind| pte_words(SwapEntry::new(kind, PFN.number()).expect("a kind that there is").to_pte().bits());
        assert_eq!(words(SwapType::MigrationRead), "MigrationRead");
        assert_eq!(words(SwapType::HwPoison), "HwPoison");
    }
}
