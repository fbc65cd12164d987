//! What a scenario is made of.

use crate::actors::Collapser;
use crate::mm::{
    Behaviour, FaultOp, Generation, HugeAdvice, HugeFolios, MapPages, PageMkwrite, Protection, Reads, VmFlags,
};
use crate::oracle::Sharing;
use crate::x86::Retention;

/// A small world, its actors, and every outcome that it can have.
///
/// Pages and words are numbered: page 0 is the first of user space, word 0 the first of its page.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, after the race that it shows.
    pub name: &'static str,
    /// The family that it belongs to, after the file that it stands in or the race that it is about.
    pub family: &'static str,
    /// What it claims, as a sentence.
    pub claim: &'static str,
    /// The page tables.
    pub shape: ShapeName,
    /// Which kernel's protocol the address space follows.
    pub generation: Generation,
    /// What is mapped at first.
    pub vmas: &'static [VmaSpec],
    /// What is done before the actors start, alone.
    pub setup: &'static [Op],
    /// Who races.
    pub actors: &'static [Actor],
    /// Every outcome, in the words of [`super::Outcome`].
    pub outcomes: &'static [&'static str],
    /// How far loom can go in this world.
    pub loom: LoomReach,
}

impl Scenario {
    /// A small world with nothing in it, for others to be built upon.
    pub(super) const fn small(name: &'static str) -> Self {
        Self {
            name,
            family: "",
            claim: "",
            shape: ShapeName::TwoLevels,
            generation: Generation::G6,
            vmas: &[],
            setup: &[],
            actors: &[],
            outcomes: &[],
            loom: LoomReach::Everything,
        }
    }
}

/// How far loom can go in a world before it drowns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoomReach {
    /// Through every interleaving.
    Everything,
    /// To every outcome, with at most so many preemptions in one execution.
    Outcomes {
        /// How many.
        preemptions: u8,
    },
    /// To some outcomes only, with at most so many preemptions.
    Partly {
        /// How many.
        preemptions: u8,
    },
}

impl LoomReach {
    /// The bound on preemptions, or `None` for all interleavings.
    pub const fn preemptions(self) -> Option<u8> {
        match self {
            Self::Everything => None,
            Self::Outcomes { preemptions } | Self::Partly { preemptions } => Some(preemptions),
        }
    }
}

/// The page tables of a scenario's world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeName {
    /// 2 levels of 2 entries: 4 pages of 2 words.
    TwoLevels,
    /// 4 levels of 2 entries: 16 pages of 2 words.
    FourLevels,
}

/// A mapping of anonymous memory, private unless it says otherwise; with `HUGETLB`, of huge pages of the pool.
#[derive(Clone, Copy, Debug)]
pub struct VmaSpec {
    /// Its first page.
    pub page: u64,
    /// Its pages.
    pub pages: u64,
    /// Its rights.
    pub protection: Protection,
    /// What else is said of it: a stack, say.
    pub flags: VmFlags,
}

/// A file of a scenario's world; one with the same description is the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Its name, by which two files of the same kind are told apart.
    pub name: &'static str,
    /// Its pages at first. The word `w` of page `p` of the first file is 100 + 10 * p + w, of the second 200 + ...
    pub pages: u64,
    /// Pages that it can grow to.
    pub most_pages: u64,
    /// How its file system behaves.
    pub behaviour: Behaviour,
}

impl FileSpec {
    /// The usual file: two pages on a disk that reads at once, faults that map nothing around, and nobody who wants to
    /// be asked before a write.
    pub const DISK: Self = Self {
        name: "disk",
        pages: 2,
        most_pages: 2,
        behaviour: Behaviour {
            fault: FaultOp::Filemap,
            map_pages: MapPages::Window(1),
            page_mkwrite: PageMkwrite::None,
            reads: Reads::AtOnce,
            huge: HugeFolios::Never,
            readahead_pages: 0,
        },
    };
}

/// A mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMap {
    /// Its first page.
    pub page: u64,
    /// Its pages.
    pub pages: u64,
    /// Its rights.
    pub protection: Protection,
    /// Who sees its stores.
    pub sharing: Sharing,
    /// The file.
    pub file: &'static FileSpec,
    /// The page of the file that it begins with.
    pub pgoff: u64,
}

/// One of the threads that race, on a CPU of its own.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// Its name, one letter.
    pub name: &'static str,
    /// What it does, one after the other.
    pub ops: &'static [Op],
}

