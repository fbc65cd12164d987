//! A VMA is written only while the mmap lock is held for writing.

use pagerace::mm::{Mm, Vma};
use pagerace::platform::Platform;
use pagerace::x86::VirtAddr;

fn move_end<P: Platform>(mm: &Mm<P>, vma: &Vma<P>, end: VirtAddr) {
    let mut writer = mm.mmap_lock().write();
    let mut writable = writer.start_write(vma);
    drop(writer);
    writable.set_end(end);
}

fn main() {}
