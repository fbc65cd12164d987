//! What a token is of: which world, and which kernel in it.

use crate::platform::Variant;
use crate::platform::interleaved::{Execution, Token};
use crate::scenario::{self, Form, LockScenario, Op, Scenario, library, lock_scenarios, replay_lock_order};

/// What a token is of.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// A scenario.
    Scenario {
        /// Which.
        scenario: &'static Scenario,
        /// What is removed from the kernel.
        removed: Option<Variant>,
    },
    /// An order of locks that went wrong.
    LockOrder {
        /// Which.
        scenario: &'static LockScenario,
        /// Which of its kernels.
        form: Form,
    },
}

/// Why there is no such subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSubject {
    Scenario,
    Variant,
    Form,
}

impl Subject {
    /// What two names stand for: that of a scenario or of a lock-order scenario, and that of a variant or of a form.
    pub(super) fn find(name: &str, kernel: &str) -> Result<Self, NoSubject> {
        if let Some(scenario) = library().find(|known| known.name == name) {
            let removed = match kernel {
                "" => None,
                name => Some(Variant::find(name).ok_or(NoSubject::Variant)?),
            };
            return Ok(Self::Scenario { scenario, removed });
        }
        let scenario = lock_scenarios().find(|known| known.name == name).ok_or(NoSubject::Scenario)?;
        let form = Form::ALL.into_iter().find(|form| form.name() == kernel).ok_or(NoSubject::Form)?;
        Ok(Self::LockOrder { scenario, form })
    }

    /// The scenario's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scenario { scenario, .. } => scenario.name,
            Self::LockOrder { scenario, .. } => scenario.name,
        }
    }

    /// Which kernel, in a word; empty for the whole one.
    pub(super) fn kernel(self) -> &'static str {
        match self {
            Self::Scenario { removed, .. } => removed.map_or("", Variant::name),
            Self::LockOrder { form, .. } => form.name(),
        }
    }

    /// What is said of it.
    pub(super) fn claim(self) -> &'static str {
        match self {
            Self::Scenario { scenario, .. } => scenario.claim,
            Self::LockOrder { scenario, form } => scenario.claim(form),
        }
    }

    /// What is removed from the kernel, if it has a name of its own.
    pub(super) fn removed(self) -> Option<Variant> {
        match self {
            Self::Scenario { removed, .. } => removed,
            Self::LockOrder { .. } => None,
        }
    }

    /// What is done before the actors begin.
    pub(super) fn setup(self) -> &'static [Op] {
        match self {
            Self::Scenario { scenario, .. } => scenario.setup,
            Self::LockOrder { scenario, .. } => scenario.setup(),
        }
    }

    /// Plays one schedule, with everything told; `None` if nothing fails.
    pub(super) fn replay(self, schedule: &Token) -> Option<Execution> {
        match self {
            Self::Scenario { scenario, removed } => scenario::replay(scenario, removed, schedule),
            Self::LockOrder { scenario, form } => replay_lock_order(scenario, form, schedule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_are_of_one_subject_at_most() {
        for scenario in lock_scenarios() {
            assert!(library().all(|other| other.name != scenario.name), "{} is two scenarios", scenario.name);
            let forms = Form::ALL.map(|form| Subject::find(scenario.name, form.name()).map(Subject::kernel));
            assert_eq!(forms, [Ok("broken"), Ok("fixed")]);
        }
        assert_eq!(Subject::find("same-pte", "M14").map(Subject::removed), Ok(Some(Variant::M14)));
        assert_eq!(Subject::find("same-pte", "broken").map(Subject::name), Err(NoSubject::Variant));
        assert_eq!(Subject::find("two-ptls", "").map(Subject::name), Err(NoSubject::Form));
        assert_eq!(Subject::find("no-such", "").map(Subject::name), Err(NoSubject::Scenario));
    }
}
