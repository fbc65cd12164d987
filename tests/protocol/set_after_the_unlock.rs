//! Who has released a PTE table's lock may not change its entries any more.

use pagerace::mm::LockedTable;
use pagerace::platform::Platform;
use pagerace::x86::{PteVal, VirtAddr};

fn empty<P: Platform>(mut table: LockedTable<'_, P>, address: VirtAddr) {
    table.set(address, PteVal::NONE);
    drop(table);
    table.set(address, PteVal::NONE);
}

fn main() {}
