//! A write to a process's memory from outside, as a debugger does it (`mm/memory.c`, `access_remote_vm`;
//! `fs/proc/base.c`, `mem_rw`): what may not be written there is copied first.
//!
//! # Lock order
//! As `get_user_pages`; the page is written without any lock, by its reference alone, and then marked dirty under the
//! folio lock. Linux keeps the mmap lock until all that is done; here it is released before, as for a store by
//! `process_vm_writev` or by a device. So more can come between than in Linux: `munmap`, `mprotect`, collapse, fork.
//!
//! # Memory ordering
//! - O1. The page is written as a user writes: what orders it is the users' own business.

use crate::mm::{GupError, GupFlags, Mm, Task, get_user_page};
use crate::platform::{AtomicWord, Ordering, Platform, enter, remark};
use crate::x86::VirtAddr;

/// Stores a word to the memory of a process, whatever rights its mapping gives. Returns when, ghost: as
/// [`crate::x86::Machine::tick`] counts.
///
/// # Errors
/// As Linux: see [`GupError`]. `access_remote_vm` returns that nothing was copied, and the file's write `EIO`.
pub fn poke_remote_vm<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr, value: u64) -> Result<u64, GupError> {
    enter::<P>("access_remote_vm", format_args!("address={address}, value={value:#x}")).run(
        || {
            let page = get_user_page(mm, task, address, GupFlags::WRITE | GupFlags::FORCE | GupFlags::REMOTE)?;
            let memory = mm.memory();
            let word = address.page_offset(P::GEOMETRY) / 8;
            // ORDER none: O1.
            memory.word(page.pfn(), word as usize).store(value, Ordering::Relaxed);
            let stored = mm.machine().tick();
            remark::<P>(format_args!("word {word} of page {} = {value:#x}", page.pfn()));
            let folio = memory.page(memory.folio_of(page.pfn())).folio();
            folio.lock().lock();
            folio.mark_dirty();
            folio.lock().unlock();
            page.put(memory, task.cpu());
            Ok(stored)
        },
        |result| result.as_ref().map_or_else(|error| format!("-{error:?}"), |_| "8".to_owned()),
    )
}
