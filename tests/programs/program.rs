//! Programs as data: they name places and lengths in a way that every geometry can give a meaning to.

use pagerace::mm::Protection;
use pagerace::platform::{AddressLayout, Geometry};
use pagerace::x86::VirtAddr;
use proptest::prelude::*;

/// What one task does, and the tuning of the machine that it runs on.
#[derive(Clone, Debug)]
pub struct Program {
    /// The machine's tuning.
    pub tuning: Tuning,
    /// What is done, one after the other.
    pub steps: Vec<Step>,
}

/// Batches of a CPU.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// As in `PhysConfig`.
    pub pcp_batch: usize,
    /// As in `PhysConfig`.
    pub lru_batch: usize,
    /// As in `PhysConfig`.
    pub memcg_batch_pages: u64,
}

/// Words of a page that programs use.
pub const WORDS: u64 = 4;

/// One step. A place is an index into [`places`], which wraps round.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// `mmap`, `skew` bytes into the place or anywhere.
    Map { place: Option<usize>, skew: u64, length: Length, protection: Protection },
    /// `munmap`.
    Unmap { place: usize, skew: u64, length: Length },
    /// A load of a word of the place's page.
    Read { place: usize, word: u64 },
    /// A store of a whole word.
    Write { place: usize, word: u64, value: u64 },
    /// A store of the low `bytes` bytes, `offset` bytes into a word.
    WriteNarrow { place: usize, word: u64, offset: u64, bytes: u32, value: u64 },
    /// An instruction fetch from the first word.
    Fetch { place: usize },
    /// Asks the oracle.
    Verify,
}

/// A length, for `mmap` and `munmap`.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// So many pages, some bytes short of a multiple.
    Pages { pages: u64, trimmed: u64 },
    /// One byte more than user space has.
    MoreThanUserSpace,
    /// So much that rounding it up to pages overflows.
    Overflowing,
}

impl Length {
    /// In bytes.
    pub fn bytes(self, geometry: Geometry) -> u64 {
        match self {
            Self::Pages { pages, trimmed } => (pages * geometry.page_size()).saturating_sub(trimmed),
            Self::MoreThanUserSpace => geometry.task_size() + 1,
            Self::Overflowing => u64::MAX,
        }
    }
}

/// The first bytes of the pages that programs play with: the edges of tables and of user space.
pub fn places(geometry: Geometry) -> Vec<VirtAddr> {
    let end = geometry.task_size() / geometry.page_size();
    let pages: Vec<u64> = match geometry.layout {
        AddressLayout::UserOnly => (0..end).collect(),
        AddressLayout::Halves => {
            let [pte_table, pmd_table, pud_table] = [1, 2, 3].map(|level| 1 << (level * geometry.index_bits));
            let around = |page: u64| page - 2..page + 2;
            let tables = [pte_table, pmd_table, pud_table].into_iter().flat_map(around);
            (0..4).chain(tables).chain(end - 4..end + 1).chain([0xffff_8000_0000_0000 >> 12]).collect()
        }
    };
    let place = |page| VirtAddr::new(page * geometry.page_size(), geometry).expect("every place is canonical");
    pages.into_iter().map(place).collect()
}

/// Any program of up to 60 steps on any machine.
pub fn program() -> impl Strategy<Value = Program> {
    (tuning(), prop::collection::vec(step(), 1..60)).prop_map(|(tuning, steps)| Program { tuning, steps })
}

fn tuning() -> impl Strategy<Value = Tuning> {
    let batches = (1usize..64, 1usize..16, 1u64..65);
    batches.prop_map(|(pcp_batch, lru_batch, memcg_batch_pages)| Tuning { pcp_batch, lru_batch, memcg_batch_pages })
}

fn step() -> impl Strategy<Value = Step> {
    let (place, word, skew) = (0usize..32, 0..WORDS, prop_oneof![9 => Just(0), 1 => Just(8)]);
    let map = (prop::option::weighted(0.8, place.clone()), skew.clone(), length(), protection());
    let narrow = (place.clone(), word.clone(), (1u32..8).prop_flat_map(|bytes| (Just(bytes), 0..9 - u64::from(bytes))));
    prop_oneof![
        4 => map.prop_map(|(place, skew, length, protection)| Step::Map { place, skew, length, protection }),
        2 => (place.clone(), skew, length()).prop_map(|(place, skew, length)| Step::Unmap { place, skew, length }),
        4 => (place.clone(), word.clone()).prop_map(|(place, word)| Step::Read { place, word }),
        6 => (place.clone(), word, any::<u64>()).prop_map(|(place, word, value)| Step::Write { place, word, value }),
        2 => (narrow, any::<u64>()).prop_map(|((place, word, (bytes, offset)), value)| {
            Step::WriteNarrow { place, word, offset, bytes, value }
        }),
        1 => place.prop_map(|place| Step::Fetch { place }),
        1 => Just(Step::Verify),
    ]
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![
        20 => (0u64..5, prop_oneof![Just(0u64), 1u64..16])
            .prop_map(|(pages, trimmed)| Length::Pages { pages, trimmed }),
        1 => Just(Length::MoreThanUserSpace),
        1 => Just(Length::Overflowing),
    ]
}

fn protection() -> impl Strategy<Value = Protection> {
    let usual = Protection::READ | Protection::WRITE;
    prop_oneof![2 => Just(usual), 1 => (0u32..8).prop_map(Protection::from_bits_truncate)]
}
