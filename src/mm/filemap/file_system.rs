//! A file system in memory: what a fault asks of it, and the ways in which it may answer.
//!
//! # A read
//!
//! ```text
//!                 at once                       uptodate, unlocked
//!   folio locked -- fails ------------------->  not uptodate, unlocked
//!                 slow --> under way --- end_read, by whoever first waits for the folio ---> uptodate, unlocked
//! ```
//!
//! A device would end a slow read whenever it likes. Here it ends when somebody waits for the folio: until then all
//! others find it locked, and that is all that they could tell.
//!
//! # Invariants
//! - I1. A read that is under way is noted in the folio before anybody else can wait for its lock, or its beginner
//!   waits for it. So no waiter waits for an end that nobody brings (D58).
//! - I2. The folio is locked from the beginning of a read to its end.

use std::fmt;

use crate::phys::{Contents, FileId, Pfn, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, enter, named, remark};

use super::address_space::AddressSpace;
use crate::mm::Mm;

/// How a file system behaves towards the fault path (`vm_operations_struct`, `address_space_operations`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Who answers a fault.
    pub fault: FaultOp,
    /// Who maps the pages around one.
    pub map_pages: MapPages,
    /// Who is asked before a shared page becomes writable.
    pub page_mkwrite: PageMkwrite,
    /// How reads go.
    pub reads: Reads,
    /// Whether its page cache has huge folios.
    pub huge: HugeFolios,
    /// Pages that one miss reads (`ra->ra_pages`); none, and each fault reads its own.
    pub readahead_pages: u64,
}

/// Whether a page cache has huge folios, by how the file system is mounted (`huge=` of tmpfs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugeFolios {
    /// It has not.
    Never,
    /// Where the file has room for the whole of one (`huge=within_size`). Only shared memory asks.
    WithinSize,
}

/// The operation `fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOp {
    /// `filemap_fault`: the page cache, filled by reads.
    Filemap,
    /// `shmem_fault`: the page cache is all that there is.
    Shmem,
    /// A driver that enters its pages itself, and has no answer to a fault.
    None,
    /// `hugetlb_fault`: the page cache has huge pages of the pool, and is all that there is. Sizes and indices are in
    /// huge pages.
    Hugetlb,
}

impl FaultOp {
    /// Whether something stands behind the page cache: else a missing page is a page of zeros.
    pub fn has_storage(self) -> bool {
        match self {
            Self::Filemap | Self::None => true,
            Self::Shmem | Self::Hugetlb => false,
        }
    }
}

/// The operation `map_pages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapPages {
    /// `filemap_map_pages`, in a window of so many pages (`fault_around_bytes`).
    Window(u64),
    /// There is none: such a file's faults want the mmap lock.
    None,
}

/// The operation `page_mkwrite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageMkwrite {
    /// There is none.
    None,
    /// `filemap_page_mkwrite`: it looks whether the page is still the file's, and returns it locked.
    Locked(Space),
    /// It reserves room and looks at nothing; the caller locks the page and looks.
    Unlocked(Space),
}

/// Whether the disk has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// It has.
    Enough,
    /// It may have run out: the engine chooses.
    MayRunOut,
}

/// How the reads of a file go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// They are over when they are submitted.
    AtOnce,
    /// They end when somebody waits for them.
    Slow,
    /// They fail.
    Fail,
    /// At once, slow, or failing: the engine chooses, each time.
    Any,
    /// At once or slow: the engine chooses, each time.
    NeverFail,
}

/// How one read goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Succeeds,
    Lasts,
    Fails,
}

/// A read failed (`-EIO`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadFailed;

/// What `page_mkwrite` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::mm) enum Allowed {
    /// The page may be written; it is locked (`VM_FAULT_LOCKED`).
    Locked,
    /// It may; the caller locks it (0).
    Unlocked,
    /// It is no longer the file's (`VM_FAULT_NOPAGE`).
    NoPage,
    /// It may not (`VM_FAULT_SIGBUS`).
    Refused,
}

impl Allowed {
    /// The result as Linux's functions return it.
    fn words(&self) -> String {
        match self {
            Self::Locked => "VM_FAULT_LOCKED",
            Self::Unlocked => "0",
            Self::NoPage => "VM_FAULT_NOPAGE",
            Self::Refused => "VM_FAULT_SIGBUS",
        }
        .to_owned()
    }
}

/// The state of a file on its file system.
pub(super) struct FileSystem<P: Platform> {
    behaviour: Behaviour,
    /// Pages that the disk has; what lies above was never written, and reads as zeros.
    stored_pages: P::AtomicU64,
}

/// What the disk of a file holds at first: the file, the page and the word are told by the digits.
pub const fn file_word(file: FileId, index: u64, word: usize) -> u64 {
    (file.0 + 1) * 100 + index * 10 + word as u64
}

impl<P: Platform> FileSystem<P> {
    pub(super) fn new(behaviour: Behaviour, pages: u64) -> Self {
        let stored = if behaviour.fault.has_storage() { pages } else { 0 };
        Self { behaviour, stored_pages: named::<P>(format_args!("pages on disk"), stored) }
    }

