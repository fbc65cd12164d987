//! How often each re-check held and how often it lost its race, over all that was checked.

use crate::platform::Variant;
use crate::platform::variant::{Kind, Window, Windows};
use crate::scenario::never_lost;

use super::super::output::line;
use super::Checked;

/// Whether every window was lost at least once, or has a reason why it cannot be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AllLost {
    Yes,
    No,
}

/// How much of the library was checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// All of it: each window should have been lost.
    TheLibrary,
    /// Some scenarios: only the windows that they came to are of interest.
    SomeScenarios,
}

/// Prints the windows.
pub(super) fn tell(checked: &[Checked], of: Of, json: bool) -> AllLost {
    let mut windows = Windows::default();
    checked.iter().for_each(|(_, report)| windows.add(&report.windows));
    let rechecks = || Variant::ALL.iter().copied().filter(|variant| variant.kind() == Kind::Recheck);
    let mut all = AllLost::Yes;
    if !json {
        line(format_args!("\n{:<19}{:>12}{:>12}  re-check", "window", "held", "lost"));
    }
    for variant in rechecks() {
        let (name, window, removes) = (variant.name(), windows.of(variant), variant.removes());
        if of == Of::SomeScenarios && window == Window::default() {
            continue;
        }
        let why = never_lost(variant).filter(|_| window.lost == 0);
        if window.lost == 0 && why.is_none() {
            all = AllLost::No;
        }
        if json {
            let object = serde_json::json!({
                "window": name, "held": window.held, "lost": window.lost, "never_lost_because": why,
            });
            line(format_args!("{object}"));
        } else {
            line(format_args!("{name:<19}{:>12}{:>12}  {removes}", window.held, window.lost));
            why.into_iter().for_each(|why| line(format_args!("{:<45}never lost: {why}", "")));
        }
    }
    all
}
