//! From what the engine tells to the value that is shown.

use std::collections::BTreeMap;

use crate::platform::interleaved::{self, Execution, Line, Reason, TraceStep};
use crate::platform::{Event, UNSET};
use crate::scenario::{FileMap, Op, UNDECLARED};

use super::matters;
use super::names::{Names, place};
use super::record::{Change, Doing, Effect, Failure, History, Phase, Removed, Step, Thread, Violation, Waiting, What};
use super::subject::Subject;
use super::token::ReplayToken;

/// The thread that plays the scenario: it sets up, starts the actors, and asks the oracle.
const MAIN: usize = 0;

impl Failure {
    pub(super) fn of(token: &ReplayToken, execution: &Execution) -> Self {
        let names = Names::of(&execution.lines);
        let mut steps =
            Steps { names: &names, functions: BTreeMap::new(), held: BTreeMap::new() }.all(&execution.lines);
        matters::mark(&mut steps, execution);
        let waiting = execution.pending.iter().filter(|pending| pending.thread != MAIN);
        let waiting = waiting.map(|pending| Waiting {
            thread: pending.thread,
            waits_for: pending.waits_for.clone(),
            what: names.in_words(&pending.what, pending.object),
            place: place(&pending.place),
        });
        Self {
            token: token.to_string(),
            scenario: token.subject.name(),
            claim: token.subject.claim(),
            removed: token.subject.removed().map(|variant| Removed {
                variant: variant.name(),
                what: variant.removes(),
                place: variant.place(),
            }),
            violation: violation(&execution.reason, execution.failing, steps.len()),
            threads: threads(token.subject, execution.threads.len()),
            entries: histories(&execution.lines, &steps, &names),
            waiting: waiting.collect(),
            preemptions: execution.preemptions,
            steps,
        }
    }
}

fn threads(subject: Subject, count: usize) -> Vec<Thread> {
    let does = |ops: &[Op]| ops.iter().map(op_words).collect();
    let main = Thread { name: "main".to_owned(), does: does(subject.setup()) };
    let actor = |name: &str, does| Thread { name: name.to_owned(), does };
    let actors: Vec<_> = match subject {
        Subject::Scenario { scenario, .. } => {
            scenario.actors.iter().map(|known| actor(known.name, does(known.ops))).collect()
        }
        Subject::LockOrder { scenario, form } => {
            let words = |does: Option<&str>| does.into_iter().map(str::to_owned).collect();
            scenario.tasks(form).map(|(name, does)| actor(name, words(does))).collect()
        }
    };
    [main].into_iter().chain(actors).take(count.max(1)).collect()
}

/// `Write { page: 0, word: 0, value: 1 }` as a reader wants it: `write page 0 word 0 value 1`.
fn op_words(op: &Op) -> String {
    let told = if let Op::MapFile(FileMap { page, pages, protection, sharing, file, pgoff }) = op {
        // How the file behaves is for who reads the scenario.
        let file = format!("{sharing:?} file {} from its page {pgoff}", file.name);
        format!("map page {page} pages {pages} {protection:?} {file}")
    } else {
        // What is done by a reference says so by its name.
        format!("{op:?}").replace("ByReference", "")
    };
    let debug = told.replace(['{', '}', ':', ',', '(', ')', '"'], " ");
    debug.split_whitespace().map(spaced).collect::<Vec<_>>().join(" ")
}

/// `StockHuge` as two words.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
        before = letter;
    }
    words
}

fn violation(reason: &Reason, thread: Option<usize>, after_step: usize) -> Violation {
    let told = || reason.to_string().replace('`', "");
    let (kind, invariant, words) = if let Reason::Panic { message, place: at, .. } = reason {
        let first = message.split([':', ' ']).next().unwrap_or_default();
        match first {
            UNDECLARED => ("undeclared outcome", None, message.replacen(UNDECLARED, "not declared", 1)),
            _ if is_number(first) => ("invariant", Some(first.to_owned()), message.clone()),
            _ => ("panic", None, format!("a panic at {}: {message}", place(at))),
        }
    } else if let Reason::DataRace { later, .. } = reason {
        (reason.kind(), upheld(later), told())
    } else {
        (reason.kind(), None, told())
    };
    Violation { kind, invariant, words, thread, after_step }
}

/// The number of the invariant that falls with plain data: cells are named after it.
fn upheld(race: &str) -> Option<String> {
    let (_, name) = race.split_once(" of `")?;
    let number: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
    is_number(&number).then_some(number)
}

/// Whether it is the number of an invariant: `D15`.
fn is_number(word: &str) -> bool {
    word.strip_prefix('D').is_some_and(|digits| digits.parse::<u32>().is_ok())
}

/// Follows each thread through its functions and locks.
struct Steps<'n> {
    names: &'n Names,
    functions: BTreeMap<usize, Vec<&'static str>>,
    held: BTreeMap<usize, Vec<String>>,
}

