//! What happens in a story, and making it happen.

use std::fmt;

use thiserror::Error;

use super::call::Calls;
use super::render::{Cause, Chapter, render};
use super::stage::File;
use crate::mm::{
    AddressSpace, Ending, Generation, HugeAdvice, MapError, MapFlags, MapRequest, Mm, MmError, OpenFile, OpenMode,
    Placement, Process, Protection, RssKind, Task, do_mmap,
};
use crate::oracle::Layout;
use crate::phys::{CpuId, FileId, Pfn, PhysConfig};
use crate::platform::{self, Arc, Event, Geometry, Ordering, Platform};
use crate::x86::{Completion, Instruction, Machine, Mode, NotCanonical, Pkru, PmdVal, PteVal, VirtAddr};

type P = platform::Story;

const G: Geometry = P::GEOMETRY;

/// What a story is about.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Plot {
    pub(in crate::cli) address: u64,
    pub(in crate::cli) mapping: Mapping,
    pub(in crate::cli) pkru: Pkru,
    pub(in crate::cli) next_pfn: Pfn,
    pub(in crate::cli) access: Use,
}

/// The mapping of a plot, as a user asks for it.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Mapping {
    pub(in crate::cli) range: (u64, u64),
    pub(in crate::cli) protection: Protection,
    pub(in crate::cli) flags: MapFlags,
    /// Pages of the file, if there is one.
    pub(in crate::cli) file: Option<u64>,
    pub(in crate::cli) pkey: u32,
    pub(in crate::cli) huge: HugeAdvice,
}

impl Mapping {
    fn request(&self) -> MapRequest<P> {
        let (start, end) = self.range;
        let open = |pages| OpenFile {
            mapping: Arc::new(AddressSpace::new(FileId(0), pages, pages, File::DISK.behaviour)),
            mode: OpenMode::ReadWrite,
            offset: 0,
        };
        MapRequest {
            placement: Placement::Fixed(VirtAddr::new(start, G).expect("a range of user space is canonical")),
            bytes: end - start,
            protection: self.protection,
            flags: self.flags,
            file: self.file.map(open),
            pkey: self.pkey,
            huge: self.huge,
        }
    }
}

/// How the memory is used.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Use {
    Write(String),
    Read,
    Execute,
}

impl fmt::Display for Use {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(text) => write!(formatter, "a user write of {text:?}"),
            Self::Read => write!(formatter, "a user read"),
            Self::Execute => write!(formatter, "a user instruction fetch"),
        }
    }
}

/// Why there is no story.
#[derive(Debug, Error)]
pub(in crate::cli) enum NoStory {
    #[error("frame {0} is not free: the kernel's own tables have taken it")]
    FrameTaken(Pfn),
    #[error("{0} fails with {1}")]
    NotMapped(String, MapError),
    #[error(transparent)]
    Machine(#[from] MmError),
}

impl NoStory {
    pub(in crate::cli) fn hint(&self) -> &'static str {
        match self {
            Self::FrameTaken(_) => "try a --next-pfn of 0x100 or more",
            Self::NotMapped(..) => {
                "the usual mapping has --flags 'private|anonymous'; one of a file, --flags private --file 4"
            }
            Self::Machine(_) => "the story needs 8 MiB of memory",
        }
    }
}

/// A story that was run.
#[derive(Debug)]
pub(in crate::cli) struct Story {
    /// What it is about, and its setting.
    pub(super) head: Vec<String>,
    pub(super) chapters: Vec<Chapter>,
    pub(super) end: End,
}

/// What there is when the story is over.
#[derive(Debug)]
pub(super) enum End {
    /// The address is not one that hardware translates.
    GeneralProtection(NotCanonical),
    /// The access completed, or the kernel ended it.
    Accessed(VirtAddr, Aftermath),
}

/// The entry that the walk to an address ends with.
#[derive(Debug)]
pub(super) enum Leaf {
    /// One of a PTE table.
    Small(PteVal),
    /// One of a PMD table, which maps a huge page.
    Huge(PmdVal),
}

/// The state of things afterwards.
#[derive(Debug)]
pub(super) struct Aftermath {
    pub(super) completion: Completion<Ending>,
    pub(super) entry: Option<Leaf>,
    /// The frame that the address lies in, if a page is mapped there.
    pub(super) frame: Option<Pfn>,
    /// What physical memory holds where the access went.
    pub(super) bytes: Vec<u8>,
    pub(super) min_flt: u64,
    pub(super) maj_flt: u64,
    pub(super) pgtables_bytes: i64,
    /// Anonymous pages, those of files, and those of shared memory.
    pub(super) rss_pages: [i64; 3],
    /// Pages mapped by huge pages of the pool, which count in no RSS.
    pub(super) hugetlb_pages: i64,
}

const CPU: CpuId = CpuId::new(0);