/// Something that an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A user's store of a whole word.
    Write {
        /// The page.
        page: u64,
        /// The word of it.
        word: u64,
        /// What is stored.
        value: u64,
    },
    /// The kernel's store of a whole word to a user's memory.
    CopyToUser {
        /// The page.
        page: u64,
        /// The word of it.
        word: u64,
        /// What is stored.
        value: u64,
    },
    /// Something that is done to a page by a reference to it.
    ByReference(ByReference),
    /// A user's load of a whole word.
    Read {
        /// The page.
        page: u64,
        /// The word of it.
        word: u64,
    },
    /// A user's instruction fetch.
    Execute {
        /// The page.
        page: u64,
    },
    /// The kernel clears the marks that hardware made in the page's entry.
    Age {
        /// The page.
        page: u64,
    },
    /// The system call `mmap` of a file.
    MapFile(FileMap),
    /// The system call `mmap` of private anonymous memory, where nothing may be mapped yet.
    MapAnonymous {
        /// The first page.
        page: u64,
        /// Pages.
        pages: u64,
        /// The rights.
        protection: Protection,
    },
    /// The system call `ftruncate`.
    Truncate {
        /// The file.
        file: &'static FileSpec,
        /// Its new size.
        pages: u64,
    },
    /// A load by the kernel, which must not fault pages in meanwhile (`copy_from_user_inatomic`).
    Peek {
        /// The page.
        page: u64,
        /// The word of it.
        word: u64,
    },
    /// `madvise(MADV_DONTNEED)`.
    Dontneed {
        /// The first page.
        page: u64,
        /// Pages.
        pages: u64,
    },
    /// `madvise(MADV_HUGEPAGE)` or `madvise(MADV_NOHUGEPAGE)`.
    AdviseHuge {
        /// The first page.
        page: u64,
        /// Pages.
        pages: u64,
        /// Which of the two.
        advice: HugeAdvice,
    },
    /// The kernel makes a huge page of the small ones around a page.
    Collapse {
        /// The page.
        page: u64,
        /// Who asks for it.
        by: Collapser,
    },
    /// The system call `mprotect`.
    Mprotect {
        /// The first page.
        page: u64,
        /// Pages.
        pages: u64,
        /// Their rights from then on.
        protection: Protection,
    },
    /// The NUMA scanner takes the page's rights away, to learn who uses it.
    MarkNuma {
        /// The page.
        page: u64,
    },
    /// The kernel moves the page to another frame.
    Migrate {
        /// The page.
        page: u64,
    },
    /// The process forks; there is one child at most, and what follows in the same actor may take place in it.
    Fork,
    /// The same in the child. Only who comes after the fork may do it.
    InChild(&'static Op),
    /// The child exits.
    ExitChild,
    /// The kernel forgets that pages were written, and write-protects them.
    ClearRefs {
        /// The first page.
        page: u64,
        /// Pages.
        pages: u64,
    },
    /// Before the world begins: the CPU of an actor keeps so many huge pages, and nobody else gets them. A CPU that
    /// keeps none finds no huge page.
    StockHuge {
        /// The actor, counted from 0; the set-up comes after the last.
        actor: usize,
        /// Huge pages.
        folios: usize,
    },
    /// Before the others begin: an operation on the CPU of an actor, counted from 0, so that the CPU remembers what it
    /// used. It faults nothing in.
    On {
        /// The actor.
        actor: usize,
        /// A load, a store or a fetch.
        op: &'static Op,
    },
    /// Before the world begins: how long CPUs remember translations. They keep them if nothing is said.
    Tlb(Retention),
    /// Before the world begins: so many huge pages are set aside for hugetlb mappings.
    StockHugetlb {
        /// Huge pages.
        folios: usize,
    },
    /// The system call.
    Munmap {
        /// The first page.
        page: u64,
        /// Pages.
        pages: u64,
    },
}

/// Something that is done to a page by a reference to it, whoever maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByReference {
    /// A debugger's store of a whole word, whatever rights the mapping gives (a write to `/proc/PID/mem`).
    Poke {
        /// The page.
        page: u64,
        /// The word of it.
        word: u64,
        /// What is stored.
        value: u64,
    },
    /// The same by a system call that keeps no lock, and where the mapping lets write (`process_vm_writev`).
    Writev {
        /// The page.
        page: u64,
        /// The word of it.
        word: u64,
        /// What is stored.
        value: u64,
    },
    /// The actor's pipe gets a reference to a page (`vmsplice`).
    Vmsplice {
        /// The page.
        page: u64,
        /// The word of it that will be read.
        word: u64,
    },
    /// What came first into the actor's pipe is read, and the page let go. The actor does it in the process in which it
    /// filled the pipe, and leaves nothing in it.
    ReadPipe,
}

/// A store of `value` to a word.
pub const fn write(page: u64, word: u64, value: u64) -> Op {
    Op::Write { page, word, value }
}

