//! The progress bar: how many executions, which share of each scenario is explored, and how many there are in all.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::platform::{Arc, Watch};
use crate::scenario::Scenario;

use super::super::interrupt::stop_flag;
use super::super::numbers::{about, grouped, percent};
use super::super::progress::{Shown, show};

/// A watch on each scenario, all with one stop flag.
#[derive(Clone)]
pub(super) struct Watches(Vec<(&'static str, Watch)>);

impl Watches {
    pub(super) fn on(scenarios: &[&'static Scenario]) -> Self {
        let stop = stop_flag();
        Self(scenarios.iter().map(|scenario| (scenario.name, Watch::new(Arc::clone(&stop)))).collect())
    }

    /// The watch on scenario number `index`.
    pub(super) fn of(&self, index: usize) -> &Watch {
        &self.0[index].1
    }

    /// A bar that fills with the scenarios, and within one with what the engine says that it has explored.
    pub(super) fn show(&self) -> ProgressBar {
        const PER_SCENARIO: f64 = 1000.0;
        let (watches, started) = (self.clone(), Instant::now());
        let bar = ProgressBar::new(watches.0.len() as u64 * PER_SCENARIO as u64);
        show(bar, "{bar:20} {elapsed} {wide_msg}", move || {
            let explored: f64 = watches.0.iter().map(|(_, watch)| watch.explored()).sum();
            Shown { position: (explored * PER_SCENARIO) as u64, message: watches.words(started.elapsed()) }
        })
    }

    /// What stands beside the bar.
    fn words(&self, elapsed: Duration) -> String {
        let executions: u64 = self.0.iter().map(|(_, watch)| watch.executions()).sum();
        let rate = executions as f64 / elapsed.as_secs_f64().max(0.001);
        let mut words = format!("{} executions, {}/s", grouped(executions), grouped(rate as u64));
        for (name, watch) in self.0.iter().filter(|(_, watch)| watch.executions() > 0 && !watch.is_finished()) {
            words += &match watch.estimate() {
                Some(all) => {
                    format!("; {name}: {} explored, {} in all or more", percent(watch.explored()), about(all))
                }
                None => format!("; {name}"),
            };
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::interleaved::Search;
    use crate::scenario::{Engine, check, library};

    #[test]
    fn the_bar_names_what_runs_with_its_share_and_its_whole() {
        let watches = Watches(["first", "second", "third"].map(|name| (name, Watch::default())).to_vec());
        assert_eq!(watches.words(Duration::from_secs(1)), "0 executions, 0/s");
        let sample = Search::Random { executions: 32, seed: 1 };
        let scenario = library().next().expect("the library is not empty");
        for index in [0, 1] {
            check(scenario, Engine::Interleaver { search: sample }, watches.of(index));
        }
        watches.of(0).finish();
        let words = watches.words(Duration::from_secs(2));
        assert_eq!(words, "64 executions, 32/s; second: 100% explored, 32 in all or more");
        check(scenario, Engine::Interleaver { search: Search::Preemptions(0) }, watches.of(2));
        assert!(watches.words(Duration::from_secs(2)).ends_with("; third"), "plain enumeration knows no whole");
    }
}
