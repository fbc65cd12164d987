//! A VMA is stable only while the fault lock is held.

use pagerace::mm::FaultLock;
use pagerace::platform::Platform;
use pagerace::x86::VirtAddr;

fn end_of<P: Platform>(lock: FaultLock<'_, P>) -> VirtAddr {
    let vma = lock.vma();
    drop(lock);
    vma.end()
}

fn main() {}
