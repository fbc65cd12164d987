//! Drawing programs from a seed, with proptest's strategies.
//!
//! Each program plays on one of four grounds, which share the usual operations and add their own: anonymous memory
//! that is unmapped and mapped again; memory for huge pages; two processes after a fork; files that are cut short.

use proptest::prelude::{Just, Strategy, any, prop};
use proptest::prop_oneof;
use proptest::strategy::{BoxedStrategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::mm::{Generation, HugeAdvice, Protection, VmFlags};
use crate::oracle::Sharing;
use crate::scenario::{
    ByReference, FileSpec, Op, Program, ShapeName, VmaSpec, advise_huge, age, clear_refs, collapse, copy_to_user,
    dontneed, execute, in_child, madvise_collapse, map_anonymous, map_file, mark_numa, migrate, mprotect, munmap, peek,
    poke, read, stock_huge, truncate, write, writev,
};

/// A program, and the page tables that it is played on.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The page tables.
    pub shape: ShapeName,
    /// The program.
    pub program: Program,
}

/// The program of a seed, for so many threads.
///
/// # Panics
/// If `threads` is 0.
pub fn draw(seed: u64, threads: usize) -> Drawn {
    assert!(threads > 0, "a program has a thread");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = program(threads).new_tree(&mut runner).expect("no strategy here rejects a value");
    with_values(tree.current())
}

/// Pages that programs play with; four levels have more, so that several tables are in use.
const PAGES: u64 = 4;
/// Operations of one thread in one phase, at most.
const OPERATIONS: usize = 16;
const PHASES: usize = 4;

const READ_WRITE: Protection = Protection::READ.union(Protection::WRITE);

/// What the programs of a ground have in common.
#[derive(Clone, Debug)]
struct Ground {
    generation: Generation,
    vmas: Vec<VmaSpec>,
    setup: Vec<Op>,
    operations: BoxedStrategy<Op>,
}

fn program(threads: usize) -> impl Strategy<Value = Drawn> {
    let shape = prop_oneof![Just(ShapeName::TwoLevels), Just(ShapeName::FourLevels)];
    let ground = prop_oneof![anonymous(), huge(threads), family(), files()];
    (shape, ground).prop_flat_map(move |(shape, Ground { generation, vmas, setup, operations })| {
        let phase = prop::collection::vec(operations, 1..=OPERATIONS);
        // Every thread goes through every phase.
        let phases = (1..=PHASES)
            .prop_flat_map(move |phases| prop::collection::vec(prop::collection::vec(phase.clone(), phases), threads));
        phases.prop_map(move |threads| {
            let (vmas, setup) = (vmas.clone(), setup.clone());
            Drawn { shape, program: Program { generation, vmas, setup, threads } }
        })
    })
}

/// Gives each store a value of its own, so that the oracle can tell them apart.
fn with_values(mut drawn: Drawn) -> Drawn {
    let stores = drawn.program.threads.iter_mut().flatten().flatten();
    for (value, op) in (1..).zip(stores) {
        if let Op::Write { value: stored, .. }
        | Op::CopyToUser { value: stored, .. }
        | Op::ByReference(ByReference::Poke { value: stored, .. } | ByReference::Writev { value: stored, .. }) = op
        {
            *stored = value;
        }
    }
    drawn
}

fn generation() -> impl Strategy<Value = Generation> {
    prop_oneof![4 => Just(Generation::G6), 1 => Just(Generation::G2)]
}

fn vma(page: u64, pages: u64) -> VmaSpec {
    VmaSpec { page, pages, protection: READ_WRITE, flags: VmFlags::empty() }
}

/// What every ground has: accesses, and what the kernel does on its own account.
fn usual() -> impl Strategy<Value = Op> + Clone {
    let (page, word) = (0..PAGES, 0..2u64);
    prop_oneof![
        6 => (page.clone(), word.clone()).prop_map(|(page, word)| write(page, word, 0)),
        4 => (page.clone(), word.clone()).prop_map(|(page, word)| read(page, word)),
        1 => (page.clone(), word.clone()).prop_map(|(page, word)| copy_to_user(page, word, 0)),
        1 => (page.clone(), word).prop_map(|(page, word)| peek(page, word)),
        1 => page.clone().prop_map(execute),
        1 => page.clone().prop_map(age),
        1 => page.clone().prop_map(mark_numa),
        1 => page.prop_map(migrate),
        2 => range().prop_map(|(page, pages)| dontneed(page, pages)),
        1 => (0..PAGES, 0..2u64).prop_map(|(page, word)| poke(page, word, 0)),
        1 => (range(), rights()).prop_map(|((page, pages), rights)| mprotect(page, pages, rights)),
    ]
}

/// What a range may be used for from now on.
fn rights() -> impl Strategy<Value = Protection> + Clone {
    prop_oneof![3 => Just(READ_WRITE), 1 => Just(Protection::READ)]
}

/// A store by a reference alone. Not where there is a child: a fork that comes between the look at a page and the store
/// shares the page (Linux copies it, because it is pinned), and the child finds the store.
fn written_from_outside() -> impl Strategy<Value = Op> + Clone {
    (0..PAGES, 0..2u64).prop_map(|(page, word)| writev(page, word, 0))
}

/// Some pages in a row.
fn range() -> impl Strategy<Value = (u64, u64)> + Clone {
    (0..PAGES).prop_flat_map(|page| (Just(page), 1..=PAGES - page))
}

