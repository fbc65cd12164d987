//! The panic hook: a panic of the code under test is a result to report, not text on standard error.

use super::exec::Status;
use super::rt;
use crate::report::Reason;
use std::panic::PanicHookInfo;
use std::sync::Once;

/// Installs the hook, once for the process; panics outside models go to the hook that was there before.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !caught(info) {
                before(info);
            }
        }));
    });
}

/// Records a panic of a thread of the model; false when no model runs.
fn caught(info: &PanicHookInfo<'_>) -> bool {
    let Some(runtime) = rt::try_runtime() else { return false };
    let exec = &mut runtime.exec;
    if exec.peeking.is_none() {
        let me = exec.current;
        exec.thread_mut(me).unwinding = true;
    }
    if exec.quiet || exec.peeking.is_some() || exec.status != Status::Running || exec.limits.tolerate_panics {
        return true;
    }
    let message = info.payload_as_str().unwrap_or("a panic whose payload is not text");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = exec.thread_title(exec.current);
    exec.fail(Reason::panic(&thread, message, &place));
    true
}
