//! Replaying one schedule, and telling it line by line.

use interleaver::{Builder, Effect, Failure, Pending, Reason, Token, TraceStep};

use super::super::probe::Event;
use super::Search;
use super::explore::configured;
use super::told::{self, Between, Plain};

/// How to come to an execution again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The choices.
    pub schedule: Token,
    /// The steps that they led to, summed up: another build that takes other steps is noticed by it.
    pub fingerprint: u32,
}

/// A failing execution, and a simpler one that fails in the same way, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// As it was found.
    pub found: Recipe,
    /// With fewer preemptions, or fewer steps.
    pub shrunk: Option<Recipe>,
}

/// A failing execution, told.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Why it failed.
    pub reason: Reason,
    /// The names of the threads, by order of spawning; the first is the one that plays the scenario.
    pub threads: Vec<String>,
    /// Whose step failed; nobody's if all wait.
    pub failing: Option<usize>,
    /// Everything that happened, in order.
    pub lines: Vec<Line>,
    /// What the threads that had not ended were about to do.
    pub pending: Vec<Pending>,
    /// Switches away from a thread that could have gone on.
    pub preemptions: u32,
    /// How to come to it again.
    pub recipe: Recipe,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Line {
    /// A step of the model: an operation on something that threads share.
    Step(TraceStep),
    /// The story goes on: a call, a return, a remark.
    Event {
        /// Whose, by number.
        thread: usize,
        /// What.
        event: Event,
    },
    /// Plain data was accessed.
    Plain {
        /// Whose, by number.
        thread: usize,
        /// What.
        access: Plain,
    },
}

impl Line {
    /// Whose it is, by number.
    pub fn thread(&self) -> usize {
        match self {
            Self::Step(step) => step.thread,
            Self::Event { thread, .. } | Self::Plain { thread, .. } => *thread,
        }
    }
}

impl Failing {
    pub(super) fn of(found: &Failure, shrunk: Option<&Failure>) -> Self {
        Self { found: recipe(found), shrunk: shrunk.map(recipe) }
    }
}

pub(super) fn recipe(failure: &Failure) -> Recipe {
    Recipe { schedule: failure.token.clone(), fingerprint: fingerprint(failure) }
}

/// FNV-1a over who did what to which object, and how it ended; neither places in the source nor values, some of which
/// are addresses of the host.
fn fingerprint(failure: &Failure) -> u32 {
    let mut sum = 0x811c_9dc5_u32;
    let mut take = |text: &str| {
        for byte in text.bytes().chain([0]) {
            sum = (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    };
    take(failure.reason.kind());
    for step in &failure.steps {
        take(&step.thread.to_string());
        take(step.verb);
        take(&step.title);
        take(match step.effect {
            Effect::Nothing => "nothing",
            Effect::Reads => "reads",
            Effect::Changes => "changes",
        });
    }
    sum
}

/// Whether two failures are one: of the same kind, and what is said of them begins with the same word. That is the
/// number of the invariant, if it is one's.
pub(super) fn is_alike(one: &Reason, other: &Reason) -> bool {
    let first = |reason: &Reason| {
        let Reason::Panic { message, .. } = reason else { return None };
        message.split_whitespace().next().map(str::to_owned)
    };
    first(one) == first(other)
}

/// Replays the schedule and tells what happens; `None` if nothing fails. `body` plays on [`super::Told`].
pub fn replay(name: &str, schedule: &Token, body: impl Fn() + Send + Sync + 'static) -> Option<Execution> {
    told::take_heard();
    let report = quiet(name).replay(schedule, body);
    let heard = told::take_heard();
    let failure = *report.failure?;
    let recipe = recipe(&failure);
    let lines = lines(&failure, &heard);
    let Failure { reason, threads, failing, pending, preemptions, .. } = failure;
    Some(Execution { reason, threads, failing, lines, pending, preemptions, recipe })
}

/// Replays the schedule, and looks for a simpler one that fails in the same way; `None` if it does not fail at all.
pub fn make_simpler(name: &str, schedule: &Token, body: impl Fn() + Send + Sync + 'static) -> Option<Failing> {
    let report = configured(name, Search::Everything).shrink(schedule, body);
    let found = report.failure.as_deref()?;
    Some(Failing::of(found, report.shrunk.as_deref()))
}

fn quiet(name: &str) -> Builder {
    let mut builder = configured(name, Search::Everything);
    builder.shrink_budget = 0;
    builder
}

/// Steps and what lies between them, in order.
fn lines(failure: &Failure, heard: &[Between]) -> Vec<Line> {
    let mut notes = failure.notes.iter().peekable();
    let mut lines = Vec::new();
    for number in 0..=failure.steps.len() {
        while let Some(note) = notes.next_if(|note| note.steps_before <= number) {
            let thread = note.thread;
            let between = note.text.parse().ok().and_then(|index: usize| heard.get(index));
            lines.push(match between.expect("only `hear` takes notes") {
                Between::Event(event) => Line::Event { thread, event: event.clone() },
                Between::Plain(access) => Line::Plain { thread, access: *access },
            });
        }
        lines.extend(failure.steps.get(number).cloned().map(Line::Step));
    }
    lines
}