fn anonymous() -> BoxedStrategy<Ground> {
    let operations = prop_oneof![
        8 => usual(),
        1 => range().prop_map(|(page, pages)| munmap(page, pages)),
        1 => range().prop_map(|(page, pages)| map_anonymous(page, pages, READ_WRITE)),
        1 => range().prop_map(|(page, pages)| clear_refs(page, pages)),
        1 => written_from_outside(),
    ];
    let operations = operations.boxed();
    let ground = move |generation| {
        let (vmas, setup) = (vec![vma(0, PAGES)], Vec::new());
        Ground { generation, vmas, setup, operations: operations.clone() }
    };
    generation().prop_map(ground).boxed()
}

/// Each thread, and the set-up, has a few huge pages in store.
fn huge(threads: usize) -> BoxedStrategy<Ground> {
    let advice = prop_oneof![Just(HugeAdvice::Wanted), Just(HugeAdvice::Unwanted)];
    let operations = prop_oneof![
        8 => usual(),
        1 => range().prop_map(|(page, pages)| munmap(page, pages)),
        1 => range().prop_map(|(page, pages)| map_anonymous(page, pages, READ_WRITE)),
        1 => (range(), advice).prop_map(|((page, pages), advice)| advise_huge(page, pages, advice)),
        1 => (0..PAGES).prop_map(collapse),
        1 => (0..PAGES).prop_map(madvise_collapse),
        1 => written_from_outside(),
    ];
    let operations = operations.boxed();
    let ground = move |generation| {
        let vmas = vec![VmaSpec { flags: VmFlags::HUGEPAGE, ..vma(0, PAGES) }];
        let setup = (0..=threads).map(|actor| stock_huge(actor, 2)).collect();
        Ground { generation, vmas, setup, operations: operations.clone() }
    };
    generation().prop_map(ground).boxed()
}

/// A parent and its child. Only 6.12: in 4.4 a child that discards a page while the parent writes to it may see the
/// store (`reuse_swap_page` counts entries, and looks at no reference).
fn family() -> BoxedStrategy<Ground> {
    let operations = prop_oneof![
        5 => usual(),
        4 => prop::sample::select(CHILDS).prop_map(in_child),
        1 => range().prop_map(|(page, pages)| munmap(page, pages)),
    ];
    let written: Vec<Op> = (0..PAGES).map(|page| write(page, 0, 9000 + page)).chain([Op::Fork]).collect();
    let operations = operations.boxed();
    let ground = move |()| {
        let (vmas, setup) = (vec![vma(0, PAGES)], written.clone());
        Ground { generation: Generation::G6, vmas, setup, operations: operations.clone() }
    };
    any::<()>().prop_map(ground).boxed()
}

/// What a thread may do in the child.
static CHILDS: &[&Op] = &[
    &write(0, 0, 8000),
    &write(1, 0, 8100),
    &write(2, 1, 8200),
    &write(3, 1, 8300),
    &read(0, 0),
    &read(1, 0),
    &read(2, 1),
    &read(3, 1),
    &dontneed(0, 1),
    &dontneed(2, 2),
    &munmap(1, 1),
    &migrate(3),
    &age(0),
];

/// Two files: one that everybody sees through the first pages, one of which the other pages show a private copy.
const SHARED: FileSpec = FileSpec { name: "shared", ..FileSpec::DISK };
const PRIVATE: FileSpec = FileSpec { name: "private", ..FileSpec::DISK };

fn files() -> BoxedStrategy<Ground> {
    let operations = prop_oneof![
        10 => usual(),
        1 => (0..=2u64).prop_map(|pages| truncate(&SHARED, pages)),
        1 => (0..=2u64).prop_map(|pages| truncate(&PRIVATE, pages)),
        1 => written_from_outside(),
    ];
    let operations = operations.boxed();
    let ground = move |()| {
        let setup = vec![map_file(0, 2, Sharing::Shared, &SHARED), map_file(2, 2, Sharing::Private, &PRIVATE)];
        Ground { generation: Generation::G6, vmas: Vec::new(), setup, operations: operations.clone() }
    };
    any::<()>().prop_map(ground).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_program_and_seeds_differ() {
        let show = |seed| format!("{:?}", draw(seed, 2));
        assert_eq!(show(7), show(7));
        assert_ne!(show(7), show(8));
    }

    #[test]
    fn every_ground_and_every_kind_of_operation_is_drawn() {
        let programs: Vec<_> = (0..200).map(|seed| draw(seed, 2).program).collect();
        let all = format!("{programs:?}");
        for kind in [
            "Write",
            "Read",
            "CopyToUser",
            "Peek",
            "Execute",
            "Age",
            "MarkNuma",
            "Migrate",
            "Dontneed",
            "Munmap",
            "MapAnonymous",
            "ClearRefs",
            "AdviseHuge",
            "InChild",
            "Truncate",
            "MapFile",
            "Fork",
            "StockHuge",
            "Mprotect",
            "Collapse",
            "Poke",
            "Writev",
        ] {
            assert!(
                all.contains(&format!("{kind} ")) || all.contains(&format!("{kind}(")) || all.contains(kind),
                "{kind}"
            );
        }
        assert!(programs.iter().all(|program| program.threads.len() == 2));
        let phases = |program: &Program| program.threads.iter().map(Vec::len).collect::<Vec<_>>();
        assert!(programs.iter().all(|program| phases(program)[0] == phases(program)[1]));
    }
}