    pub(super) fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    pub(super) fn word(&self, file: FileId, index: u64, word: usize) -> u64 {
        // ORDER none: a read that runs while the file is cut may find either; its folio is cut as well.
        if index < self.stored_pages.load(Ordering::Relaxed) { file_word(file, index, word) } else { 0 }
    }

    /// Forgets what lies beyond a size; the caller holds `i_rwsem`.
    pub(super) fn cut(&self, pages: u64) {
        // ORDER none: only truncations write it, and they exclude each other.
        if pages < self.stored_pages.load(Ordering::Relaxed) {
            // ORDER none: as in `word`.
            self.stored_pages.store(pages, Ordering::Relaxed);
        }
    }

    /// Decides how a read will go.
    pub(super) fn begin_read(&self) -> Read {
        let (choices, offered): (usize, _) = match self.behaviour.reads {
            Reads::AtOnce => return Read::Succeeds,
            Reads::Slow => return Read::Lasts,
            Reads::Fail => return Read::Fails,
            Reads::Any => (3, [Read::Succeeds, Read::Lasts, Read::Fails]),
            Reads::NeverFail => (2, [Read::Succeeds, Read::Lasts, Read::Fails]),
        };
        offered[P::choose(choices)]
    }

    /// Notes in a locked folio that its read lasts (I1), or ends it.
    pub(super) fn go_on(&self, memory: &PhysMem<P>, file: FileId, pfn: Pfn, read: Read) {
        match read {
            Read::Lasts => memory.page(pfn).folio().begin_read(),
            Read::Succeeds | Read::Fails => self.finish(memory, file, pfn, read),
        }
    }

    /// If a read of the folio is under way, it ends now.
    pub(super) fn end_read(&self, memory: &PhysMem<P>, file: FileId, pfn: Pfn) {
        if memory.page(pfn).folio().end_read() {
            self.finish(memory, file, pfn, Read::Succeeds);
        }
    }

    /// The read is over: `folio_end_read`.
    fn finish(&self, memory: &PhysMem<P>, file: FileId, pfn: Pfn, read: Read) {
        let page = memory.page(pfn);
        if read == Read::Fails {
            remark::<P>(format_args!("the read of page {pfn} failed"));
        } else {
            let index = page.index();
            memory.fill_page(pfn, |word| self.word(file, index, word));
            page.folio().set_uptodate();
        }
        page.folio().lock().unlock();
    }
}

impl<P: Platform> AddressSpace<P> {
    /// Reads a locked folio and waits for the end, which unlocks it (`filemap_read_folio`).
    pub(super) fn read_folio(&self, memory: &PhysMem<P>, pfn: Pfn) -> Result<(), ReadFailed> {
        enter::<P>("filemap_read_folio", format_args!("page={pfn}")).run(
            || {
                let file_system = self.file_system();
                let read = file_system.begin_read();
                file_system.go_on(memory, self.id(), pfn, read);
                let folio = memory.page(pfn).folio();
                file_system.end_read(memory, self.id(), pfn);
                // Somebody else may have locked it since.
                folio.lock().wait();
                match folio.contents() {
                    Contents::Uptodate => Ok(()),
                    Contents::Missing => Err(ReadFailed),
                }
            },
            |result| result.map_or_else(|_| "-EIO".to_owned(), |()| "0".to_owned()),
        )
    }

    /// Asks the file system whether a page may be written (`vm_ops->page_mkwrite`); the page is not locked.
    pub(in crate::mm) fn page_mkwrite(&self, mm: &Mm<P>, pfn: Pfn) -> Allowed {
        let space = match self.behaviour().page_mkwrite {
            PageMkwrite::None => return Allowed::Unlocked,
            PageMkwrite::Locked(space) | PageMkwrite::Unlocked(space) => space,
        };
        if space == Space::MayRunOut && P::choose(2) == 1 {
            remark::<P>(format_args!("the disk is full"));
            return Allowed::Refused;
        }
        match self.behaviour().page_mkwrite {
            PageMkwrite::Locked(_) => self.filemap_page_mkwrite(mm, pfn),
            PageMkwrite::Unlocked(_) | PageMkwrite::None => Allowed::Unlocked,
        }
    }

    fn filemap_page_mkwrite(&self, mm: &Mm<P>, pfn: Pfn) -> Allowed {
        enter::<P>("filemap_page_mkwrite", format_args!("page={pfn}")).run(
            || {
                let page = mm.memory().page(pfn);
                self.lock_folio(mm.memory(), pfn);
                if page.mapping() != self.mapping() {
                    remark::<P>(format_args!("the page has left the file"));
                    page.folio().lock().unlock();
                    return Allowed::NoPage;
                }
                page.folio().mark_dirty();
                Allowed::Locked
            },
            Allowed::words,
        )
    }
}

impl<P: Platform> fmt::Debug for FileSystem<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileSystem").field("behaviour", &self.behaviour).finish_non_exhaustive()
    }
}
