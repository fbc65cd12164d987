//! Invariants of pages: D14 to D18, D22, D24, D25.

use crate::mm::{AddressSpace, RssKind, Vma};
use crate::phys::{Mapping, Page, PageState, Pfn, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform};
use crate::x86::{PteVal, VirtAddr};

use super::ghost::{Allowed, Order};
use super::layout::Quiet;

/// One word of a frame, when nobody runs.
pub(super) fn word_at<P: Platform>(memory: &PhysMem<P>, pfn: Pfn, word: usize) -> u64 {
    // ORDER none: nobody runs.
    memory.word(pfn, word).load(Ordering::Relaxed)
}

/// Entries that map a page of a user's own.
pub(super) fn counted<P: Platform>(quiet: &Quiet<'_, P>) -> impl Iterator<Item = (VirtAddr, PteVal)> {
    quiet
        .layout
        .pages
        .iter()
        .map(|(address, entry)| (*address, *entry))
        .filter(|(_, entry)| entry.is_present() && !entry.is_special())
}

/// Every page of a user's own, mapped or not.
fn user_pages<'a, P: Platform>(quiet: &'a Quiet<'_, P>) -> impl Iterator<Item = (Pfn, &'a Page<P>)> {
    quiet.mm.memory().pages().filter(|(_, page)| page.state() == PageState::User)
}

/// The folios of users: each page that is none's tail.
fn folios<'a, P: Platform>(quiet: &'a Quiet<'_, P>) -> impl Iterator<Item = (Pfn, &'a Page<P>)> {
    user_pages(quiet).filter(|(_, page)| page.from_head() == 0)
}

/// Entries that map the folio, or a page of it (`folio_mapcount`).
fn folio_mapcount<P: Platform>(memory: &PhysMem<P>, head: Pfn) -> i64 {
    let pages: i64 = memory.frames_of_folio(head).map(|frame| memory.page(frame).mapcount()).sum();
    memory.page(head).entire_mapcount() + pages
}

