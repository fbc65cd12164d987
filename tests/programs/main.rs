//! Random programs of one task against a model that is obviously right.
//!
//! A program maps, unmaps, reads, writes and fetches. Every result is compared with the model's, and at the end, and
//! where the program says so, everything must hold that the oracle knows. One task cannot race, so what fails here is
//! wrong without any interleaving.

mod model;
mod program;
mod world;

use std::cell::Cell;

use pagerace::mm::{Ending, Generation, MapError, Placement, Protection, mmap};
use pagerace::oracle::at_rest;
use pagerace::phys::{CpuId, Pfn, PhysConfig};
use pagerace::platform::loom::{Bounds, Environment, Loom, explore};
use pagerace::platform::{FourLevels, Native, Platform, Shape, TwoLevels, Verdict, Watch, X86_64};
use pagerace::x86::{Completion, VirtAddr};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestCaseError, TestRunner};

use program::{Length, Program, Step, Tuning, program};
use world::{Played, World, play};

/// Frames that no program here can use up.
const PLENTY: usize = 512;
/// The same in a world of 16 pages.
const PLENTY_OF_SMALL: usize = 64;
const NO_LIMIT: u64 = u64::MAX / 2;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

fn machine(frames: usize, limit_pages: u64, tuning: Tuning) -> PhysConfig {
    PhysConfig {
        pcp_batch: tuning.pcp_batch,
        lru_batch: tuning.lru_batch,
        memcg_limit_pages: limit_pages,
        memcg_batch_pages: tuning.memcg_batch_pages,
        ..PhysConfig::linux(Pfn::truncate(0x100), frames, 1)
    }
}