impl Story {
    pub(in crate::cli) fn tell(plot: &Plot) -> Result<Self, NoStory> {
        let request = plot.mapping.request();
        let head = vec![format!("{} at {:#x}", plot.access, plot.address), Calls(&request).to_string()];
        let address = match VirtAddr::new(plot.address, G) {
            Ok(address) => address,
            Err(error) => return Ok(Self { head, chapters: Vec::new(), end: End::GeneralProtection(error) }),
        };
        let mm = set_up(plot.next_pfn, &request)?;
        let task = Task::new(CPU).with_pkru(plot.pkru);
        platform::Story::take();
        let mut chapters = Vec::new();
        let mut completion = Completion::Done(None);
        for instruction in instructions(address, &plot.access) {
            completion = Process::new(&mm, &task).execute(Mode::User, instruction);
            chapters.push(Chapter { cause: Cause::Instruction(instruction), events: platform::Story::take() });
            if matches!(completion, Completion::Ended(_)) {
                break;
            }
        }
        let length = if let Use::Write(text) = &plot.access { text.len() as u64 + 1 } else { 8 };
        let end = End::Accessed(address, aftermath(&mm, &task, address, length, completion));
        Ok(Self { head, chapters, end })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        render(self, formatter)
    }
}

/// Memory around the frame that comes next: 8 MiB, so that the frame of the story has the number it should have.
fn set_up(next_pfn: Pfn, request: &MapRequest<P>) -> Result<Mm<P>, NoStory> {
    let first = (next_pfn.number() & !0x3ff).saturating_sub(0x400);
    let config = PhysConfig::linux(Pfn::truncate(first), 2048, 1);
    let mm = Mm::new(Arc::new(Machine::boot(&config).map_err(MmError::from)?), Generation::G6, CPU)?;
    if !mm.memory().make_next_user_frame(CPU, next_pfn) {
        return Err(NoStory::FrameTaken(next_pfn));
    }
    do_mmap(&mm, request).map_err(|error| NoStory::NotMapped(Calls(request).to_string(), error))?;
    Ok(mm)
}

/// The instructions of the access: `strcpy` stores a word at a time, up to the final zero.
fn instructions(address: VirtAddr, access: &Use) -> Vec<Instruction> {
    let text = match access {
        Use::Read => return vec![Instruction::Load(address)],
        Use::Execute => return vec![Instruction::Fetch(address)],
        Use::Write(text) => [text.as_bytes(), &[0]].concat(),
    };
    let mut stores = Vec::new();
    let mut at = address;
    let mut left = text.as_slice();
    while !left.is_empty() {
        let room = 8 - (at.bytes() % 8) as usize;
        let (chunk, rest) = left.split_at(room.min(left.len()));
        let mut value = [0; 8];
        value[..chunk.len()].copy_from_slice(chunk);
        let bytes = chunk.len() as u32;
        stores.push(Instruction::Store { address: at, value: u64::from_le_bytes(value), bytes });
        at = at.offset(u64::from(bytes));
        left = rest;
    }
    stores
}

/// The state of things after an access of so many bytes.
pub(super) fn aftermath(
    mm: &Mm<P>,
    task: &Task,
    address: VirtAddr,
    length: u64,
    completion: Completion<Ending>,
) -> Aftermath {
    let layout = Layout::of(mm);
    // What goes on in the next page is in another frame.
    let length = length.min(G.page_size() - address.page_offset(G));
    let counts = task.counts();
    Aftermath {
        completion,
        entry: leaf(&layout, address),
        frame: frame(&layout, address),
        bytes: (0..length).map_while(|offset| byte(mm, &layout, address.offset(offset))).collect(),
        min_flt: counts.min_flt,
        maj_flt: counts.maj_flt,
        pgtables_bytes: mm.pgtables_bytes(),
        rss_pages: [RssKind::Anon, RssKind::File, RssKind::Shmem].map(|kind| mm.rss(kind)),
        hugetlb_pages: mm.hugetlb_usage(),
    }
}

/// The entry that maps the address, or stands for what did.
fn leaf(layout: &Layout, address: VirtAddr) -> Option<Leaf> {
    let span = G.page_size() * G.entries() as u64;
    let huge = layout.huge.get(&VirtAddr::user(address.bytes() & !(span - 1)));
    huge.map(|entry| Leaf::Huge(*entry)).or_else(|| layout.entry_for::<P>(address).map(Leaf::Small))
}

/// The frame that the address lies in, unless its entry is not present and stands for something else.
fn frame(layout: &Layout, address: VirtAddr) -> Option<Pfn> {
    match leaf(layout, address)? {
        Leaf::Small(entry) if !entry.is_present() => None,
        Leaf::Small(_) | Leaf::Huge(_) => layout.frame_for::<P>(address),
    }
}

/// One byte of physical memory, if the address is mapped.
fn byte(mm: &Mm<P>, layout: &Layout, address: VirtAddr) -> Option<u8> {
    let pfn = frame(layout, address)?;
    let offset = address.page_offset(G);
    // ORDER none: nobody runs.
    let word = mm.memory().word(pfn, (offset / 8) as usize).load(Ordering::Relaxed);
    Some(word.to_le_bytes()[(offset % 8) as usize])
}

/// Whether a chapter is worth its lines: it has a fault.
pub(super) fn faults(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Enter { function: "exc_page_fault", .. }))
}
