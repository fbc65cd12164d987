//! Playing a form of a lock-order scenario: once, for what lockdep sees in an execution that went well, and then under
//! every schedule, for what really happens.

use std::time::Duration;

use crate::locks::lockdep::{self, Learned, OnSleep};
use crate::platform::interleaved::{Execution, Failing, Part, Search, Token, explore_part, replay};
use crate::platform::{Arc, Exploration, Verdict, Watch};
use crate::scenario::answer::LockFinding;

use super::definition::{Form, LockScenario};

/// What was found in one form.
#[derive(Clone, Debug)]
pub struct LockReport {
    /// What lockdep found in the first execution alone.
    pub first: Option<LockFinding>,
    /// How the first execution ended.
    pub first_verdict: Verdict,
    /// What lockdep found in all of them, with the answer of the engine.
    pub finding: Option<LockFinding>,
    /// How the search ended, whatever lockdep says.
    pub verdict: Verdict,
    /// Executions of the search.
    pub executions: u64,
    /// How to come to the failing execution again.
    pub failing: Option<Failing>,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// Plays a form: one execution, and then every interleaving, but no more executions than the budget allows.
pub fn check_lock_order(scenario: &'static LockScenario, form: Form, budget: Option<u64>, watch: &Watch) -> LockReport {
    let (first, once) = explore(scenario, form, Some(1), &Watch::default());
    let (finding, whole) = explore(scenario, form, budget, watch);
    LockReport {
        first,
        first_verdict: once.verdict,
        finding,
        verdict: whole.verdict,
        executions: whole.executions,
        failing: whole.failing,
        elapsed: once.elapsed + whole.elapsed,
    }
}

fn explore(
    scenario: &'static LockScenario,
    form: Form,
    budget: Option<u64>,
    watch: &Watch,
) -> (Option<LockFinding>, Exploration) {
    let learned = Arc::new(Learned::new(OnSleep::GoesOn));
    let listened = Arc::clone(&learned);
    let part = Part { budget, ..Part::whole(1) };
    let exploration = explore_part(scenario.name, Search::Everything, part, watch, move || {
        lockdep::listen(Some(&listened));
        scenario.play(form);
    });
    lockdep::listen(None);
    (LockFinding::of(&learned.findings(), &exploration), exploration)
}

/// Plays one schedule of a form, with everything told; `None` if nothing fails.
pub fn replay_lock_order(scenario: &'static LockScenario, form: Form, schedule: &Token) -> Option<Execution> {
    let learned = Arc::new(Learned::new(OnSleep::GoesOn));
    let execution = replay(scenario.name, schedule, move || {
        lockdep::listen(Some(&learned));
        scenario.tell(form);
    });
    lockdep::listen(None);
    execution
}

#[cfg(test)]
mod tests {
    use super::super::{Reality, lock_scenarios};
    use super::*;
    use crate::locks::LockKey;
    use crate::platform::Extent;
    use crate::scenario::Answer;

    fn checked(scenario: &'static LockScenario, form: Form) -> LockReport {
        check_lock_order(scenario, form, None, &Watch::default())
    }

    #[test]
    fn every_broken_form_is_found_in_an_execution_that_went_well() {
        for scenario in lock_scenarios() {
            let report = check_lock_order(scenario, Form::Broken, Some(1), &Watch::default());
            assert!(report.first.is_some(), "{}: {report:?}", scenario.name);
            assert!(!matches!(report.first_verdict, Verdict::Violated(_)), "{}: {report:?}", scenario.name);
        }
    }

    #[test]
    fn the_interleaver_knows_which_of_them_deadlock() {
        for scenario in lock_scenarios() {
            let report = checked(scenario, Form::Broken);
            let finding = report.finding.unwrap_or_else(|| panic!("{} is broken", scenario.name));
            let (_, answer) = finding.circle.unwrap_or_else(|| panic!("{} has a circle", scenario.name));
            match scenario.reality {
                Reality::Deadlocks => {
                    assert_eq!(answer, Answer::Deadlocks { execution: report.executions }, "{}", scenario.name);
                    assert!(report.failing.is_some());
                }
                Reality::GuardedBy(class) => {
                    let guard = Some(LockKey::of(class));
                    assert_eq!(answer, Answer::CannotHappen { extent: Extent::Everything, guard });
                }
            }
        }
    }

    #[test]
    fn every_fixed_form_is_clean_in_every_interleaving() {
        for scenario in lock_scenarios() {
            let report = checked(scenario, Form::Fixed);
            assert!(report.finding.is_none(), "{}: {}", scenario.name, report.finding.expect("it is some"));
            assert_eq!(report.verdict, Verdict::Holds, "{}", scenario.name);
            assert!(report.executions > 1, "{} has only one interleaving", scenario.name);
        }
    }

    #[test]
    fn a_budget_that_is_too_small_leaves_it_undecided() {
        let guarded = lock_scenarios().find(|scenario| scenario.reality != Reality::Deadlocks).expect("there is one");
        let report = check_lock_order(guarded, Form::Broken, Some(1), &Watch::default());
        let (_, answer) = report.finding.expect("it is found").circle.expect("it is a circle");
        assert_eq!(answer, Answer::NotDecided);
    }
}
