//! The page of a file that a fault is about, locked (`mm/filemap.c`, `filemap_fault`).
//!
//! ```text
//!   beyond the end? ──────────────────────────────────────────────────> SIGBUS
//!          │
//!   in the cache? ── no: MAJOR, read ahead ──┐
//!          │ yes: read further ahead         │ invalidate lock, find or create
//!          v                                 v
//!   folio lock <─────────────────────────────┴──────────────────┐
//!          │ left the file meanwhile? (M26) ───── look again ───┤
//!          │ contents missing? ── under the invalidate lock: ───┤
//!          │                      read it; failed? ─────────────│──────> SIGBUS
//!          │ the fault lock was dropped? ───────────────────────│──────> RETRY
//!          │ beyond the end now? (M27) ─────────────────────────│──────> SIGBUS
//!          v
//!        locked
//! ```
//!
//! # Invariants
//! - I1 (D52). Before the first wait of the first try the fault lock is dropped, and then the fault ends in RETRY: by
//!   then the page is probably there. A later try waits with the lock held.
//! - I2 (D41). The page that is returned is the file's: its lock was taken and its mapping looked at after that.
//! - I3 (D42). It lies below the end as it was under the folio lock. A truncation stores the smaller size first and
//!   takes the folio lock then, so one that this test misses finds the page locked, and unmaps it afterwards.

use crate::locks::ReadGuard;
use crate::mm::fault_flags::FaultFlags;
use crate::mm::mm_struct::Mm;
use crate::mm::pte_table::{LockedTable, PteTable};
use crate::mm::task::Task;
use crate::mm::vm_flags::VmFlags;
use crate::mm::vmf::{Effort, FaultError, VmFault, Vmf};
use crate::phys::{Contents, OutOfMemory, Pfn};
use crate::platform::{Arc, Platform, Variant, enter, recheck, remark};

use super::address_space::{Added, AddressSpace};
use super::file_system::ReadFailed;
use super::readahead::{Window, async_window, sync_window};

/// What fetching a page came to.
#[must_use]
pub(in crate::mm) enum Fetched<'m, P: Platform> {
    /// Here it is, locked, with a reference (`VM_FAULT_LOCKED`).
    Locked(Vmf<'m, P>, Pfn, Effort),
    /// The fault is over, or over for now.
    Ended(VmFault<'m, P>),
}

impl<P: Platform> Fetched<'_, P> {
    pub(in crate::mm) fn words(&self) -> String {
        match self {
            Self::Locked(_, pfn, Effort::Minor) => format!("VM_FAULT_LOCKED, page {pfn}"),
            Self::Locked(_, pfn, Effort::Major) => format!("VM_FAULT_LOCKED|VM_FAULT_MAJOR, page {pfn}"),
            Self::Ended(result) => result.words(),
        }
    }
}

/// A fault on its way through the cache.
struct Fetch<'f, 'm, P: Platform> {
    /// The fault with its lock, unless that was dropped to wait (`fpin`).
    vmf: Option<Vmf<'m, P>>,
    mm: &'m Mm<P>,
    task: &'m Task,
    flags: FaultFlags,
    file: &'f AddressSpace<P>,
    index: u64,
    /// Held from the moment when a page is found missing (`mapping_locked`).
    invalidate: Option<ReadGuard<'f, P, ()>>,
    effort: Effort,
}

/// Fetches the page that the fault is about.
pub(in crate::mm) fn filemap_fault<'m, P: Platform>(vmf: Vmf<'m, P>, file: &Arc<AddressSpace<P>>) -> Fetched<'m, P> {
    let index = vmf.vma().linear_page_index(vmf.address);
    enter::<P>("filemap_fault", format_args!("file={}, index={index}", file.id().0)).run(
        || {
            if index >= file.size_pages() {
                remark::<P>(format_args!("the file ends before this page"));
                return Fetched::Ended(vmf.failed(FaultError::Sigbus));
            }
            let (mm, task, flags) = (vmf.mm, vmf.task, vmf.flags);
            let effort = Effort::Minor;
            Fetch { vmf: Some(vmf), mm, task, flags, file, index, invalidate: None, effort }.look()
        },
        Fetched::words,
    )
}

