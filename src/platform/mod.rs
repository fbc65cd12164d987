//! The one door to concurrency: the trait [`Platform`] and its back ends.
//!
//! | back end | who schedules | what it is for |
//! |---|---|---|
//! | [`Native`] | the operating system | floods and benches, as fast as the machine |
//! | [`Story`] | one thread | [`Native`] that tells what it does, for `pagerace trace` |
//! | [`interleaved::Interleaved`] | interleaver | every interleaving of a small world, once |
//! | [`interleaved::Told`] | a schedule | [`interleaved::Interleaved`] that tells one execution |
//! | [`loom::Loom`] | loom | every interleaving of a small world, with C11 stale reads |

pub use crossbeam_utils::CachePadded;
pub use std::sync::Arc;
pub use std::sync::atomic::Ordering;

mod exploration;
mod geometry;
mod ghost;
pub mod interleaved;
mod locals;
pub mod loom;
mod native;
mod probe;
mod race_cell;
mod rcu;
mod seam;
mod set_once;
mod story;
pub mod variant;
mod variants;

pub use exploration::{Exploration, Extent, PctBound, Verdict, Watch};
pub use geometry::{AddressLayout, FourLevels, Geometry, Shape, TwoLevels, X86_64};
pub use ghost::Ghost;
pub use locals::Locals;
pub use native::Native;
pub use probe::{Call, Event, UNSET, describe, enter, named, number, pointer, remark};
pub use race_cell::{RaceCell, Word};
pub use rcu::{Rcu, RcuReader, RcuSection, RcuWriter, in_rcu_section};
pub use seam::{AtomicWord, GARBAGE, NewLock, Platform, RaceWord, RawBitLock, Tally};
pub use set_once::SetOnce;
pub use story::Story;
pub use variant::{Variant, lacks, ordering, recheck};