fn play_with_plenty<P: Platform>(program: &Program) {
    // The oracle looks at every frame each time it is asked, and loom counts an execution's steps in 16 bits.
    let frames = if P::CHECKED { PLENTY_OF_SMALL } else { PLENTY };
    for generation in Generation::ALL {
        let played = play::<P>(&machine(frames, NO_LIMIT, program.tuning), generation, program);
        assert_eq!(played.out_of_memory, 0, "memory was short on a machine with plenty ({generation})");
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn programs_on_x86_64_do_what_the_model_says(program in program()) {
        play_with_plenty::<Native<X86_64>>(&program);
    }

    #[test]
    fn programs_on_two_levels_do_what_the_model_says(program in program()) {
        play_with_plenty::<Native<TwoLevels>>(&program);
    }

    #[test]
    fn programs_on_four_levels_do_what_the_model_says(program in program()) {
        play_with_plenty::<Native<FourLevels>>(&program);
    }
}

proptest! {
    #![proptest_config(config(64))]

    /// Where ghost state is kept: the assertions inside the kernel have data here. What fails natively too is
    /// found natively first, where a failure can be shrunk.
    #[test]
    fn programs_on_a_checked_platform_do_what_the_model_says(program in program()) {
        play_with_plenty::<Native<FourLevels>>(&program);
        on_loom(&format!("{program:?}"), move || play_with_plenty::<Loom<FourLevels>>(&program));
    }
}

/// Runs `body` as loom's one execution of a world without actors.
fn on_loom(what: &str, body: impl Fn() + Send + Sync + 'static) {
    let bounds = Bounds { actors: 0, preemptions: None, environment: Environment::Yields };
    let exploration = explore(bounds, &Watch::default(), body);
    assert_eq!(exploration.verdict, Verdict::Holds, "{what} on loom");
    assert_eq!(exploration.executions, 1);
}

/// Plays random programs on a machine that is short of memory, and shows that some of them noticed.
fn short_of_memory<P: Platform>(frames: usize, limit_pages: u64) {
    let noticed = Cell::new(0);
    let config = ProptestConfig { source_file: Some(file!()), ..config(256) };
    let tested = TestRunner::new(config).run(&program(), |program| {
        let played = play::<P>(&machine(frames, limit_pages, program.tuning), Generation::G6, &program);
        noticed.set(noticed.get() + played.out_of_memory);
        Ok::<(), TestCaseError>(())
    });
    tested.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(noticed.get() > 0, "no program ran out of memory: the machine is too large for this test");
}

#[test]
fn programs_that_run_out_of_frames_leave_everything_consistent() {
    short_of_memory::<Native<X86_64>>(8, NO_LIMIT);
    short_of_memory::<Native<FourLevels>>(7, NO_LIMIT);
    short_of_memory::<Native<TwoLevels>>(4, NO_LIMIT);
}

#[test]
fn programs_that_reach_the_cgroup_limit_leave_everything_consistent() {
    short_of_memory::<Native<X86_64>>(PLENTY, 3);
    short_of_memory::<Native<FourLevels>>(PLENTY, 2);
    short_of_memory::<Native<TwoLevels>>(PLENTY, 1);
}

const READ_WRITE: Protection = Protection::READ.union(Protection::WRITE);

/// Writes to the pages of a fresh mapping until memory is out, unmaps them, and returns how many there were.
fn fill_and_unmap(world: &mut World<Native<X86_64>>, bytes: u64) -> u64 {
    let start = mmap(world.mm(), Placement::Anywhere, bytes, READ_WRITE).expect("there is room");
    let written = (0..bytes / 4096).take_while(|page| {
        let address = start.offset(page * 4096);
        let completion = world.store(address, 1);
        let is_out = completion == Completion::Ended(Ending::OutOfMemory);
        assert!(is_out || completion == Completion::Done(None), "a store to {address} came to {completion:?}");
        !is_out
    });
    let written = written.count() as u64;
    world.munmap(start, bytes).expect("what was mapped can be unmapped");
    written
}

fn a_full_machine_can_be_filled_again(config: &PhysConfig, pages: u64) {
    let mut world = World::new(config, Generation::G6);
    for round in 0..5 {
        assert_eq!(fill_and_unmap(&mut world, 64 * 4096), pages, "round {round}");
    }
    world.exit();
}

#[test]
fn munmap_makes_every_frame_usable_again() {
    // The zero page, the root, and a table of each of the 3 levels below it are not for the user.
    a_full_machine_can_be_filled_again(&PhysConfig::linux(Pfn::truncate(0x100), 16, 1), 16 - 5);
    a_full_machine_can_be_filled_again(&PhysConfig::linux(Pfn::truncate(0x100), 40, 1), 40 - 5);
}

#[test]
fn munmap_makes_every_charge_usable_again() {
    let linux = PhysConfig::linux(Pfn::truncate(0x100), PLENTY, 1);
    a_full_machine_can_be_filled_again(&PhysConfig { memcg_limit_pages: 5, ..linux }, 5);
    a_full_machine_can_be_filled_again(&PhysConfig { memcg_limit_pages: 20, ..linux }, 20);
}

#[test]
fn mmap_refuses_what_linux_refuses_for_linuxs_reason() {
    let world = World::<Native<X86_64>>::new(&PhysConfig::linux(Pfn::truncate(0x100), PLENTY, 1), Generation::G6);
    let map = |placement, bytes| mmap(world.mm(), placement, bytes, READ_WRITE).map(VirtAddr::bytes);
    let at = |address| Placement::Fixed(VirtAddr::new(address, X86_64::GEOMETRY).expect("canonical"));
    const TASK_SIZE: u64 = 0x7fff_ffff_f000;
    for (placement, bytes, expected) in [
        (Placement::Anywhere, 0, Err(MapError::Invalid)),
        (Placement::Anywhere, u64::MAX, Err(MapError::NoRoom)),
        (Placement::Anywhere, TASK_SIZE + 1, Err(MapError::NoRoom)),
        (at(0x1008), 4096, Err(MapError::Invalid)),
        (at(TASK_SIZE), 1, Err(MapError::NoRoom)),
        (at(TASK_SIZE - 0xff8), 4096, Err(MapError::NoRoom)),
        (at(TASK_SIZE - 0x1000), 1, Ok(TASK_SIZE - 0x1000)),
        (at(TASK_SIZE - 0x2000), 0x1001, Err(MapError::Exists)),
        (Placement::Anywhere, 0x1001, Ok(TASK_SIZE - 0x3000)),
    ] {
        assert_eq!(map(placement, bytes), expected, "{placement:?}, {bytes:#x} bytes");
    }
}

/// A program that gives every invariant something to look at.
fn usual_program() -> Program {
    let map = |place, pages, protection| {
        let length = Length::Pages { pages, trimmed: 0 };
        Step::Map { place: Some(place), skew: 0, length, protection }
    };
    let steps = vec![
        map(0, 2, READ_WRITE),
        map(2, 1, Protection::READ),
        Step::Write { place: 0, word: 0, value: 7 },
        Step::Write { place: 1, word: 1, value: 8 },
        Step::Read { place: 2, word: 0 },
        Step::Unmap { place: 1, skew: 0, length: Length::Pages { pages: 1, trimmed: 0 } },
        Step::Read { place: 0, word: 0 },
    ];
    Program { tuning: Tuning { pcp_batch: 1, lru_batch: 1, memcg_batch_pages: 1 }, steps }
}

/// Invariants of what these programs do not do (map files or huge pages, fork, race): the scenarios put them to the
/// test.
const OF_SCENARIOS: [&str; 6] = ["D9", "D33", "D34", "D38", "D40", "D42"];

fn every_invariant_is_evaluated<P: Platform>() {
    let Played { evaluated, .. } =
        play::<P>(&machine(PLENTY, NO_LIMIT, usual_program().tuning), Generation::G6, &usual_program());
    let expected = at_rest::<P>().into_iter().map(|invariant| invariant.id);
    for id in expected.chain(["D13"]).filter(|id| !OF_SCENARIOS.contains(id)) {
        assert!(evaluated.get(id).is_some_and(|facts| *facts > 0), "{id} was evaluated on nothing on {}", P::NAME);
    }
}

#[test]
fn the_oracle_looks_at_something_for_every_invariant() {
    every_invariant_is_evaluated::<Native<X86_64>>();
    every_invariant_is_evaluated::<Native<TwoLevels>>();
    on_loom("the usual program", every_invariant_is_evaluated::<Loom<TwoLevels>>);
}

#[test]
#[should_panic(expected = "D37")]
fn the_oracle_is_asked() {
    let mut world = World::<Native<TwoLevels>>::new(&machine(PLENTY, NO_LIMIT, usual_program().tuning), Generation::G6);
    world.pretend_stored(VirtAddr::ZERO, 1);
    world.verify();
}

/// The task runs on the only CPU.
const CPU: CpuId = CpuId::new(0);
