//! Progress on the screen, where somebody looks at one: indicatif draws nothing into a pipe. No template of ours has a
//! colour, so `NO_COLOR` has nothing to switch off.

use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TIMES_A_SECOND: u8 = 10;

/// What a bar shows.
pub(super) struct Shown {
    pub(super) position: u64,
    pub(super) message: String,
}

/// A bar in this style that looks ten times a second at what there is to show, until it is finished.
pub(super) fn show(bar: ProgressBar, template: &str, look: impl Fn() -> Shown + Send + 'static) -> ProgressBar {
    let bar = bar.with_style(ProgressStyle::with_template(template).expect("a fixed template"));
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(TIMES_A_SECOND));
    let shown = bar.clone();
    thread::spawn(move || {
        while !shown.is_finished() {
            let Shown { position, message } = look();
            // The setters would each draw; these do not, so that a look draws once.
            shown.clone().with_position(position).with_message(message).tick();
            thread::sleep(Duration::from_secs(1) / u32::from(TIMES_A_SECOND));
        }
    });
    bar
}