impl<'f, 'm, P: Platform> Fetch<'f, 'm, P> {
    /// Looks into the cache, and has missing pages read.
    fn look(mut self) -> Fetched<'m, P> {
        let folio = self.file.get_folio(self.mm.memory(), self.task.cpu(), self.index);
        match folio {
            Some(pfn) => {
                self.read_further_ahead(pfn);
                if self.mm.memory().page(pfn).folio().contents() == Contents::Missing {
                    self.take_invalidate_lock();
                }
            }
            None => {
                if self.is_mapped_by_now() {
                    let vmf = self.vmf.take().expect("nothing has dropped the fault lock yet");
                    return Fetched::Ended(VmFault::NoPage(vmf.lock, Effort::Minor));
                }
                self.effort = Effort::Major;
                self.task.count(|counts| counts.pgmajfault += 1);
                self.read_ahead_of_a_miss();
            }
        }
        self.get(folio)
    }

    /// Locks the page and makes sure that it is the right one and that its contents are there.
    fn get(mut self, found: Option<Pfn>) -> Fetched<'m, P> {
        let mut found = found;
        loop {
            let pfn = match found.take().map_or_else(|| self.find_or_create(), Ok) {
                Ok(pfn) => pfn,
                Err(OutOfMemory) => return self.failed(FaultError::Oom),
            };
            self.lock_folio_maybe_drop_mmap(pfn);
            let page = self.mm.memory().page(pfn);
            // The mapping re-test (M26): between the look-up and the lock the page may have been truncated away.
            if !recheck::<P>(Variant::M26, || page.mapping() == self.file.mapping()) {
                remark::<P>(format_args!("page {pfn} left the file meanwhile: look again"));
                self.unlock_and_put(pfn);
                continue;
            }
            if page.folio().contents() == Contents::Missing {
                if !recheck::<P>(Variant::InvalidateLock, || self.invalidate.is_some()) {
                    remark::<P>(format_args!("page {pfn} has no contents: again, with the invalidate lock"));
                    self.unlock_and_put(pfn);
                    continue;
                }
                match self.read(pfn) {
                    Ok(()) if self.vmf.is_some() => continue,
                    Err(ReadFailed) if self.vmf.is_some() => return self.failed(FaultError::Sigbus),
                    Ok(()) | Err(ReadFailed) => return self.retry(),
                }
            }
            let Some(vmf) = self.vmf.take() else {
                self.unlock_and_put(pfn);
                return self.retry();
            };
            self.invalidate = None;
            // The size re-test under the folio lock (M27).
            if !recheck::<P>(Variant::M27, || self.index < self.file.size_pages()) {
                remark::<P>(format_args!("the file was truncated meanwhile"));
                self.unlock_and_put(pfn);
                return Fetched::Ended(vmf.failed(FaultError::Sigbus));
            }
            return Fetched::Locked(vmf, pfn, self.effort);
        }
    }

    /// The folio at the fault's index, empty if there was none (`__filemap_get_folio` with `FGP_CREAT|FGP_FOR_MMAP`).
    fn find_or_create(&mut self) -> Result<Pfn, OutOfMemory> {
        self.take_invalidate_lock();
        let (memory, cpu) = (self.mm.memory(), self.task.cpu());
        loop {
            if let Some(pfn) = self.file.get_folio(memory, cpu, self.index) {
                return Ok(pfn);
            }
            match self.file.add_folio(memory, cpu, self.index, |_| {})? {
                Added::Mine(pfn) => {
                    memory.page(pfn).folio().lock().unlock();
                    return Ok(pfn);
                }
                Added::Theirs => {}
            }
        }
    }

    /// Reads a locked page; it is unlocked then, and the reference to it is gone.
    fn read(&mut self, pfn: Pfn) -> Result<(), ReadFailed> {
        self.maybe_unlock_mmap_for_io();
        let read = self.file.read_folio(self.mm.memory(), pfn);
        self.mm.memory().put_page(self.task.cpu(), pfn);
        read
    }

    /// Locks the folio; if that means waiting, the fault lock goes first. Being killed while it waits is not modelled:
    /// the wait ends, and the signal is seen after RETRY.
    fn lock_folio_maybe_drop_mmap(&mut self, pfn: Pfn) {
        if !self.mm.memory().page(pfn).folio().lock().try_lock() {
            self.maybe_unlock_mmap_for_io();
            self.file.lock_folio(self.mm.memory(), pfn);
        }
    }

    /// Drops the fault lock before a wait, on the first try (I1).
    fn maybe_unlock_mmap_for_io(&mut self) {
        if may_drop_fault_lock(self.flags)
            && let Some(vmf) = self.vmf.take()
        {
            remark::<P>(format_args!("this may take time: the fault lock is dropped"));
            drop(vmf.lock);
        }
    }

    fn take_invalidate_lock(&mut self) {
        if self.invalidate.is_none() {
            self.invalidate = Some(self.file.invalidate_lock().read());
        }
    }

    /// Whether a page has appeared in an entry that was empty (`filemap_fault_recheck_pte_none`): a copy that is locked
    /// in memory, while the page of the file is gone. Then there is nothing to read.
    fn is_mapped_by_now(&self) -> bool {
        let Some(vmf) = &self.vmf else { return false };
        if !vmf.vma().flags().contains(VmFlags::LOCKED) || vmf.orig_pte.is_none() {
            return false;
        }
        // Without the lock first; an entry that is none may be in the middle of a change, so that is looked at again.
        match PteTable::offset_map_nolock(vmf.mm, vmf.pmd) {
            None => true,
            Some(table) if !table.peek(vmf.address).is_none() => true,
            Some(_) => {
                LockedTable::offset_map_lock(vmf.mm, vmf.pmd).is_none_or(|table| !table.get(vmf.address).is_none())
            }
        }
    }

    fn vma_flags(&self) -> VmFlags {
        self.vmf.as_ref().expect("the fault lock is still held").vma().flags()
    }

    /// Has more read if the folio is marked (`do_async_mmap_readahead`); a later try does not.
    fn read_further_ahead(&mut self, pfn: Pfn) {
        let folio = self.mm.memory().page(pfn).folio();
        if self.flags.contains(FaultFlags::TRIED)
            || self.file.behaviour().readahead_pages == 0
            || !folio.wants_readahead()
        {
            return;
        }
        let flags = self.vma_flags();
        enter::<P>("do_async_mmap_readahead", format_args!("page={pfn}")).run(
            || {
                folio.clear_readahead();
                if let Some(window) = async_window(self.file, flags, self.index) {
                    self.read_ahead(window);
                }
            },
            |()| String::new(),
        );
    }

    /// Has the pages around a missing one read (`do_sync_mmap_readahead`).
    fn read_ahead_of_a_miss(&mut self) {
        let flags = self.vma_flags();
        enter::<P>("do_sync_mmap_readahead", format_args!("index={}", self.index)).run(
            || {
                if let Some(window) = sync_window(self.file, flags, self.index) {
                    self.read_ahead(window);
                }
            },
            |()| String::new(),
        );
    }

    fn read_ahead(&mut self, window: Window) {
        self.maybe_unlock_mmap_for_io();
        self.file.read_ahead(self.mm.memory(), self.task.cpu(), window);
    }

    fn unlock_and_put(&self, pfn: Pfn) {
        self.mm.memory().page(pfn).folio().lock().unlock();
        self.mm.memory().put_page(self.task.cpu(), pfn);
    }

    /// The fault lock was dropped: everything is to be looked up again.
    fn retry(self) -> Fetched<'m, P> {
        Fetched::Ended(VmFault::Retry(self.effort))
    }

    fn failed(self, error: FaultError) -> Fetched<'m, P> {
        match self.vmf {
            Some(vmf) => Fetched::Ended(vmf.failed(error)),
            None => Fetched::Ended(VmFault::Retry(self.effort)),
        }
    }
}

/// Whether a fault with these flags drops its lock before it waits (`maybe_unlock_mmap_for_io`).
pub(in crate::mm) fn may_drop_fault_lock(flags: FaultFlags) -> bool {
    flags.is_first_try() && !flags.contains(FaultFlags::RETRY_NOWAIT)
}
