//! A failing execution as a value; `--format json` prints it as it is.

use serde::Serialize;

/// A failing execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Leads to it again.
    pub token: String,
    /// The scenario that was played.
    pub scenario: &'static str,
    /// What the scenario claims.
    pub claim: &'static str,
    /// What was removed from the kernel.
    pub removed: Option<Removed>,
    /// What is wrong.
    pub violation: Violation,
    /// Who took part: first who plays the scenario, then its actors.
    pub threads: Vec<Thread>,
    /// Everything that happened, in order.
    pub steps: Vec<Step>,
    /// What the threads that had not ended were about to do, or wait for.
    pub waiting: Vec<Waiting>,
    /// What became of each entry of a page table that the actors changed.
    pub entries: Vec<History>,
    /// How often a thread was stopped that could have gone on.
    pub preemptions: u32,
}

/// A defect that was put into the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The variant's name.
    pub variant: &'static str,
    /// What it removes.
    pub what: &'static str,
    /// From where.
    pub place: &'static str,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// In a word or two: `invariant`, `data race`, `deadlock`, `livelock`, `undeclared outcome`, `panic`.
    pub kind: &'static str,
    /// The number of the invariant, if it is one's.
    pub invariant: Option<String>,
    /// In full.
    pub words: String,
    /// Whose step it was, by number; nobody's if all wait.
    pub thread: Option<usize>,
    /// The number of the last step before it; zero if it comes before all.
    pub after_step: usize,
}

/// Who took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thread {
    /// Its name.
    pub name: String,
    /// What it does, in order.
    pub does: Vec<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Counted from 1.
    pub number: usize,
    /// Whose, by number.
    pub thread: usize,
    /// When.
    pub phase: Phase,
    /// The functions of the kernel that it is in, the innermost last; a function that is entered or left is among them.
    pub functions: Vec<&'static str>,
    /// What happened.
    pub what: What,
    /// Locks that the thread holds after it.
    pub held: Vec<String>,
    /// Whether the thread that went before could have gone on.
    pub preempts: bool,
    /// Whether it bears on what others do: a lock or a word that several actors use, or the way to one.
    pub matters: bool,
}

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the actors began.
    SetUp,
    /// Among the actors.
    Race,
    /// After the actors, while the oracle looks.
    Afterwards,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A function was entered.
    Enter {
        /// With what.
        arguments: String,
    },
    /// The innermost function returned.
    Leave {
        /// What it returned; empty if nothing.
        result: String,
    },
    /// Something worth knowing.
    Remark {
        /// What.
        words: String,
    },
    /// An operation on something that threads share.
    Operation(Doing),
    /// An access of plain data, which something else must order.
    Plain {
        /// The invariant that falls if it races.
        upholds: &'static str,
        /// What was written; nothing if it was read.
        written: Option<u64>,
        /// Where in the source.
        place: String,
    },
}

/// An operation on something that threads share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doing {
    /// What was done.
    pub verb: &'static str,
    /// To what.
    pub object: String,
    /// What was read or written, or whether it succeeded.
    pub outcome: String,
    /// What it did to the object.
    pub effect: Effect,
    /// Where in the source.
    pub place: String,
}

/// What an operation did to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// There is none.
    Nothing,
    /// It only looked.
    Reads,
    /// It changed it, or who holds it.
    Changes,
}

/// What a thread was about to do at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Whose, by number.
    pub thread: usize,
    /// Whom it waits for, by number, if it cannot go on.
    pub waits_for: Vec<usize>,
    /// What.
    pub what: String,
    /// Where in the source.
    pub place: String,
}

/// What became of an entry of a page table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// The entry.
    pub entry: String,
    /// What it held before the first change.
    pub first: String,
    /// Each change, in order.
    pub changes: Vec<Change>,
}

/// A change of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// At which step.
    pub step: usize,
    /// By whom, by number.
    pub thread: usize,
    /// To what.
    pub value: String,
}

impl Failure {
    /// The actors: their numbers, and who they are.
    pub fn actors(&self) -> impl Iterator<Item = (usize, &Thread)> {
        self.threads.iter().enumerate().skip(1)
    }

    /// The steps of a phase.
    pub fn steps_of(&self, phase: Phase) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.phase == phase)
    }
}

impl What {
    /// The operation, if it is one.
    pub fn operation(&self) -> Option<&Doing> {
        match self {
            Self::Operation(doing) => Some(doing),
            Self::Enter { .. } | Self::Leave { .. } | Self::Remark { .. } | Self::Plain { .. } => None,
        }
    }
}
