//! A pipe that refers to a user's page instead of copying it (`fs/splice.c`, `vmsplice_to_pipe`).
//!
//! The pipe has a reference, and no mapping: the page may be unmapped meanwhile, and written to, as far as those who
//! map it may. What the reader finds in it is what it holds then.
//!
//! # Memory ordering
//! - O1. The page is read as a user reads.

use crate::mm::{GupError, GupFlags, Mm, Task, UserPage, get_user_page};
use crate::phys::{CpuId, PhysMem};
use crate::platform::{AtomicWord, Ordering, Platform, enter};
use crate::x86::VirtAddr;

/// What a pipe holds: one word of a user's memory, in the page that it lies in.
#[derive(Debug)]
pub struct PipeBuffer {
    page: UserPage,
    address: VirtAddr,
}

impl PipeBuffer {
    /// Where the word was found.
    pub fn address(&self) -> VirtAddr {
        self.address
    }

    /// Reads the word and lets the page go (`pipe_read`, `generic_pipe_buf_release`).
    pub fn read<P: Platform>(self, memory: &PhysMem<P>, cpu: CpuId) -> u64 {
        enter::<P>("pipe_read", format_args!("page={}", self.page.pfn())).run(
            || {
                let word = self.address.page_offset(P::GEOMETRY) / 8;
                // ORDER none: O1.
                let value = memory.word(self.page.pfn(), word as usize).load(Ordering::Relaxed);
                self.page.put(memory, cpu);
                value
            },
            |value| format!("{value:#x}"),
        )
    }
}

/// Puts the page of a word into a pipe.
///
/// # Errors
/// As Linux: see [`GupError`].
pub fn vmsplice<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr) -> Result<PipeBuffer, GupError> {
    enter::<P>("vmsplice_to_pipe", format_args!("address={address}")).run(
        || {
            let page = get_user_page(mm, task, address, GupFlags::UNLOCKABLE)?;
            Ok(PipeBuffer { page, address })
        },
        |result| result.as_ref().map_or_else(|error| format!("-{error:?}"), |_| "8".to_owned()),
    )
}
