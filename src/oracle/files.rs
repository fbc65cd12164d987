//! Invariants of files: D33, D34, D37 through the page cache, D42, D57.

use crate::mm::{FaultOp, Mm, VmFlags, Vma, WriteNotify};
use crate::phys::{Contents, Mapping, PageState, Pfn};
use crate::platform::Platform;
use crate::x86::{PteVal, VirtAddr};

use super::folios::word_at;
use super::layout::Quiet;

/// Every present entry with the VMA that it is in; one outside of every VMA is D24's.
fn each_mapped<P: Platform>(
    quiet: &Quiet<'_, P>,
    mut check: impl FnMut(VirtAddr, PteVal, &Vma<P>) -> Result<u64, String>,
) -> Result<u64, String> {
    let vmas = quiet.mm.mmap_lock().read();
    let mut evaluated = 0;
    let huge = quiet.layout.huge.iter().map(|(address, entry)| (address, entry.as_pte()));
    let small = quiet.layout.pages.iter().map(|(address, entry)| (address, *entry));
    for (address, entry) in small.chain(huge).filter(|(_, entry)| entry.is_present()) {
        if let Some(vma) = vmas.iter().find(|vma| vma.contains(*address)) {
            evaluated += check(*address, entry, vma)?;
        }
    }
    Ok(evaluated)
}

fn is_of_a_file<P: Platform>(mm: &Mm<P>, entry: PteVal) -> bool {
    !entry.is_special() && matches!(mm.memory().page(entry.pfn()).mapping(), Mapping::File(_) | Mapping::Shmem(_))
}

pub(super) fn private_is_read_only<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    each_mapped(quiet, |address, entry, vma| {
        if vma.flags().contains(VmFlags::SHARED) || !is_of_a_file(quiet.mm, entry) {
            return Ok(0);
        }
        if entry.is_writable() {
            return Err(format!("{address} of the private {vma:?} can write to the file's page {}", entry.pfn()));
        }
        Ok(1)
    })
}

pub(super) fn writable_is_dirty<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    each_mapped(quiet, |address, entry, vma| {
        let told = vma.flags().contains(VmFlags::SHARED) && vma.write_notify() == WriteNotify::Yes;
        if !told || !entry.is_writable() {
            return Ok(0);
        }
        if !quiet.mm.memory().page(entry.pfn()).folio().is_dirty() {
            return Err(format!("{address} can write to page {}, and its file system does not know", entry.pfn()));
        }
        Ok(1)
    })
}

pub(super) fn below_the_end<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    each_mapped(quiet, |address, entry, vma| {
        let Some(file) = vma.file() else { return Ok(0) };
        // A file of hugetlbfs counts in huge pages.
        let unit = if vma.is_hugetlb() { P::GEOMETRY.index_bits } else { 0 };
        let (index, pages) = (file.index(address) >> unit, file.mapping().size_pages());
        if index >= pages {
            return Err(format!("{address} has the entry {entry} for page {index} of a file of {pages} pages"));
        }
        Ok(1)
    })
}

/// What a folio holds and the disk does not must be known to be dirty: by its flag, or by an entry's mark.
pub(super) fn stores_reach_the_file<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let memory = quiet.mm.memory();
    let mut evaluated = 0;
    for file in quiet.files.files.iter().filter(|file| file.behaviour().fault == FaultOp::Filemap) {
        for (index, pfn) in (0..file.most_pages()).filter_map(|index| Some((index, file.peek(index)?))) {
            let folio = memory.page(pfn).folio();
            if folio.contents() == Contents::Missing {
                continue;
            }
            let differs =
                (0..P::GEOMETRY.entries()).any(|word| word_at(memory, pfn, word) != file.word_on_disk(index, word));
            if differs && !folio.is_dirty() && !marked_dirty(quiet, pfn) {
                return Err(format!("page {index} of file {} differs from its disk, and nobody knows", file.id().0));
            }
            evaluated += 1;
        }
    }
    Ok(evaluated)
}

fn marked_dirty<P: Platform>(quiet: &Quiet<'_, P>, pfn: Pfn) -> bool {
    quiet.layout.pages.values().any(|entry| entry.pfn() == pfn && entry.is_dirty())
}

/// D57: what is charged is what users have. Tables that nobody owns are D1's, references D17's.
pub(super) fn charges<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let memory = quiet.mm.memory();
    let pages = memory.pages().filter(|(_, page)| page.state() == PageState::User).count() as u64;
    let charged = memory.memcg().charged_pages();
    if charged == pages { Ok(1) } else { Err(format!("{charged} pages are charged, and {pages} are users'")) }
}