pub(super) fn allocated<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (address, entry) in counted(quiet) {
        let state = quiet.mm.memory().page(entry.pfn()).state();
        if state != PageState::User {
            return Err(format!("{address} maps frame {}, which is {state:?}", entry.pfn()));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn mapcount<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (pfn, page) in user_pages(quiet) {
        let (mapcount, mapped) = (page.mapcount() + page.entire_mapcount(), quiet.mappings(pfn));
        if mapcount != mapped {
            return Err(format!("page {pfn} has mapcount {mapcount}, and {mapped} entries map it"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn refcount_covers_mapcount<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (pfn, page) in folios(quiet) {
        let (refcount, mapcount) = (page.refcount() as i64, folio_mapcount(quiet.mm.memory(), pfn));
        if refcount < mapcount {
            return Err(format!("page {pfn} has refcount {refcount} and mapcount {mapcount}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

pub(super) fn refcount<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut evaluated = 0;
    for (pfn, page) in folios(quiet) {
        let (refcount, mapcount) = (page.refcount() as i64, folio_mapcount(quiet.mm.memory(), pfn));
        let cached = if is_cached(quiet, pfn, page) { 1_i64 << page.order() } else { 0 };
        if refcount != mapcount + cached {
            let cache = if cached > 0 { ", and it is in the page cache" } else { "" };
            return Err(format!(
                "page {pfn} has refcount {refcount} and mapcount {mapcount}{cache}: a reference leaked"
            ));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

/// Whether the page is where it says that it is.
fn is_cached<P: Platform>(quiet: &Quiet<'_, P>, pfn: Pfn, page: &Page<P>) -> bool {
    let is_there = |file: &AddressSpace<P>| file.mapping() == page.mapping() && file.peek(page.index()) == Some(pfn);
    let vmas = quiet.mm.mmap_lock().read();
    quiet.files.files.iter().any(|file| is_there(file))
        || vmas.iter().filter_map(|vma| vma.file()).any(|file| is_there(file.mapping()))
}

pub(super) fn rss<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let kinds = [RssKind::Anon, RssKind::File, RssKind::Shmem];
    let memory = quiet.mm.memory();
    for kind in kinds {
        let mapped = counted(quiet).filter(|(_, entry)| RssKind::of(memory.page(entry.pfn()).mapping()) == kind);
        let huge =
            super::huge::counted(quiet).filter(|(_, entry)| RssKind::of(memory.page(entry.pfn()).mapping()) == kind);
        let mapped = mapped.count() + huge.count() * P::GEOMETRY.entries();
        let (counted, mapped) = (quiet.mm.rss(kind), mapped as i64);
        if counted != mapped {
            return Err(format!("of {kind:?} it is {counted}, and {mapped} pages are mapped"));
        }
    }
    Ok(1)
}

/// Words that no store touched still hold the zeros that the kernel wrote.
pub(super) fn contents<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let logs = [Some(quiet.ghost), quiet.kin.map(|kin| kin.ghost)].into_iter().flatten();
    let stored: Vec<_> = logs.map(|logs| Allowed::new(Order::of::<P>(), logs, &quiet.files.shown)).collect();
    let mut evaluated = 0;
    for (page, pfn) in quiet.layout.frames::<P>() {
        for word in 0..P::GEOMETRY.entries() {
            let address = page.offset(word as u64 * 8);
            let held = word_at(quiet.mm.memory(), pfn, word);
            let explained =
                |stored: &Allowed<'_>| stored.is_stored(address) || stored.unstored(address).contains(&held);
            if !stored.iter().any(explained) {
                return Err(format!("nobody stored to {address}, which holds {held:#x}"));
            }
            evaluated += 1;
        }
    }
    Ok(evaluated)
}

pub(super) fn findable<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let vmas = quiet.mm.mmap_lock().read();
    let mut evaluated = 0;
    let (listed, pages) = (quiet.mm.memory().lru().listed(), folios(quiet).count());
    if listed != pages {
        return Err(format!("{listed} folios are on the LRU lists, and {pages} are users'"));
    }
    for (address, entry) in counted(quiet) {
        let page = quiet.mm.memory().page(entry.pfn());
        let vma = vmas.iter().find(|vma| vma.contains(address));
        let vma = vma.ok_or_else(|| format!("{address} maps page {} outside of every VMA", entry.pfn()))?;
        if !leads_to(page.mapping(), vma) || page.index() != vma.linear_page_index(address) {
            let (mapping, index) = (page.mapping(), page.index());
            return Err(format!("page {} is {mapping:?} at index {index:#x}, not found from {vma:?}", entry.pfn()));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

/// Whether the VMA is linked where the mapping of a page leads to.
pub(super) fn leads_to<P: Platform>(mapping: Mapping, vma: &Vma<P>) -> bool {
    match mapping {
        Mapping::None => false,
        Mapping::Anon(id) => {
            let mut anon_vmas = vma.anon_vmas().filter(|anon_vma| anon_vma.id() == id);
            anon_vmas.any(|anon_vma| anon_vma.is_linked(vma))
        }
        Mapping::File(_) | Mapping::Shmem(_) => vma.file().is_some_and(|file| {
            let mapped = file.mapping().i_mmap().read();
            file.mapping().mapping() == mapping && mapped.iter().any(|linked| std::ptr::eq(&**linked, vma))
        }),
    }
}

pub(super) fn zero_page<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let zero = quiet.mm.machine().zero_page();
    let mut evaluated = 0;
    for (address, entry) in quiet.layout.pages.iter().filter(|(_, entry)| entry.pfn() == zero) {
        if !entry.is_special() || entry.is_writable() {
            return Err(format!("{address} maps it by the entry {entry}"));
        }
        evaluated += 1;
    }
    Ok(evaluated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::fork;
    use crate::mm::{Generation, Mm, Placement, Process, Protection, Task, mmap};
    use crate::phys::{CpuId, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const PAGE: VirtAddr = VirtAddr::user(0x5000);

    #[test]
    fn a_childs_vma_is_not_found_by_the_link_of_its_parents() {
        let task = Task::new(CpuId::new(0));
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 256, 1)).expect("a little memory");
        let machine = Arc::new(machine);
        let new = || Mm::<P>::new(Arc::clone(&machine), Generation::G6, task.cpu()).expect("a frame for the root");
        let (parent, child) = (new(), new());
        let rights = Protection::READ | Protection::WRITE;
        mmap(&parent, Placement::Fixed(PAGE), 0x1000, rights).expect("an empty address space");
        let _done = Process::new(&parent, &task).execute(Mode::User, Instruction::store(PAGE, 1));
        fork(&parent, &child, &task).expect("there is memory");
        let parents = parent.mmap_lock().read().all();
        let childs = child.mmap_lock().read().all();
        let (vma, copy) = (parents.first().expect("it is mapped"), childs.first().expect("it is copied"));
        let origin = vma.anon_vma().expect("the store prepared it");
        let mapping = Mapping::Anon(origin.id());
        assert_eq!((leads_to(mapping, vma), leads_to(mapping, copy)), (true, true));
        origin.unlink(copy);
        assert_eq!((leads_to(mapping, vma), leads_to(mapping, copy)), (true, false));
    }
}
