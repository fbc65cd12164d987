//! What an exploration says of locks that can be taken in a circle: lockdep finds the circle in executions that went
//! well, and the engine knows whether one of all the others does not.

use std::fmt;

use crate::locks::lockdep::Findings;
use crate::locks::{Circle, LockKey};
use crate::platform::{Exploration, Extent, Verdict};

/// Whether a circle of locks really deadlocks, in the world in which it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An interleaving deadlocks.
    Deadlocks {
        /// Its number.
        execution: u64,
    },
    /// Every interleaving within the extent was run, and none deadlocks.
    CannotHappen {
        /// The extent.
        extent: Extent,
        /// The lock that keeps those who could make the circle apart, if all of them hold one.
        guard: Option<LockKey>,
    },
    /// The search ended before it could tell.
    NotDecided,
}

impl Answer {
    fn of(exploration: &Exploration, circle: &Circle) -> Self {
        match (&exploration.verdict, exploration.extent) {
            (Verdict::Violated(words), _) if words.starts_with("deadlock") => {
                Self::Deadlocks { execution: exploration.executions }
            }
            (Verdict::Holds, Extent::Everything | Extent::Preemptions(_)) => {
                Self::CannotHappen { extent: exploration.extent, guard: circle.guard() }
            }
            (Verdict::Violated(_) | Verdict::Stopped, _) | (Verdict::Holds, Extent::Sample) => Self::NotDecided,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlocks { execution } => write!(formatter, "deadlock, here it is: execution {execution}"),
            Self::CannotHappen { extent, guard } => {
                if let Some(guard) = guard {
                    write!(formatter, "guarded by {guard}, ")?;
                }
                write!(formatter, "cannot happen within these bounds: ")?;
                match extent {
                    Extent::Everything => write!(formatter, "every interleaving of this world"),
                    Extent::Preemptions(most) => write!(formatter, "at most {most} preemptions in this world"),
                    Extent::Sample => write!(formatter, "a sample"),
                }
            }
            Self::NotDecided => write!(formatter, "not decided within the budget"),
        }
    }
}

/// What is wrong with the order of the locks, and what the engine says of it.
#[derive(Clone, Debug)]
pub struct LockFinding {
    /// Locks that can be taken in a circle, with the answer.
    pub circle: Option<(Circle, Answer)>,
    /// Who may sleep where one must not, each with its places.
    pub sleeps: Vec<String>,
}

impl LockFinding {
    /// What was found in the executions of an exploration; nothing if all is in order.
    pub(super) fn of(findings: &Findings, exploration: &Exploration) -> Option<Self> {
        let circle = findings.circle().map(|circle| {
            let answer = Answer::of(exploration, &circle);
            (circle, answer)
        });
        let sleeps: Vec<_> = findings.sleeps.iter().map(ToString::to_string).collect();
        (circle.is_some() || !sleeps.is_empty()).then_some(Self { circle, sleeps })
    }

    /// What is wrong, without the answer.
    pub fn what(&self) -> Vec<String> {
        self.circle.iter().map(|(circle, _)| circle.to_string()).chain(self.sleeps.iter().cloned()).collect()
    }
}

impl fmt::Display for LockFinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let circle = self.circle.as_ref().map(|(circle, answer)| format!("{circle}\n\ndoes it deadlock? {answer}"));
        let parts: Vec<_> = circle.iter().chain(&self.sleeps).map(String::as_str).collect();
        formatter.write_str(&parts.join("\n\n"))
    }
}
