//! A failing execution: its steps, what the code noted meanwhile, and what each thread was about to do at the end.

use crate::report::Reason;
use crate::token::Token;
use std::fmt;

/// What a step did to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It touched none.
    Nothing,
    /// It only looked.
    Reads,
    /// It changed it, or who holds it.
    Changes,
}

/// One step of a failing execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// Index into `Failure::threads`.
    pub thread: usize,
    /// What was done, to what, and what came of it.
    pub what: String,
    /// What was done, in a word or two.
    pub verb: &'static str,
    /// Which object was touched, by number.
    pub object: Option<usize>,
    /// What the object is by itself: its label, or its kind and number.
    pub title: String,
    /// What the code calls it ([`crate::sync::atomic::AtomicU64::describe`]), or its title.
    pub name: String,
    /// What was read or written, or whether it succeeded.
    pub outcome: String,
    /// What it did to the object.
    pub effect: Effect,
    /// Whether the thread that took the step before could have gone on.
    pub preempts: bool,
    /// Where in the source.
    pub place: String,
    /// Of a value that was written: the one before it and itself, in words.
    pub written: Option<(String, String)>,
    /// Locks that the thread holds after it.
    pub held: Vec<Held>,
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which object, by number.
    pub object: usize,
    /// What it is called.
    pub name: String,
}

/// A line that the code noted with [`crate::note`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How many steps had been taken.
    pub steps_before: usize,
    /// Who noted it: index into `Failure::threads`.
    pub thread: usize,
    /// What.
    pub text: String,
}

/// What a thread had not done yet when the execution failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Index into `Failure::threads`.
    pub thread: usize,
    /// What it was about to do, or waits to do.
    pub what: String,
    /// Which object that concerns, by number.
    pub object: Option<usize>,
    /// Whom it waits for, if it cannot go on: who holds the lock, who is queued for it before, or who is to end.
    /// Indices into `Failure::threads`.
    pub waits_for: Vec<usize>,
    /// Where in the source.
    pub place: String,
}

/// A failing execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// Names of the threads, by order of spawning.
    pub threads: Vec<String>,
    /// Whose step it was that failed; nobody's if all wait.
    pub failing: Option<usize>,
    /// What was done, in order.
    pub steps: Vec<TraceStep>,
    /// What was noted, in order; only replays keep it.
    pub notes: Vec<Note>,
    /// What the threads that had not ended were about to do.
    pub pending: Vec<Pending>,
    /// Switches away from a thread that could have gone on.
    pub preemptions: u32,
    /// Repeats this execution.
    pub token: Token,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reason)?;
        writeln!(f, "{} steps, {} preemption(s)", self.steps.len(), self.preemptions)?;
        self.write_columns(f)?;
        write!(f, "replay token: {}", self.token)
    }
}

impl Failure {
    const WIDTH: usize = 36;

    /// A column for each thread, a row for each step; the place and the locks held stand at the end of the row.
    fn write_columns(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  step ")?;
        for name in &self.threads {
            write!(f, "| {name:<w$} ", w = Failure::WIDTH)?;
        }
        writeln!(f, "| place; locks held")?;
        let mut notes = self.notes.iter().peekable();
        for number in 0..=self.steps.len() {
            while let Some(note) = notes.next_if(|note| note.steps_before <= number) {
                write!(f, "       ")?;
                self.write_cell(f, note.thread, &format!(". {}", note.text))?;
                writeln!(f, "|")?;
            }
            let Some(step) = self.steps.get(number) else { continue };
            write!(f, "  {number:>4} ")?;
            self.write_cell(f, step.thread, &step.what)?;
            let held: Vec<_> = step.held.iter().map(|held| held.name.as_str()).collect();
            let held = if held.is_empty() { String::new() } else { format!("; {}", held.join(", ")) };
            writeln!(f, "| {}{held}", step.place)?;
        }
        writeln!(f)
    }

    fn write_cell(&self, f: &mut fmt::Formatter<'_>, thread: usize, text: &str) -> fmt::Result {
        for column in 0..self.threads.len() {
            let cell = if column == thread { text } else { "" };
            write!(f, "| {cell:<w$} ", w = Failure::WIDTH)?;
        }
        Ok(())
    }
}
