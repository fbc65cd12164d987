//! What a check says: how far it went, and the first failure with everything needed to understand and repeat it.

use crate::failure::Failure;
use std::fmt;
use std::time::Duration;

/// Why an execution failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A thread panicked, usually by an assertion.
    Panic {
        /// Which thread.
        thread: String,
        /// What it said.
        message: String,
        /// Where.
        place: String,
    },
    /// Two accesses of plain data that nothing orders, at least one of them a write.
    DataRace {
        /// The access that came first in this execution, with thread and place.
        earlier: String,
        /// The access that found it.
        later: String,
    },
    /// Threads wait for one another, or for something that nobody will do.
    Deadlock {
        /// One line for each blocked thread; when there is a cycle, its threads in order come first.
        waits: Vec<String>,
        /// How many of the lines form a cycle.
        cycle: usize,
    },
    /// The bound on steps was reached, or only spinning threads are left.
    Livelock {
        /// The steps that repeat.
        repeating: Vec<String>,
        /// How many steps were taken.
        steps: usize,
    },
    /// Executing the same schedule again gave another operation: the code depends on something besides its schedule.
    Nondeterminism {
        /// At which step.
        step: usize,
        /// What was expected there.
        expected: String,
        /// What was met.
        met: String,
    },
    /// Objects that the checker tracks outlived the execution.
    Leak {
        /// How many.
        objects: i64,
    },
    /// The code used the checker in a way that it does not support.
    Misuse {
        /// What was wrong.
        message: String,
    },
}

impl Reason {
    pub(crate) fn panic(thread: &str, message: &str, place: &str) -> Reason {
        Reason::Panic { thread: thread.to_owned(), message: message.to_owned(), place: place.to_owned() }
    }

    /// One word for what went wrong.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Reason::Panic { .. } => "panic",
            Reason::DataRace { .. } => "data race",
            Reason::Deadlock { .. } => "deadlock",
            Reason::Livelock { .. } => "livelock",
            Reason::Nondeterminism { .. } => "nondeterminism",
            Reason::Leak { .. } => "leak",
            Reason::Misuse { .. } => "misuse",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Panic { thread, message, place } => write!(f, "{thread} panicked at {place}: {message}"),
            Reason::DataRace { earlier, later } => {
                write!(f, "data race: {later}, not ordered after {earlier}")
            }
            Reason::Deadlock { waits, cycle } => {
                let what = if *cycle > 0 { "deadlock, a cycle of" } else { "deadlock, no cycle:" };
                let count = if *cycle > 0 { *cycle } else { waits.len() };
                write!(f, "{what} {count} thread(s)")?;
                waits.iter().try_for_each(|w| write!(f, "\n  {w}"))
            }
            Reason::Livelock { repeating, steps } => {
                write!(f, "livelock: no end after {steps} steps; the part that repeats:")?;
                repeating.iter().try_for_each(|r| write!(f, "\n  {r}"))
            }
            Reason::Nondeterminism { step, expected, met } => write!(
                f,
                "the code is not a function of its schedule: at step {step}, expected {expected}, met {met}; look for \
                 clocks, random numbers, addresses, hash maps with random seeds, state kept between executions, or \
                 threads and locks that the checker does not see"
            ),
            Reason::Leak { objects } => write!(f, "{objects} tracked object(s) were never dropped"),
            Reason::Misuse { message } => f.write_str(message),
        }
    }
}

/// Why a check ended before everything was explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The first failure ends a check.
    Failure,
    /// The budget of executions is used up.
    Budget,
    /// The caller asked.
    Interrupted,
    /// The strategy samples; it never claims to be complete.
    Sampling,
}

/// What a check did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The name given to the builder.
    pub name: String,
    /// `None` when everything that the strategy promises was explored.
    pub stopped: Option<Stop>,
    /// What "everything" means for the strategy, in words.
    pub scope: String,
    /// Executions that ran to their end; for the search, Mazurkiewicz traces.
    pub executions: u64,
    /// Executions cut off because nothing new could follow. Zero for an optimal search; counted honestly.
    pub blocked: u64,
    /// Executions that failed, of those counted above.
    pub failures: u64,
    /// Executions that ended in a deadlock, of those.
    pub deadlocks: u64,
    /// Visible steps over all executions.
    pub steps: u64,
    /// Steps of the longest execution.
    pub longest: usize,
    /// Most threads in one execution.
    pub threads: usize,
    /// An estimate of all executions, from the part of the tree that was explored.
    pub estimate: f64,
    /// Time spent.
    pub elapsed: Duration,
    /// The first failure.
    pub failure: Option<Box<Failure>>,
    /// The same failure with fewest preemptions and steps found.
    pub shrunk: Option<Box<Failure>>,
    /// What is left to explore, when the search stopped before its end without a failure.
    pub frontier: Option<crate::frontier::Frontier>,
}

impl Report {
    /// Whether everything in `scope` was explored.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none()
    }

    /// Panics with the rendered report if there is a failure.
    ///
    /// # Panics
    /// If there is a failure.
    #[track_caller]
    pub fn expect_pass(&self) {
        if self.failure.is_some() {
            panic!("{self}");
        }
    }

    /// The failure, for a program that should have one.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn expect_failure(&self) -> &Failure {
        match &self.failure {
            Some(failure) => failure,
            None => panic!("expected a failure, but {self}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) };
        write!(f, "{name}{} executions of {}", self.executions, self.scope)?;
        match self.stopped {
            None => write!(f, ", complete")?,
            Some(Stop::Failure) => write!(f, ", stopped at the first failure")?,
            Some(Stop::Budget) => write!(f, ", incomplete: budget used up, estimated total {:.0}", self.estimate)?,
            Some(Stop::Interrupted) => write!(f, ", incomplete: interrupted, estimated total {:.0}", self.estimate)?,
            Some(Stop::Sampling) => write!(f, ", sampled")?,
        }
        write!(f, "; {} blocked, {} steps, longest {}", self.blocked, self.steps, self.longest)?;
        if let Some(failure) = &self.failure {
            write!(f, "\n\n{failure}")?;
        }
        if let Some(shrunk) = &self.shrunk {
            write!(f, "\n\nshrunk: {shrunk}")?;
        }
        Ok(())
    }
}
