//! An entry that is neither empty nor present (`mm/memory.c`, `do_swap_page`; `mm/migrate.c`, `migration_entry_wait`).
//!
//! | entry | what happens here |
//! |---|---|
//! | under migration | the fault waits until the page has arrived |
//! | poisoned | `VM_FAULT_HWPOISON` |
//! | a swap slot, a device's page, a marker | nothing makes one: not modelled |

use std::fmt;

use crate::phys::Pfn;
use crate::platform::{Platform, Variant, enter, recheck, remark};
use crate::x86::{PteVal, SwapEntry, SwapType, VirtAddr};

use super::entry_at::EntryAt;
use super::huge_memory::assert_being_moved;
use super::mm_struct::Mm;
use super::pte_table::{LockedTable, PteTable};
use super::vmf::{FaultError, VmFault, Vmf};

/// Handles the fault by what the entry stands for.
///
/// # Panics
/// If the entry stands for something that nobody in this model makes.
pub(super) fn do_swap_page<'m, P: Platform>(vmf: Vmf<'m, P>, orig: PteVal) -> VmFault<'m, P> {
    let swap = SwapEntry::from_pte(orig).expect("the entry is neither empty nor present");
    enter::<P>("do_swap_page", format_args!("address={}, {}", vmf.address, Words(swap))).run(
        || match swap.kind() {
            SwapType::MigrationRead | SwapType::MigrationReadExclusive | SwapType::MigrationWrite => {
                migration_entry_wait(vmf.mm, vmf.pmd, vmf.address, vmf.orig_pte);
                vmf.handled()
            }
            SwapType::HwPoison => vmf.failed(FaultError::HwPoison { lsb: P::GEOMETRY.page_shift() }),
            SwapType::Swap(_) | SwapType::Device(_) | SwapType::Marker => {
                panic!("{swap:?}: swap, devices' memory and userfaultfd's markers are not modelled")
            }
        },
        VmFault::words,
    )
}

/// What an entry stands for, in words.
struct Words(SwapEntry);

impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(swap) = self;
        match swap.kind() {
            SwapType::MigrationRead | SwapType::MigrationReadExclusive | SwapType::MigrationWrite => {
                write!(formatter, "{:?}: page {} is being moved", swap.kind(), swap.migrating())
            }
            SwapType::HwPoison => write!(formatter, "HwPoison: the memory of page {:#x} is broken", swap.offset()),
            SwapType::Swap(_) | SwapType::Device(_) | SwapType::Marker => write!(formatter, "{swap:?}"),
        }
    }
}

/// Waits for the migration of the entry's page, if it is still going on.
///
/// The lock of the table guarantees the migrator's reference. Linux puts the task on the folio's queue under it; here
/// it only notes the folio, so a task that comes late may wait for the frame's next user, too. It looks again anyway.
fn migration_entry_wait<P: Platform>(mm: &Mm<P>, pmd: EntryAt, address: VirtAddr, seen: Option<PteVal>) {
    enter::<P>("migration_entry_wait", format_args!("address={address}")).run(
        || {
            let Some(table) = LockedTable::offset_map_lock(mm, pmd) else { return };
            // The second look, under the lock (M35): a migration that is over wakes nobody.
            let mut moving = seen.and_then(under_migration);
            recheck::<P>(Variant::M35, || {
                moving = under_migration(table.get(address));
                moving.is_some()
            });
            let Some(pfn) = moving else {
                remark::<P>(format_args!("the migration is over"));
                return;
            };
            let folio = mm.memory().folio_of(pfn);
            // The point of the second look (D58): who moves the page will unlock it after the lock of the table was
            // free again, so this wait ends.
            assert_being_moved(mm, folio);
            drop(table);
            mm.memory().page(folio).folio().lock().wait();
        },
        |()| String::new(),
    );
}

/// The same for who is no fault: if the entry of an address is under migration, waits until its page has arrived.
pub(crate) fn migration_entry_wait_at<P: Platform>(mm: &Mm<P>, pmd: EntryAt, address: VirtAddr) {
    let seen = PteTable::offset_map_nolock(mm, pmd).map(|table| table.peek(address));
    if seen.and_then(under_migration).is_some() {
        migration_entry_wait(mm, pmd, address, seen);
    }
}

/// The page that an entry under migration stands for (`is_migration_entry`, `pfn_swap_entry_folio`).
pub(crate) fn under_migration(entry: PteVal) -> Option<Pfn> {
    let swap = SwapEntry::from_pte(entry)?;
    match swap.kind() {
        SwapType::MigrationRead | SwapType::MigrationReadExclusive | SwapType::MigrationWrite => Some(swap.migrating()),
        SwapType::Swap(_) | SwapType::HwPoison | SwapType::Device(_) | SwapType::Marker => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{BusCode, Ending, Generation, Placement, Process, Protection, Task, find_pmd, mmap};
    use crate::phys::{CpuId, PhysConfig};
    use crate::platform::{Arc, Native, X86_64};
    use crate::x86::{Completion, Instruction, Machine, Mode};

    type P = Native<X86_64>;

    const CPU: CpuId = CpuId::new(0);
    const PAGE: VirtAddr = VirtAddr::user(0x5000);

    #[test]
    fn a_poisoned_page_is_a_bus_error() {
        let machine = Machine::boot(&PhysConfig::linux(Pfn::truncate(0x1000), 64, 1)).expect("a little memory");
        let (mm, task) = (Mm::<P>::new(Arc::new(machine), Generation::G6, CPU).expect("a frame"), Task::new(CPU));
        mmap(&mm, Placement::Fixed(PAGE), 0x1000, Protection::READ).expect("an empty address space");
        let load = || Process::new(&mm, &task).execute(Mode::User, Instruction::Load(PAGE));
        assert_eq!(load(), Completion::Done(Some(0)));
        let poisoned = SwapEntry::new(SwapType::HwPoison, 0x1010).expect("a valid entry").to_pte();
        let pmd = find_pmd(&mm, PAGE).expect("there are tables");
        LockedTable::offset_map_lock(&mm, pmd).expect("there is a table").set(PAGE, poisoned);
        assert_eq!(load(), Completion::Ended(Ending::Sigbus(BusCode::McErr { lsb: 12 }, PAGE)));
    }
}
