//! The walk down to the PMD entry, with the tables that are missing on the way (`__handle_mm_fault`, `__pud_alloc`,
//! `__pmd_alloc`).
//!
//! # State of an entry above the PTE tables
//!
//! ```text
//!           link (under PGL, or PML for a PMD entry)
//!   none -------------------------------------------> table, until free_pgtables
//! ```
//!
//! # Invariants
//! - I1 (D1, M1). Tables are allocated without a lock; under the lock the entry is tested again, and the loser frees
//!   its own.
//! - I2 (D5, M5). A table is zeroed, and its lock is ready, before the entry points to it.
//!
//! # Memory ordering
//! - O1. `link` stores with `Release`; every lockless reader loads with `Acquire` (on hardware: write barrier and
//!   address dependency). The pair gives I2.

use crate::phys::{OutOfMemory, PageState, Pfn};
use crate::platform::{AtomicWord, Ordering, Platform, Variant, enter, ordering, recheck, remark};
use crate::x86::{TableVal, VirtAddr, level_name};

use super::entry_at::EntryAt;
use super::fault_flags::FaultFlags;
use super::fault_lock::FaultLock;
use super::handle_pte_fault::handle_pte_fault;
use super::huge_memory::{HugeFault, huge_pmd_fault};
use super::mm_struct::Mm;
use super::task::Task;
use super::vmf::{FaultError, VmFault, Vmf};

/// Walks to the PMD entry and handles the fault below it.
pub(super) fn __handle_mm_fault<'m, P: Platform>(
    mm: &'m Mm<P>,
    task: &'m Task,
    lock: FaultLock<'m, P>,
    address: VirtAddr,
    flags: FaultFlags,
) -> VmFault<'m, P> {
    enter::<P>("__handle_mm_fault", format_args!("vma={:?}, address={address}, flags={flags}", lock.vma())).run(
        || match pmd_of(mm, task, address) {
            Ok(pmd) => {
                let address_of_page = address.page_start(P::GEOMETRY);
                let vmf =
                    Vmf { lock, mm, task, address: address_of_page, real_address: address, flags, pmd, orig_pte: None };
                match huge_pmd_fault(vmf) {
                    HugeFault::Done(result) => result,
                    HugeFault::Fallback(vmf) => handle_pte_fault(vmf),
                }
            }
            Err(OutOfMemory) => VmFault::Failed(lock, FaultError::Oom),
        },
        VmFault::words,
    )
}

/// The PMD entry of an address, with the tables above it allocated if they are missing.
pub(crate) fn pmd_of<P: Platform>(mm: &Mm<P>, task: &Task, address: VirtAddr) -> Result<EntryAt, OutOfMemory> {
    let pgd = pgd_offset(mm, address);
    let p4d = p4d_alloc::<P>(pgd);
    let pud = alloc_level(mm, task, p4d, address, ("pud_alloc", "__pud_alloc", 3))?;
    alloc_level(mm, task, pud, address, ("pmd_alloc", "__pmd_alloc", 2))
}

/// The entry of the root table.
fn pgd_offset<P: Platform>(mm: &Mm<P>, address: VirtAddr) -> EntryAt {
    enter::<P>("pgd_offset", format_args!("address={address}"))
        .run(|| EntryAt::of::<P>(mm.pgd(), P::GEOMETRY.levels, address), |at| at.to_string())
}

/// With 4 levels the P4D is the PGD entry itself.
fn p4d_alloc<P: Platform>(pgd: EntryAt) -> EntryAt {
    enter::<P>("p4d_alloc", format_args!("pgd={}", pgd)).run(|| pgd, |_| "folded into the PGD".to_owned())
}

/// The entry of the table of `level` below `parent`, allocated if it is missing (`pud_alloc`, `pmd_alloc`).
fn alloc_level<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    parent: EntryAt,
    address: VirtAddr,
    (name, slow_name, level): (&'static str, &'static str, u32),
) -> Result<EntryAt, OutOfMemory> {
    enter::<P>(name, format_args!("{}={}", parent_name(level), parent)).run(
        || {
            if parent.level <= level {
                return Ok(parent);
            }
            let table = match read_table(mm, parent).target() {
                Some(table) => table,
                None => alloc_table_at(mm, task, parent, slow_name)?,
            };
            Ok(EntryAt::of::<P>(table, level, address))
        },
        |result| match result {
            Ok(at) if *at == parent => "folded".to_owned(),
            Ok(at) => at.to_string(),
            Err(OutOfMemory) => "NULL".to_owned(),
        },
    )
}

