//! Who has only found a PTE table may look at its entries, not change them.

use pagerace::mm::PteTable;
use pagerace::platform::Platform;
use pagerace::x86::{PteVal, VirtAddr};

fn empty<P: Platform>(table: &mut PteTable<'_, P>, address: VirtAddr) {
    let _may_be_old = table.peek(address);
    table.set(address, PteVal::NONE);
}

fn main() {}
