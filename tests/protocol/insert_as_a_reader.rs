//! Who holds the mmap lock for reading may not change the VMAs.

use pagerace::mm::{Mm, Vma};
use pagerace::platform::Platform;

fn insert<P: Platform>(mm: &Mm<P>, vma: Vma<P>) {
    mm.mmap_lock().read().insert(vma);
}

fn main() {}
