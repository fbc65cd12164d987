//! Who has downgraded the mmap lock is no writer any more.

use pagerace::mm::{Mm, Vma};
use pagerace::platform::Platform;

fn insert<P: Platform>(mm: &Mm<P>, vma: Vma<P>) {
    let mut writer = mm.mmap_lock().write();
    let _reader = writer.downgrade();
    writer.insert(vma);
}

fn main() {}
