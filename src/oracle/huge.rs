//! Invariants of huge entries: D2, D9, and what D14, D24, D25 and D26 say of them.

use crate::mm::CowReuse;
use crate::phys::{Mapping, PageState, Pfn};
use crate::platform::Platform;
use crate::x86::{EntryFlags, PmdState, PmdVal, PteVal, VirtAddr};

use super::folios::{leads_to, word_at};
use super::layout::Quiet;

/// Huge entries of a user's own folios, those of the hugetlb pool apart, with the addresses that they translate from.
pub(super) fn counted<P: Platform>(quiet: &Quiet<'_, P>) -> impl Iterator<Item = (VirtAddr, PmdVal)> {
    let zero = quiet.mm.machine().huge_zero().get();
    let all = quiet.layout.huge.iter().map(|(address, entry)| (*address, *entry));
    all.filter(move |(address, entry)| Some(entry.pfn()) != zero && !quiet.layout.hugetlb.contains(address))
}

pub(super) fn one_of_three<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    for (address, entry) in &quiet.layout.pmds {
        let is_transient = entry.is_huge() && !entry.flags().intersects(EntryFlags::PRESENT | EntryFlags::PROT_NONE)
            || entry.is_huge() && entry.flags().contains(EntryFlags::SPLITTING);
        if entry.state() == PmdState::NotATable || is_transient {
            return Err(format!("the PMD entry of {address} is {entry}"));
        }
    }
    Ok(quiet.layout.pmds.len() as u64)
}

pub(super) fn one_deposit<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let memory = quiet.mm.memory();
    let mut evaluated = 0;
    for (pmd_table, huge) in &quiet.layout.pmd_tables {
        let deposits: Vec<Pfn> = memory.deposits(*pmd_table).collect();
        if deposits.len() != *huge {
            return Err(format!(
                "PMD table {pmd_table} has {huge} anonymous huge entries and {} deposits",
                deposits.len()
            ));
        }
        for table in deposits {
            for word in 0..P::GEOMETRY.entries() {
                let entry = PteVal::from_bits(word_at(memory, table, word));
                if !entry.is_none() {
                    return Err(format!("entry {word} of the deposited table {table} is {entry}"));
                }
            }
        }
        evaluated += *huge as u64;
    }
    Ok(evaluated)
}

pub(super) fn allocated<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (address, entry) in counted(quiet) {
        let page = quiet.mm.memory().page(entry.pfn());
        let (state, order) = (page.state(), page.order());
        if state != PageState::User || order != P::GEOMETRY.index_bits {
            return Err(format!("{address} maps folio {}, which is {state:?} of order {order}", entry.pfn()));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn findable<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let vmas = quiet.mm.mmap_lock().read();
    let mut evaluated = 0;
    for (address, entry) in counted(quiet) {
        let page = quiet.mm.memory().page(entry.pfn());
        let vma = vmas.iter().find(|vma| vma.contains(address));
        let vma = vma.ok_or_else(|| format!("{address} maps folio {} outside of every VMA", entry.pfn()))?;
        if !leads_to(page.mapping(), vma) || page.index() != vma.linear_page_index(address) {
            let (mapping, index) = (page.mapping(), page.index());
            return Err(format!("folio {} is {mapping:?} at index {index:#x}, not found from {vma:?}", entry.pfn()));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn zero_page<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let zero = quiet.mm.machine().huge_zero().get();
    let mapped = quiet.layout.huge.iter().filter(|(_, entry)| Some(entry.pfn()) == zero);
    let mut evaluated = 0;
    for (address, entry) in mapped {
        if entry.is_writable() {
            return Err(format!("{address} maps it by the entry {entry}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

/// D42: no huge entry shows a page beyond the end of its file.
pub(super) fn below_the_end<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let vmas = quiet.mm.mmap_lock().read();
    let mut evaluated = 0;
    for (address, entry) in counted(quiet) {
        let file = vmas.iter().find(|vma| vma.contains(address)).and_then(|vma| vma.file());
        let Some(file) = file else { continue };
        let (end, pages) = (file.index(address) + P::GEOMETRY.entries() as u64, file.mapping().size_pages());
        if end > pages {
            return Err(format!("{address} has the entry {entry} up to page {end} of a file of {pages} pages"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn writable_is_exclusive<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    if quiet.mm.generation().cow_reuse() == CowReuse::MapCount {
        return Ok(0);
    }
    let mut evaluated = 0;
    for (address, entry) in counted(quiet).filter(|(_, entry)| entry.is_writable()) {
        let page = quiet.mm.memory().page(entry.pfn());
        if matches!(page.mapping(), Mapping::Anon(_)) && !page.is_anon_exclusive() {
            return Err(format!("{address} maps folio {} by the entry {entry}", entry.pfn()));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}
