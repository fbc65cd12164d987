//! The stage of a story: an address space that is set up in silence, and the accesses that are told.

use crate::mm::{
    AddressSpace, Behaviour, Ending, FaultOp, Generation, HugeFolios, MapPages, Mm, MmError, PageMkwrite, Process,
    Protection, Reads, Space, Task, VmFlags, Vma, VmaFile,
};
use crate::phys::{CpuId, FileId, Pfn, PhysConfig};
use crate::platform::{self, Arc};
use crate::x86::{Completion, Instruction, Machine, Mode, VirtAddr};

use super::render::Chapter;

pub(super) type P = platform::Story;

pub(super) const CPU: CpuId = CpuId::new(0);

/// Where the mappings of the library's stories begin: the start of a huge page.
pub(super) const BASE: VirtAddr = VirtAddr::user(0x7f00_0000_0000);

/// The first byte of a page of the stories.
pub(super) const fn page(number: u64) -> VirtAddr {
    VirtAddr::user(BASE.bytes() + number * 4096)
}

/// An address space and a task, with what was told of them.
pub(super) struct Stage {
    pub(super) machine: Arc<Machine<P>>,
    pub(super) mm: Mm<P>,
    pub(super) task: Task,
    pub(super) setting: Vec<String>,
    pub(super) chapters: Vec<Chapter>,
    pub(super) last: Option<(Instruction, Completion<Ending>)>,
}

impl Stage {
    /// An empty address space in 8 MiB of memory, from the frame 0x1000 on.
    pub(super) fn new(generation: Generation) -> Result<Self, MmError> {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 2048, 1))?;
        let machine = Arc::new(machine);
        let mm = Mm::new(Arc::clone(&machine), generation, CPU)?;
        platform::Story::script([]);
        Ok(Self { machine, mm, task: Task::new(CPU), setting: Vec::new(), chapters: Vec::new(), last: None })
    }

    /// Maps so many pages of anonymous memory from page number `first` on.
    pub(super) fn map(&mut self, first: u64, pages: u64, protection: Protection, flags: VmFlags) {
        let vma = Vma::new(page(first), page(first + pages), protection.vm_flags() | flags);
        let further: Vec<_> = flags.iter_names().map(|(name, _)| name).collect();
        let further = if further.is_empty() { String::new() } else { format!(", {}", further.join(" ")) };
        self.setting.push(format!("anonymous memory {vma:?}{further}"));
        self.mm.mmap_lock().write().insert(vma);
    }

    /// Maps the first pages of a new file.
    pub(super) fn map_file(&mut self, pages: u64, protection: Protection, flags: VmFlags, file: &File) -> Opened {
        let File { pages: size, behaviour } = *file;
        let mapping = Arc::new(AddressSpace::new(FileId(0), size, size.max(8), behaviour));
        self.map_opened(0, pages, protection, flags, &mapping);
        mapping
    }

    /// Maps the first pages of a file from page number `first` on.
    pub(super) fn map_opened(&mut self, first: u64, pages: u64, protection: Protection, flags: VmFlags, file: &Opened) {
        let vma = Vma::new(page(first), page(first + pages), protection.vm_flags() | flags);
        let vma = vma.with_file(VmaFile::new(Arc::clone(file), page(first), 0, self.mm.pgd()));
        self.setting.push(format!("a file of {} pages at {vma:?}", file.size_pages()));
        self.mm.mmap_lock().write().insert(vma);
    }

    /// Says something of the setting.
    pub(super) fn say(&mut self, words: &str) {
        self.setting.push(words.to_owned());
    }

    /// Does something that is not told, and says what it was.
    pub(super) fn before(&mut self, words: &str, act: impl FnOnce(&Mm<P>, &Task)) {
        self.say(&format!("before: {words}"));
        act(&self.mm, &self.task);
        platform::Story::take();
    }

    /// An access before the story, by the user.
    pub(super) fn accessed_before(&mut self, words: &str, instruction: Instruction) {
        self.before(words, |mm, task| {
            let done = Process::new(mm, task).execute(Mode::User, instruction);
            assert!(matches!(done, Completion::Done(_)), "a setting is no place for {done:?}");
        });
    }

    /// The access that the story is about.
    pub(super) fn tell(&mut self, mode: Mode, instruction: Instruction) {
        platform::Story::take();
        let completion = Process::new(&self.mm, &self.task).execute(mode, instruction);
        self.chapters.push(Chapter { instruction, events: platform::Story::take() });
        self.last = Some((instruction, completion));
    }

    /// A user's access to a page while somebody else is in the middle of something.
    pub(super) fn tell_while(
        &mut self,
        words: &str,
        (other, stops_in): (fn(&Mm<P>), &'static str),
        instruction: Instruction,
    ) {
        self.say(&format!("meanwhile: {words}"));
        platform::Story::take();
        let (mm, task) = (&self.mm, &self.task);
        let mut completion = None;
        platform::Story::meanwhile(
            || other(mm),
            stops_in,
            || completion = Some(Process::new(mm, task).execute(Mode::User, instruction)),
        );
        self.chapters.push(Chapter { instruction, events: platform::Story::take() });
        self.last = completion.map(|completion| (instruction, completion));
    }

    /// A user's store to a page.
    pub(super) fn write(&mut self, number: u64) {
        self.tell(Mode::User, Instruction::store(page(number), 0x5eed));
    }

    /// A user's load from a page.
    pub(super) fn read(&mut self, number: u64) {
        self.tell(Mode::User, Instruction::Load(page(number)));
    }
}

/// A file that is mapped.
pub(super) type Opened = Arc<AddressSpace<P>>;

/// What a story's file is like.
#[derive(Clone, Copy)]
pub(super) struct File {
    pub(super) pages: u64,
    pub(super) behaviour: Behaviour,
}

impl File {
    /// A file on a disk, whose faults look around themselves.
    pub(super) const DISK: File = File {
        pages: 4,
        behaviour: Behaviour {
            fault: FaultOp::Filemap,
            map_pages: MapPages::Window(4),
            page_mkwrite: PageMkwrite::Locked(Space::Enough),
            reads: Reads::AtOnce,
            huge: HugeFolios::Never,
            readahead_pages: 2,
        },
    };

    /// Shared memory that is mounted with `huge=within_size`.
    pub(super) const HUGE_SHMEM: File = File {
        pages: 512,
        behaviour: Behaviour {
            fault: FaultOp::Shmem,
            page_mkwrite: PageMkwrite::None,
            map_pages: MapPages::Window(16),
            huge: HugeFolios::WithinSize,
            readahead_pages: 0,
            ..Self::DISK.behaviour
        },
    };

    /// The same with reads of another kind.
    pub(super) const fn reading(reads: Reads) -> File {
        File { behaviour: Behaviour { reads, ..Self::DISK.behaviour }, ..Self::DISK }
    }
}
