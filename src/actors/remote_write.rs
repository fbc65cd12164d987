//! Writes to a process's memory from outside: a debugger's (`mm/memory.c`, `access_remote_vm`; `fs/proc/base.c`,
//! `mem_rw`), before which what may not be written is copied, and `process_vm_writev` (`mm/process_vm_access.c`,
//! `process_vm_rw_single_vec`).
//!
//! # Lock order
//! The page is written, and then marked dirty under the folio lock, by its reference alone. A debugger keeps the mmap
//! lock until then, so that it meets no fork, no collapse and no `munmap`; `process_vm_writev` has given it up.
//!
//! # Memory ordering
//! - O1. The page is written as a user writes: what orders it is the users' own business.
//!
//! Not modelled: that `process_vm_writev` pins its page (`pin_user_pages_remote`), so that a fork copies it at once.
//! Here it has a reference, as everybody had until 5.6.

use crate::mm::{GupError, GupFlags, Mm, Task, UserPage, get_user_page, get_user_page_locked};
use crate::platform::{AtomicWord, Ordering, Platform, enter, remark};
use crate::x86::VirtAddr;

/// Ghost: when the page of a store by a reference was looked up, and when the store took place, as
/// [`crate::x86::Machine::tick`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteStore {
    /// The page was found.
    pub found: u64,
    /// The word was stored.
    pub stored: u64,
}

/// Stores a word to the memory of a process as a debugger does, whatever rights its mapping gives.
///
/// # Errors
/// As Linux: see [`GupError`]. `access_remote_vm` returns that nothing was copied, and the file's write `EIO`.
pub fn access_remote_vm<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    address: VirtAddr,
    value: u64,
) -> Result<RemoteStore, GupError> {
    enter::<P>("access_remote_vm", format_args!("address={address}, value={value:#x}")).run(
        || {
            let flags = GupFlags::WRITE | GupFlags::FORCE | GupFlags::REMOTE;
            let (page, mmap_lock) = get_user_page_locked(mm, task, address, flags)?;
            let when = store(mm, task, page, address, value);
            drop(mmap_lock);
            Ok(when)
        },
        tell,
    )
}

/// Stores a word to the memory of a process as `process_vm_writev` does, where its mapping lets write.
///
/// # Errors
/// As Linux: see [`GupError`].
pub fn process_vm_writev<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    address: VirtAddr,
    value: u64,
) -> Result<RemoteStore, GupError> {
    enter::<P>("process_vm_rw_single_vec", format_args!("address={address}, value={value:#x}")).run(
        || {
            let page = get_user_page(mm, task, address, GupFlags::WRITE | GupFlags::REMOTE | GupFlags::UNLOCKABLE)?;
            Ok(store(mm, task, page, address, value))
        },
        tell,
    )
}

/// Stores to the page, marks it as dirty (`set_page_dirty_lock`), and lets it go.
fn store<P: Platform>(mm: &Mm<P>, task: &Task, page: UserPage, address: VirtAddr, value: u64) -> RemoteStore {
    let memory = mm.memory();
    let word = address.page_offset(P::GEOMETRY) / 8;
    // ORDER none: O1.
    memory.word(page.pfn(), word as usize).store(value, Ordering::Relaxed);
    let when = RemoteStore { found: page.found(), stored: mm.machine().tick() };
    remark::<P>(format_args!("word {word} of page {} = {value:#x}", page.pfn()));
    let folio = memory.page(memory.folio_of(page.pfn())).folio();
    folio.lock().lock();
    folio.mark_dirty();
    folio.lock().unlock();
    page.put(memory, task.cpu());
    when
}

fn tell(result: &Result<RemoteStore, GupError>) -> String {
    result.as_ref().map_or_else(|error| format!("-{error:?}"), |_| "8".to_owned())
}
