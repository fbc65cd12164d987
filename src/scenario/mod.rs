//! The library of races: small worlds, their actors, and every outcome that they can have.
//!
//! A scenario is data: about ten lines that say what is mapped, what each actor does, and what may come out. [`run`]
//! plays it once on any platform and asks the oracle; [`check`] plays it under every schedule of an engine and compares
//! the outcomes with the declared ones. One that does not reach them all is an error: it did not look at the race it is
//! about.

mod answer;
mod check;
mod cow;
mod cow_g2;
mod definition;
mod family;
mod file_ops;
mod judge;
mod left;
mod library;
mod lock_order;
mod numa;
mod outcome;
mod program;
mod reference_ops;
mod run;
mod world;

mod collapse;
mod dontneed;
mod fault_munmap;
mod file_read;
mod file_truncate;
mod file_write;
mod fork;
mod gup;
mod huge;
mod huge_cow;
mod huge_file;
mod huge_g2;
mod huge_migrate;
mod hugetlb;
mod mprotect;
mod munmap;
mod pmd_none_thp;
mod read_write;
mod same_pte;
mod shown_by;
mod stack;
mod tables;
mod tlb;
mod trial;
mod vma_lock;

pub use answer::{Answer, LockFinding};
pub use check::{CheckReport, Engine, TriedBound, UNDECLARED, Verdict, check, check_part, check_without, replay};
pub use definition::{
    Actor, ByReference, FileMap, FileSpec, LoomReach, Op, Scenario, ShapeName, VmaSpec, advise_huge, age, clear_refs,
    collapse, copy_to_user, dontneed, execute, in_child, madvise_collapse, map_anonymous, map_file, mark_numa, migrate,
    mprotect, munmap, peek, poke, read, read_pipe, stock_huge, stock_hugetlb, truncate, vmsplice, write, writev,
};
pub use left::{BadLeft, Left};
pub use library::library;
pub use lock_order::{Form, LockReport, LockScenario, Reality, check_lock_order, lock_scenarios, replay_lock_order};
pub use outcome::Outcome;
pub use program::{Performed, Playground, Program};
pub use run::{Played, run};
pub use shown_by::{Shown, never_lost, shown_by};
pub use trial::{Killed, Trial, try_variant};
