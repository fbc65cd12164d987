//! The entry of the documented fault, and what other actors make of it, bit by bit.
//!
//! The expected numbers were worked out by hand from the layout of entries on x86-64 (`pgtable_types.h`,
//! `pgtable_64.h`, `swapops.h`); here they come out of the code that the checkers run. Swap slots, poisoned pages and
//! markers are made by nobody in this model: their bits are tests of `SwapEntry`.

use std::sync::Arc;

use pagerace::actors::{age, change_prot_numa, clear_refs, exit_mmap, fork, migrate};
use pagerace::mm::{Generation, Migrated, Mm, Placement, Process, Protection, Task, mmap};
use pagerace::oracle::Layout;
use pagerace::phys::{CpuId, Pfn, PhysConfig};
use pagerace::platform::{Event, Shape, Story, X86_64};
use pagerace::x86::{Completion, Instruction, Machine, Mode, PteVal, VirtAddr};

const CPU: CpuId = CpuId::new(0);
const PFN: Pfn = Pfn::truncate(0x38944c);

/// The page of the documented fault.
fn mapping() -> VirtAddr {
    VirtAddr::new(0x75e5_2fc7_7000, X86_64::GEOMETRY).expect("user space")
}

/// The address of the documented fault.
fn address() -> VirtAddr {
    VirtAddr::new(0x75e5_2fc7_7100, X86_64::GEOMETRY).expect("user space")
}

struct World {
    machine: Arc<Machine<Story>>,
    mm: Mm<Story>,
    task: Task,
}

impl World {
    /// The process of the documented fault, after it.
    fn new() -> Self {
        let config = PhysConfig::linux(Pfn::truncate(0x389000), 2048, 1);
        let machine = Arc::new(Machine::boot(&config).expect("eight megabytes"));
        let world = Self { mm: new_mm(&machine), machine, task: Task::new(CPU) };
        assert!(world.mm.memory().make_next_user_frame(CPU, PFN), "nobody has the frame yet");
        let rights = Protection::READ | Protection::WRITE;
        mmap(&world.mm, Placement::Fixed(mapping()), 0x3000, rights).expect("an empty address space");
        assert_eq!(
            world.entries(|| world.access(Instruction::store(address(), 0x74_6573_6666))),
            [0x8000_0003_8944_c867]
        );
        world
    }

    fn access(&self, instruction: Instruction) {
        let completion = Process::new(&self.mm, &self.task).execute(Mode::User, instruction);
        assert!(matches!(completion, Completion::Done(_)), "{completion:?}");
    }

    /// What is stored in PTE 119 meanwhile, in whose table it may be.
    fn entries(&self, act: impl FnOnce()) -> Vec<u64> {
        Story::take();
        act();
        let stored = |event| match event {
            Event::Remark(words) => {
                words.strip_prefix("PTE[119] = 0x").map(|bits| u64::from_str_radix(bits, 16).expect("an entry"))
            }
            Event::Enter { .. } | Event::Leave { .. } => None,
        };
        Story::take().into_iter().filter_map(stored).collect()
    }

    fn fork(&self) -> Mm<Story> {
        let child = new_mm(&self.machine);
        fork(&self.mm, &child, &self.task).expect("there is memory");
        child
    }

    /// The entry that stands in the place of the page while it moves.
    fn migration_entry(&self) -> u64 {
        let entries = self.entries(|| assert_eq!(migrate(&self.mm, &self.task, address()), Migrated::Moved));
        *entries.iter().find(|entry| *entry & 1 == 0 && **entry != 0).expect("the entry says that the page moves")
    }

    /// Forgets that the page was written and read.
    fn forget(&self) {
        age(&self.mm, mapping());
        clear_refs(&self.mm, mapping(), 0x1000);
    }
}

fn new_mm(machine: &Arc<Machine<Story>>) -> Mm<Story> {
    Mm::new(Arc::clone(machine), Generation::G6, CPU).expect("a frame for the root table")
}

#[test]
fn a_fork_write_protects_both_and_the_childs_entry_is_old() {
    let parent = World::new();
    let child = parent.fork();
    let entry = |mm| Layout::of(mm).entry_for::<Story>(address()).map(PteVal::bits);
    assert_eq!(entry(&parent.mm), Some(0x8400_0003_8944_c825));
    assert_eq!(entry(&child), Some(0x8400_0003_8944_c805));
}

#[test]
fn the_numa_scanner_takes_the_rights_and_inverts_the_frame() {
    let world = World::new();
    let entries = world.entries(|| change_prot_numa(&world.mm, CPU, mapping(), 0x1000));
    assert!(entries.contains(&0x040f_fffc_76bb_3920), "{entries:x?}");
}

#[test]
fn a_page_that_moves_leaves_an_entry_of_its_kind() {
    let written = World::new();
    assert_eq!(
        written.migration_entry(),
        0xd7ff_e7ff_8ed7_6600 | 1 << 1,
        "writable, young, dirty; soft-dirty is bit 1"
    );
    let read = World::new();
    read.forget();
    read.access(Instruction::Load(address()));
    assert_eq!(read.migration_entry(), 0xcfff_f7ff_8ed7_6600, "the owner's alone, young");
    let shared = World::new();
    shared.forget();
    exit_mmap(&shared.fork(), CPU);
    assert_eq!(shared.migration_entry(), 0xc7ff_ffff_8ed7_6600, "not known to be the owner's alone");
}
