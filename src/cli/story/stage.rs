//! The stage of a story: an address space that is set up in silence, and the accesses that are told.

use crate::mm::{
    AddressSpace, Behaviour, Ending, FaultOp, Generation, HugeAdvice, HugeFolios, MapFlags, MapPages, MapRequest, Mm,
    MmError, OpenFile, OpenMode, PageMkwrite, Placement, Process, Protection, Reads, Space, Task, Vma, do_mmap,
};
use crate::phys::{CpuId, FileId, Pfn, PhysConfig};
use crate::platform::{self, Arc};
use crate::x86::{Completion, Instruction, Machine, Mode, VirtAddr};

use super::call::Calls;
use super::render::{Cause, Chapter};

pub(super) type P = platform::Story;

pub(super) const CPU: CpuId = CpuId::new(0);

/// The memory of the library's stories: 8 MiB, from the frame 0x1000 on.
pub(super) const MEMORY: PhysConfig = PhysConfig::linux(Pfn::truncate(0x1000), 2048, 1);

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
    /// An empty address space.
    pub(super) fn new(generation: Generation, config: &PhysConfig) -> Result<Self, MmError> {
        let machine = Arc::new(Machine::boot(config)?);
        let mm = Mm::new(Arc::clone(&machine), generation, CPU)?;
        platform::Story::script([]);
        let mut setting = Vec::new();
        if config.nr_hugepages > 0 {
            setting.push(format!("hugepages={}", config.nr_hugepages));
        }
        if config.memcg_limit_pages != MEMORY.memcg_limit_pages {
            setting.push(format!("pages that the cgroup may charge: {}", config.memcg_limit_pages));
        }
        Ok(Self { machine, mm, task: Task::new(CPU), setting, chapters: Vec::new(), last: None })
    }

    /// Maps so many pages of private anonymous memory from page number `first` on.
    pub(super) fn map(&mut self, first: u64, pages: u64, protection: Protection) {
        self.mmap(first, pages, MapRequest::anonymous(0, protection));
    }

    /// The same, with advice to use huge pages.
    pub(super) fn map_huge(&mut self, first: u64, pages: u64, protection: Protection) {
        let request = MapRequest { huge: HugeAdvice::Wanted, ..MapRequest::anonymous(0, protection) };
        self.mmap(first, pages, request);
    }

    /// Maps one huge page of the pool in the place of the pages from number `first` on: of a file of hugetlbfs, or of
    /// anonymous memory.
    pub(super) fn map_hugetlb(&mut self, first: u64, how: MapFlags, file: Option<&Opened>) {
        let file = file.map(|file| OpenFile { mapping: Arc::clone(file), mode: OpenMode::ReadWrite, offset: 0 });
        let kind = if file.is_some() { MapFlags::empty() } else { MapFlags::ANONYMOUS | MapFlags::HUGETLB };
        let rights = Protection::READ | Protection::WRITE;
        self.mmap(first, 512, MapRequest { flags: how | kind, file, ..MapRequest::anonymous(0, rights) });
    }

    /// Goes on in the process of `other`, and returns the one that was left.
    pub(super) fn switch_to(&mut self, other: Mm<P>) -> Mm<P> {
        std::mem::replace(&mut self.mm, other)
    }

    /// Maps the first pages of a new file.
    pub(super) fn map_file(&mut self, pages: u64, protection: Protection, flags: MapFlags, file: &File) -> Opened {
        let mapping = file.opened();
        self.map_opened(0, pages, protection, flags, &mapping);
        mapping
    }

    /// Maps the first pages of a file from page number `first` on.
    pub(super) fn map_opened(
        &mut self,
        first: u64,
        pages: u64,
        protection: Protection,
        flags: MapFlags,
        file: &Opened,
    ) {
        let file = OpenFile { mapping: Arc::clone(file), mode: OpenMode::ReadWrite, offset: 0 };
        let request = MapRequest { flags, file: Some(file), ..MapRequest::anonymous(0, protection) };
        self.mmap(first, pages, request);
    }

    /// Maps so many pages from page number `first` on, as a user asks for it.
    pub(super) fn mmap(&mut self, first: u64, pages: u64, request: MapRequest<P>) {
        let request = MapRequest { placement: Placement::Fixed(page(first)), bytes: pages * 4096, ..request };
        self.say(&Calls(&request).to_string());
        do_mmap(&self.mm, &request).expect("a setting maps what can be mapped");
        platform::Story::take();
    }

    /// Says what is chosen where the kernel's environment has a choice.
    pub(super) fn script(&mut self, words: &str, choices: &[usize]) {
        self.say(words);
        platform::Story::script(choices.iter().copied());
    }

    /// Adds a mapping that `mmap` does not make.
    pub(super) fn insert(&mut self, words: &str, vma: Vma<P>) {
        self.say(&format!("{words}: {vma:?}"));
        self.mm.mmap_lock().write().insert(vma);
        platform::Story::take();
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
        self.add_chapter(Cause::Instruction(instruction));
        self.last = Some((instruction, completion));
    }

    /// What the kernel does before the access that the story is about.
    pub(super) fn tell_call(&mut self, act: impl FnOnce(&Mm<P>, &Task)) {
        platform::Story::take();
        act(&self.mm, &self.task);
        self.add_chapter(Cause::Call);
    }

    /// The same, and when it has come to a function, somebody else acts.
    pub(super) fn tell_call_interrupted(
        &mut self,
        words: &str,
        (at, other): (&'static str, impl FnOnce(&Mm<P>) + Send),
        act: impl FnOnce(&Mm<P>, &Task),
    ) {
        self.say(&format!("in between: {words}"));
        platform::Story::take();
        let (mm, task) = (&self.mm, &self.task);
        platform::Story::interrupted(|| act(mm, task), at, || other(mm));
        self.add_chapter(Cause::Call);
    }

    fn add_chapter(&mut self, cause: Cause) {
        self.chapters.push(Chapter { cause, events: platform::Story::take() });
    }

    /// A user's access to a page while somebody else is in the middle of something.
    pub(super) fn tell_while(
        &mut self,
        words: &str,
        (other, stops_in): (fn(&Mm<P>), &'static str),
        instruction: Instruction,
    ) {
        self.say(&format!("meanwhile: {words}"));
        self.tell_with(instruction, |mm, told| platform::Story::meanwhile(|| other(mm), stops_in, told));
    }

    /// A user's access to a page, and when it has come to a function, somebody else acts.
    pub(super) fn tell_interrupted(
        &mut self,
        words: &str,
        (at, other): (&'static str, impl FnOnce(&Mm<P>) + Send),
        instruction: Instruction,
    ) {
        self.say(&format!("in between: {words}"));
        self.tell_with(instruction, |mm, told| platform::Story::interrupted(told, at, || other(mm)));
    }

    /// A user's access to a page, and when it has come to a function, somebody else begins something, and is in the
    /// middle of it until the access waits.
    pub(super) fn tell_while_from(
        &mut self,
        words: &str,
        (at, other, stops_in): (&'static str, impl FnOnce(&Mm<P>) + Send, &'static str),
        instruction: Instruction,
    ) {
        self.say(&format!("in between: {words}"));
        self.tell_with(instruction, |mm, told| platform::Story::meanwhile_from(told, at, || other(mm), stops_in));
    }

    fn tell_with(&mut self, instruction: Instruction, run: impl FnOnce(&Mm<P>, &mut dyn FnMut())) {
        platform::Story::take();
        let (mm, task) = (&self.mm, &self.task);
        let mut completion = None;
        run(mm, &mut || completion = Some(Process::new(mm, task).execute(Mode::User, instruction)));
        self.add_chapter(Cause::Instruction(instruction));
        self.last = completion.map(|completion| (instruction, completion));
    }

    /// An access that the story is about, where no fault may be handled.
    pub(super) fn tell_atomic(&mut self, mode: Mode, instruction: Instruction) {
        platform::Story::take();
        let process = || Process::new(&self.mm, &self.task).execute(mode, instruction);
        let completion = self.task.with_faults_disabled(process);
        self.add_chapter(Cause::Instruction(instruction));
        self.last = Some((instruction, completion));
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

    /// One whose reads go like this.
    pub(super) const fn reading(reads: Reads) -> File {
        Self::DISK.with(Behaviour { reads, ..Self::DISK.behaviour })
    }

    /// A new file like this.
    pub(super) fn opened(self) -> Opened {
        Arc::new(AddressSpace::new(FileId(0), self.pages, self.pages.max(8), self.behaviour))
    }

    /// The same, behaving like this.
    pub(super) const fn with(self, behaviour: Behaviour) -> File {
        File { behaviour, ..self }
    }
}
