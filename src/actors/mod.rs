//! What races with a fault.
//!
//! Each actor has Linux's steps and locks in Linux's order. So far: `munmap`, `mprotect` and `madvise`, truncation,
//! `fork`, the NUMA scanner, migration of a page, ageing, who keeps a page by a reference (a debugger, a pipe), and the
//! exit of an address space.

mod age;
mod change_protection;
mod clear_refs;
mod exit;
mod fork;
mod free_pgtables;
mod gather;
#[cfg(test)]
mod huge_fork_tests;
#[cfg(test)]
mod huge_tests;
#[cfg(test)]
mod hugetlb_tests;
mod khugepaged;
mod madvise;
mod madvise_huge;
mod migrate;
mod mprotect;
#[cfg(test)]
mod mprotect_tests;
mod munmap;
mod numa_scan;
mod remote_write;
mod truncate;
mod vma_modify;
mod vmsplice;
mod zap;

pub use age::age;
pub use clear_refs::clear_refs;
pub use exit::exit_mmap;
pub use fork::fork;
pub use khugepaged::{Collapser, NotCollapsed, collapse};
pub use madvise::madvise_dontneed;
pub use madvise_huge::{AdviceError, madvise_hugepage};
pub use migrate::migrate;
pub use mprotect::{ProtectError, mprotect};
pub use munmap::{UnmapError, munmap};
pub use numa_scan::change_prot_numa;
pub use remote_write::{RemoteStore, access_remote_vm, process_vm_writev};
pub use truncate::truncate;
pub use vmsplice::{PipeBuffer, vmsplice};
