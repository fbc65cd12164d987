//! Playing a bug twice: the kernel that has it, and the kernel with its fix, in the same world.

use std::time::Duration;

use crate::failure::{ReplayToken, Subject};
use crate::platform::interleaved::{Failing, Part, Search};
use crate::platform::{self, Watch};
use crate::scenario::{
    CheckReport, Engine, Form, LockReport, Verdict, check_lock_order, check_without, library, lock_scenarios,
};

use super::bug::{Bug, Reproduction};

/// What one of the two kernels came to.
#[derive(Clone, Debug)]
pub struct Half {
    /// What failed; nothing if all holds.
    pub found: Option<String>,
    /// Executions; to the first failure, if there was one.
    pub executions: u64,
    /// Whether every interleaving was played, or one failed.
    pub is_decided: bool,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// What became of a bug.
#[derive(Clone, Debug)]
pub struct BugReport {
    /// The bug.
    pub bug: &'static Bug,
    /// The kernel that has it.
    pub broken: Half,
    /// The kernel with its fix.
    pub mended: Half,
    /// What leads to the failing execution of the broken kernel: as it was found, and then a simpler one.
    pub tokens: Vec<ReplayToken>,
}

impl BugReport {
    /// Whether the bug was found, as the invariant that it should be.
    pub fn is_found(&self) -> bool {
        self.broken.found.as_ref().is_some_and(|words| words.contains(self.bug.falls))
    }

    /// Whether the fix holds in every interleaving.
    pub fn is_clean(&self) -> bool {
        self.mended.found.is_none() && self.mended.is_decided
    }
}

/// Plays both kernels to the end, with so many threads of the host.
///
/// # Panics
/// If the bug names a scenario that there is not.
pub fn check_bug(bug: &'static Bug, jobs: usize, watch: &Watch) -> BugReport {
    match bug.reproduction {
        Reproduction::Removed { variant, scenario } => {
            let scenario = library().find(|known| known.name == scenario).expect("a bug names a scenario");
            let play = |removed| {
                let engine = Engine::Interleaver { search: Search::Everything };
                check_without(scenario, removed, engine, Part::whole(jobs), watch)
            };
            let (broken, mended) = (play(Some(variant)), play(None));
            let (left, right) = (of_check(&broken), of_check(&mended));
            let subject = Subject::Scenario { scenario, removed: Some(variant) };
            BugReport { bug, broken: left, mended: right, tokens: tokens(subject, broken.failing.as_ref()) }
        }
        Reproduction::LockOrder { scenario } => {
            let scenario = lock_scenarios().find(|known| known.name == scenario).expect("a bug names a scenario");
            let [broken, mended] = Form::ALL.map(|form| check_lock_order(scenario, form, None, watch));
            let (left, right) = (of_locks(&broken), of_locks(&mended));
            let subject = Subject::LockOrder { scenario, form: Form::Broken };
            BugReport { bug, broken: left, mended: right, tokens: tokens(subject, broken.failing.as_ref()) }
        }
    }
}

fn tokens(subject: Subject, failing: Option<&Failing>) -> Vec<ReplayToken> {
    failing.map_or_else(Vec::new, |failing| ReplayToken::of(subject, failing))
}

fn of_check(report: &CheckReport) -> Half {
    let found = report.verdict.failure();
    let is_decided = found.is_some() || report.verdict == Verdict::Holds;
    Half { found, executions: report.executions, is_decided, elapsed: report.elapsed }
}

fn of_locks(report: &LockReport) -> Half {
    let found = match (&report.verdict, &report.finding) {
        (platform::Verdict::Violated(words), _) => Some(words.clone()),
        (platform::Verdict::Holds | platform::Verdict::Stopped, Some(finding)) => Some(finding.to_string()),
        (platform::Verdict::Holds | platform::Verdict::Stopped, None) => None,
    };
    let is_decided = report.verdict != platform::Verdict::Stopped;
    Half { found, executions: report.executions, is_decided, elapsed: report.elapsed }
}

#[cfg(test)]
mod tests {
    use super::super::bugs;
    use super::*;

    #[test]
    fn every_bug_is_found_and_its_fix_is_clean() {
        for bug in bugs() {
            let report = check_bug(bug, 1, &Watch::default());
            assert!(report.is_found(), "{}: {:?}", bug.id, report.broken);
            assert!(report.is_clean(), "{}: {:?}", bug.id, report.mended);
        }
    }

    #[test]
    fn every_bug_is_told_once() {
        let ids: Vec<_> = bugs().map(|bug| bug.id).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        for bug in bugs() {
            assert!(bug.mechanics.len() > 100 && bug.mended_by.len() > 20, "{} is told in a sentence or more", bug.id);
            assert!(bug.fixed_by.len() >= 10 && bug.fixed_by.chars().all(|digit| digit.is_ascii_hexdigit()));
        }
    }
}
