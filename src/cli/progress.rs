//! Progress on the screen, where somebody looks at one: indicatif draws nothing into a pipe.

use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar or a spinner in this style, brought up to date ten times a second until it is finished.
pub(super) fn show(bar: ProgressBar, template: &str, update: impl Fn(&ProgressBar) + Send + 'static) -> ProgressBar {
    let bar = bar.with_style(ProgressStyle::with_template(template).expect("a fixed template"));
    let shown = bar.clone();
    thread::spawn(move || {
        while !shown.is_finished() {
            update(&shown);
            shown.tick();
            thread::sleep(Duration::from_millis(100));
        }
    });
    bar
}