fn parent_name(level: u32) -> &'static str {
    if level == 3 { "p4d" } else { "pud" }
}

/// Reads an entry above the PMD tables, without a lock.
pub(crate) fn read_table<P: Platform>(mm: &Mm<P>, at: EntryAt) -> TableVal {
    // ORDER O1: pairs with `link_table`.
    TableVal::from_bits(mm.entry(at).load(ordering::<P>(Variant::OReadTable, Ordering::Acquire)))
}

/// The PMD entry of an address, if all tables above it exist.
pub(crate) fn find_pmd<P: Platform>(mm: &Mm<P>, address: VirtAddr) -> Option<EntryAt> {
    find_pmd_below(mm, mm.pgd(), address)
}

/// The same below the root table of any address space of the machine, as the reverse map finds it (`mm_find_pmd`).
pub(super) fn find_pmd_below<P: Platform>(mm: &Mm<P>, pgd: Pfn, address: VirtAddr) -> Option<EntryAt> {
    let mut at = EntryAt::of::<P>(pgd, P::GEOMETRY.levels, address);
    while at.level > 2 {
        let table = read_table(mm, at).target()?;
        at = EntryAt::of::<P>(table, at.level - 1, address);
    }
    Some(at)
}

/// Allocates a table and links it, unless another fault does so first (`__pud_alloc`, `__pmd_alloc`).
fn alloc_table_at<P: Platform>(
    mm: &Mm<P>,
    task: &Task,
    parent: EntryAt,
    name: &'static str,
) -> Result<Pfn, OutOfMemory> {
    enter::<P>(name, format_args!("{}", parent)).run(
        || {
            let table = new_table(mm, task, parent.level - 1)?;
            let _page_table_lock = mm.page_table_lock().lock();
            // The re-test under the lock (M1): without it a live table is overwritten.
            // ORDER none: entries change only under the lock that we hold.
            let linked = || TableVal::from_bits(mm.entry(parent).load(Ordering::Relaxed)).target();
            let mut first = None;
            recheck::<P>(Variant::M1, || {
                first = linked();
                first.is_none()
            });
            let Some(first) = first else {
                link_table(mm, parent, TableVal::table(table).bits());
                return Ok(table);
            };
            remark::<P>(format_args!("another fault linked table {first} first; mine is freed"));
            mm.memory().free_uncharged(task.cpu(), table);
            Ok(first)
        },
        |result| result.map_or_else(|_| "NULL".to_owned(), |table| format!("table {table}")),
    )
}

/// A zeroed table that only the caller can reach (`pud_alloc_one`, `pmd_alloc_one`, `pte_alloc_one`).
pub(super) fn new_table<P: Platform>(mm: &Mm<P>, task: &Task, level: u32) -> Result<Pfn, OutOfMemory> {
    let table = mm.memory().alloc_page(task.cpu(), PageState::Table { level })?;
    mm.memory().clear_page(table);
    Ok(table)
}

/// D10, D2: an entry above the PTE tables is empty when a table is linked there; only teardown, or whoever makes it
/// huge, empties one.
fn assert_empty<P: Platform>(mm: &Mm<P>, at: EntryAt) {
    if P::CHECKED {
        // ORDER none: the caller holds the entry's lock.
        let now = mm.entry(at).load(Ordering::Relaxed);
        let id = if at.level > 2 { "D10" } else { "D2" };
        assert!(now == 0, "{id}: a table is linked at {at}, which holds {now:#x}");
    }
}

/// Points an entry to a table; the caller holds the entry's lock and found it empty.
pub(super) fn link_table<P: Platform>(mm: &Mm<P>, at: EntryAt, bits: u64) {
    assert_empty(mm, at);
    mm.add_tables(1);
    // ORDER O1: publishes the zeroed table; pairs with `read_table`, `pmdp_get_lockless` and the hardware walk.
    mm.entry(at).store(bits, ordering::<P>(Variant::M5, Ordering::Release));
    let (name, bytes) = (level_name(at.level), P::GEOMETRY.page_size());
    remark::<P>(format_args!("{name}[{}] = {bits:#x}, pgtables_bytes += {bytes}", at.index));
}
