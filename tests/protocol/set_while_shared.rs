//! An entry changes only for the one who has the locked table to themselves.

use pagerace::mm::LockedTable;
use pagerace::platform::Platform;
use pagerace::x86::{PteVal, VirtAddr};

fn empty<P: Platform>(table: &LockedTable<'_, P>, address: VirtAddr) {
    let _now = table.get(address);
    table.set(address, PteVal::NONE);
}

fn main() {}