/// The kernel's store of `value` to a user's word (`copy_to_user`).
pub const fn copy_to_user(page: u64, word: u64, value: u64) -> Op {
    Op::CopyToUser { page, word, value }
}

/// A debugger's store of `value` to a word.
pub const fn poke(page: u64, word: u64, value: u64) -> Op {
    Op::ByReference(ByReference::Poke { page, word, value })
}

/// A store of `value` to a word by `process_vm_writev`.
pub const fn writev(page: u64, word: u64, value: u64) -> Op {
    Op::ByReference(ByReference::Writev { page, word, value })
}

/// A page goes into the actor's pipe; the word of it will be read.
pub const fn vmsplice(page: u64, word: u64) -> Op {
    Op::ByReference(ByReference::Vmsplice { page, word })
}

/// What came first into the actor's pipe is read.
pub const fn read_pipe() -> Op {
    Op::ByReference(ByReference::ReadPipe)
}

/// A load of a word.
pub const fn read(page: u64, word: u64) -> Op {
    Op::Read { page, word }
}

/// An instruction fetch from a page.
pub const fn execute(page: u64) -> Op {
    Op::Execute { page }
}

/// Clears Accessed and Dirty of a page.
pub const fn age(page: u64) -> Op {
    Op::Age { page }
}

/// The system call `mmap` of one page of a file or more, readable and writable, from its first page on.
pub const fn map_file(page: u64, pages: u64, sharing: Sharing, file: &'static FileSpec) -> Op {
    Op::MapFile(FileMap { page, pages, protection: READ_WRITE, sharing, file, pgoff: 0 })
}

/// The system call `mmap` of private anonymous memory.
pub const fn map_anonymous(page: u64, pages: u64, protection: Protection) -> Op {
    Op::MapAnonymous { page, pages, protection }
}

/// The system call `ftruncate`.
pub const fn truncate(file: &'static FileSpec, pages: u64) -> Op {
    Op::Truncate { file, pages }
}

/// A load by the kernel, without a fault.
pub const fn peek(page: u64, word: u64) -> Op {
    Op::Peek { page, word }
}

/// `madvise(MADV_DONTNEED)`.
pub const fn dontneed(page: u64, pages: u64) -> Op {
    Op::Dontneed { page, pages }
}

/// `madvise(MADV_HUGEPAGE)` or `madvise(MADV_NOHUGEPAGE)`.
pub const fn advise_huge(page: u64, pages: u64, advice: HugeAdvice) -> Op {
    Op::AdviseHuge { page, pages, advice }
}

/// `khugepaged` makes a huge page of what is around a page.
pub const fn collapse(page: u64) -> Op {
    Op::Collapse { page, by: Collapser::Khugepaged }
}

/// `madvise(MADV_COLLAPSE)` of the huge page around a page.
pub const fn madvise_collapse(page: u64) -> Op {
    Op::Collapse { page, by: Collapser::Madvise }
}

/// The system call `mprotect`.
pub const fn mprotect(page: u64, pages: u64, protection: Protection) -> Op {
    Op::Mprotect { page, pages, protection }
}

/// The NUMA scanner's mark on a page.
pub const fn mark_numa(page: u64) -> Op {
    Op::MarkNuma { page }
}

/// Moves a page to another frame.
pub const fn migrate(page: u64) -> Op {
    Op::Migrate { page }
}

/// An operation of the child.
pub const fn in_child(op: &'static Op) -> Op {
    Op::InChild(op)
}

/// Write-protects pages and forgets that they were written.
pub const fn clear_refs(page: u64, pages: u64) -> Op {
    Op::ClearRefs { page, pages }
}

/// Keeps huge pages for the CPU of an actor.
pub const fn stock_huge(actor: usize, folios: usize) -> Op {
    Op::StockHuge { actor, folios }
}

/// Sets huge pages aside for hugetlb mappings.
pub const fn stock_hugetlb(folios: usize) -> Op {
    Op::StockHugetlb { folios }
}

/// An operation of the set-up on an actor's CPU, which remembers the translation.
pub const fn on(actor: usize, op: &'static Op) -> Op {
    Op::On { actor, op }
}

/// How long CPUs remember translations.
pub const fn tlb(retention: Retention) -> Op {
    Op::Tlb(retention)
}

/// The system call `munmap`.
pub const fn munmap(page: u64, pages: u64) -> Op {
    Op::Munmap { page, pages }
}

/// Readable and writable, the usual rights.
pub(super) const READ_WRITE: Protection = Protection::READ.union(Protection::WRITE);

/// The usual world: one mapping of pages 0 and 1, readable and writable.
pub(super) const TWO_PAGES: &[VmaSpec] =
    &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::empty() }];

/// The usual file.
pub(super) const DISK: FileSpec = FileSpec::DISK;