impl Steps<'_> {
    fn all(mut self, lines: &[Line]) -> Vec<Step> {
        let is_actors = |line: &Line| line.thread() != MAIN;
        let first = lines.iter().position(is_actors).unwrap_or(lines.len());
        let last = lines.iter().rposition(is_actors).unwrap_or_default();
        let phase = |index: usize| match index {
            _ if index < first => Phase::SetUp,
            _ if index > last => Phase::Afterwards,
            _ => Phase::Race,
        };
        lines.iter().enumerate().map(|(index, line)| self.step(index + 1, phase(index), line)).collect()
    }

    fn step(&mut self, number: usize, phase: Phase, line: &Line) -> Step {
        let thread = line.thread();
        let stack = self.functions.entry(thread).or_default();
        let mut preempts = false;
        let mut functions = stack.clone();
        let what = match line {
            Line::Event { event: Event::Enter { function, arguments }, .. } => {
                stack.push(function);
                functions.push(function);
                What::Enter { arguments: arguments.clone() }
            }
            Line::Event { event: Event::Leave { result }, .. } => {
                stack.pop();
                What::Leave { result: result.clone() }
            }
            Line::Event { event: Event::Remark(words), .. } => What::Remark { words: words.clone() },
            Line::Plain { access, .. } => What::Plain {
                upholds: access.upholds,
                written: access.written,
                place: place(&access.place.to_string()),
            },
            Line::Step(step) => {
                preempts = step.preempts;
                let held = step.held.iter().map(|held| self.names.name(&held.name, Some(held.object)));
                self.held.insert(thread, held.collect());
                What::Operation(doing(step, self.names))
            }
        };
        let held = self.held.get(&thread).cloned().unwrap_or_default();
        Step { number, thread, phase, functions, what, held, preempts, matters: false }
    }
}

fn doing(step: &TraceStep, names: &Names) -> Doing {
    Doing {
        verb: step.verb,
        object: names.name(&step.name, step.object),
        outcome: step.outcome.clone(),
        effect: match step.effect {
            interleaved::Effect::Nothing => Effect::Nothing,
            interleaved::Effect::Reads => Effect::Reads,
            interleaved::Effect::Changes => Effect::Changes,
        },
        place: place(&step.place),
    }
}

/// What became of the entries that actors changed.
fn histories(lines: &[Line], steps: &[Step], names: &Names) -> Vec<History> {
    const LEVELS: [&str; 4] = ["PTE[", "PMD[", "PUD[", "PGD["];
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    for (line, step) in lines.iter().zip(steps).filter(|(_, step)| step.thread != MAIN) {
        let Line::Step(told) = line else { continue };
        let Some((before, after)) = &told.written else { continue };
        // Who makes a table clears it: that is no change of an entry.
        if before == UNSET {
            continue;
        }
        if LEVELS.iter().any(|level| told.name.starts_with(level)) {
            let entry = names.name(&told.name, told.object);
            let new = || History { entry: entry.clone(), first: before.clone(), changes: Vec::new() };
            let history = histories.entry(entry.clone()).or_insert_with(new);
            history.changes.push(Change { step: step.number, thread: told.thread, value: after.clone() });
        }
    }
    histories.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Sharing;
    use crate::scenario::{FileSpec, map_file, write};

    #[test]
    fn operations_and_violations_are_told_in_words() {
        assert_eq!(op_words(&write(0, 1, 2)), "write page 0 word 1 value 2");
        assert_eq!(op_words(&Op::StockHugetlb { folios: 1 }), "stock hugetlb folios 1");
        let map = map_file(2, 1, Sharing::Shared, &FileSpec::DISK);
        assert_eq!(op_words(&map), "map page 2 pages 1 protection read | write shared file disk from its page 0");
        assert_eq!(upheld("read of `D14 (an entry)` by thread 1").as_deref(), Some("D14"));
        assert_eq!(upheld("read of `cell` by thread 1"), None);
        let panic = |message: &str| Reason::Panic {
            thread: "A".to_owned(),
            message: message.to_owned(),
            place: "src/mm/walk.rs:1:2".to_owned(),
        };
        let told = violation(&panic("D15: too many"), Some(1), 7);
        assert_eq!(
            (told.kind, told.invariant.as_deref(), told.words.as_str()),
            ("invariant", Some("D15"), "D15: too many")
        );
        let told = violation(&panic("Do not"), None, 0);
        assert_eq!(
            (told.kind, told.invariant, told.words.as_str()),
            ("panic", None, "a panic at mm/walk.rs:1: Do not")
        );
        let told = violation(&panic("not-declared: A wrote"), None, 0);
        assert_eq!((told.kind, told.words.as_str()), ("undeclared outcome", "not declared: A wrote"));
    }
}
