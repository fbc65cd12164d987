//! Ctrl-C: the first asks the command to stop and report what was done, the second ends the process.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::platform::Arc;

/// A flag that the first Ctrl-C sets.
///
/// If the handler cannot be installed (another one is in place), the flag is simply never set: Ctrl-C then ends the
/// process, as it does without us.
pub(super) fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    let installed = ctrlc::set_handler(move || {
        // ORDER none: a flag.
        if set.swap(true, Ordering::Relaxed) {
            process::exit(130);
        }
    });
    if let Err(error) = installed {
        anstream::eprintln!("note: Ctrl-C will not report what was done ({error})");
    }
    stop
}
