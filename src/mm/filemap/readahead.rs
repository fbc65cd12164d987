//! Reading more than one page at a time (`mm/readahead.c`; `do_sync_mmap_readahead`, `do_async_mmap_readahead`).
//!
//! A miss reads a window of pages around its own, or after it if the VMA says that it reads in order. One folio of the
//! window is marked: whoever comes there has the next window read, before it is needed.
//!
//! How Linux lets windows grow and counts misses (`ra->mmap_miss`) is policy, and not modelled: every window is
//! `readahead_pages` long.

use crate::mm::VmFlags;
use crate::phys::{CpuId, OutOfMemory, Pfn, PhysMem};
use crate::platform::{Platform, enter};

use super::address_space::{Added, AddressSpace};
use super::file_system::Read;

/// Pages to read, and the one to mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    start: u64,
    pages: u64,
    mark: u64,
}

/// The window of a miss at `index`; `None` if nothing is to be read ahead.
pub(super) fn sync_window<P: Platform>(file: &AddressSpace<P>, flags: VmFlags, index: u64) -> Option<Window> {
    let pages = file.behaviour().readahead_pages;
    if flags.contains(VmFlags::RAND_READ) || pages == 0 {
        return None;
    }
    if flags.contains(VmFlags::SEQ_READ) {
        return Some(Window { start: index, pages, mark: index + 1 });
    }
    let start = index.saturating_sub(pages / 2);
    Some(Window { start, pages, mark: start + pages - pages / 4 })
}

/// The window after a marked folio at `index` (`page_cache_async_ra`).
pub(super) fn async_window<P: Platform>(file: &AddressSpace<P>, flags: VmFlags, index: u64) -> Option<Window> {
    let pages = file.behaviour().readahead_pages;
    if flags.contains(VmFlags::RAND_READ) || pages == 0 {
        return None;
    }
    let start = (index + 1..file.most_pages()).find(|next| file.peek(*next).is_none())?;
    Some(Window { start, pages, mark: start })
}

impl<P: Platform> AddressSpace<P> {
    /// Reads what is missing of a window, and waits for none of it (`page_cache_ra_unbounded`).
    pub(super) fn read_ahead(&self, memory: &PhysMem<P>, cpu: CpuId, window: Window) {
        enter::<P>("page_cache_ra_unbounded", format_args!("file={}, {window:?}", self.id().0)).run(
            || {
                // The size is read before the lock: a truncation may come in between, and the window then reaches
                // beyond it. Whoever finds such a folio tests the size again (M27).
                let end = self.size_pages().min(window.start + window.pages);
                let _shared = self.invalidate_lock().read();
                for index in (window.start..end).filter(|index| self.peek(*index).is_none()) {
                    let read = self.file_system().begin_read();
                    let prepare = |pfn: Pfn| {
                        let folio = memory.page(pfn).folio();
                        if index == window.mark {
                            folio.set_readahead();
                        }
                        if read == Read::Lasts {
                            folio.begin_read();
                        }
                    };
                    match self.add_folio(memory, cpu, index, prepare) {
                        Ok(Added::Mine(pfn)) => {
                            if read != Read::Lasts {
                                self.file_system().go_on(memory, self.id(), pfn, read);
                            }
                            memory.put_page(cpu, pfn);
                        }
                        Ok(Added::Theirs) => {}
                        // Reading ahead is a favour: without memory it ends.
                        Err(OutOfMemory) => break,
                    }
                }
            },
            |()| String::new(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::filemap::{Behaviour, FaultOp, HugeFolios, MapPages, PageMkwrite, Reads};
    use crate::phys::FileId;
    use crate::platform::{Native, X86_64};

    fn file(readahead_pages: u64) -> AddressSpace<Native<X86_64>> {
        let behaviour = Behaviour {
            fault: FaultOp::Filemap,
            map_pages: MapPages::None,
            page_mkwrite: PageMkwrite::None,
            reads: Reads::AtOnce,
            huge: HugeFolios::Never,
            readahead_pages,
        };
        AddressSpace::new(FileId(0), 32, 32, behaviour)
    }

    #[test]
    fn a_window_lies_around_the_miss_or_after_it() {
        let window = |start, pages, mark| Some(Window { start, pages, mark });
        assert_eq!(sync_window(&file(8), VmFlags::empty(), 10), window(6, 8, 12));
        assert_eq!(sync_window(&file(8), VmFlags::empty(), 1), window(0, 8, 6));
        assert_eq!(sync_window(&file(8), VmFlags::SEQ_READ, 10), window(10, 8, 11));
        assert_eq!(sync_window(&file(8), VmFlags::RAND_READ, 10), None);
        assert_eq!(sync_window(&file(0), VmFlags::empty(), 10), None);
        assert_eq!(async_window(&file(8), VmFlags::empty(), 10), window(11, 8, 11));
    }
}
