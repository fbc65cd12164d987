//! loom's locks are objects of one execution, so none can be made before there is one.

use pagerace::platform::loom::{FairRwSem, SpinLock};
use parking_lot::lock_api::{RawMutex, RawRwLock};

const SPIN: SpinLock = SpinLock::INIT;
const SEMAPHORE: FairRwSem = FairRwSem::INIT;

fn main() {
    let _ = (SPIN, SEMAPHORE);
}
