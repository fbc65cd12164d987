//! Which steps bear on the race: what a reader sees unless they ask for everything.
//!
//! A step matters if it is
//! 1. an operation on a lock or a word that at least two actors use, and one of them changes, or that somebody waits
//!    for at the end;
//! 2. one of two accesses of plain data that race;
//! 3. a step that preempts, or a remark that says that something is removed here;
//! 4. the call of a function with such a step in it, its remarks if the step is its own, and its return, unless that
//!    only hands on what another function returned.

use crate::platform::interleaved::{Execution, Line, Reason};

use super::names::shared;
use super::record::{Phase, Step, What};

/// Marks the steps that matter.
pub(super) fn mark(steps: &mut [Step], execution: &Execution) {
    let race = || execution.lines.iter().zip(0..).filter(|(line, _)| line.thread() != 0);
    let mut shared = shared(race().map(|(line, _)| line));
    let awaited = execution.pending.iter().filter(|pending| pending.thread != 0 && !pending.waits_for.is_empty());
    shared.extend(awaited.filter_map(|pending| pending.object));
    for (line, index) in race() {
        let object = if let Line::Step(step) = line { step.object } else { None };
        steps[index].matters = object.is_some_and(|object| shared.contains(&object)) || steps[index].preempts;
    }
    racing(execution).into_iter().for_each(|index| steps[index].matters = true);
    for thread in 1..execution.threads.len() {
        mark_functions(steps, thread);
    }
}

/// The two accesses of a data race: the last one of the thread that found it, and the last one of another thread to the
/// same word, at the place that is named.
fn racing(execution: &Execution) -> Vec<usize> {
    let Reason::DataRace { earlier, .. } = &execution.reason else { return Vec::new() };
    let plain = |index: &usize| match &execution.lines[*index] {
        Line::Plain { thread, access } => Some((*thread, *access)),
        Line::Step(_) | Line::Event { .. } => None,
    };
    let all: Vec<usize> = (0..execution.lines.len()).filter(|index| plain(index).is_some()).collect();
    let found = all.iter().copied().rfind(|index| plain(index).map(|it| it.0) == execution.failing);
    let word = found.and_then(|index| plain(&index)).map(|(_, access)| access.word);
    let other = all.iter().copied().rfind(|index| {
        plain(index).is_some_and(|(thread, access)| {
            let is_it = Some(access.word) == word && earlier.contains(&access.place.to_string());
            is_it && Some(thread) != execution.failing
        })
    });
    other.into_iter().chain(found).collect()
}

/// The functions of one thread that have a step that matters, and the remarks in them.
fn mark_functions(steps: &mut [Step], thread: usize) {
    let mine: Vec<usize> =
        (0..steps.len()).filter(|index| steps[*index].thread == thread && steps[*index].phase == Phase::Race).collect();
    let mut open: Vec<Open> = Vec::new();
    // What the last function returned, as long as its callers only hand it on.
    let mut handed_on = String::new();
    for index in mine {
        match &steps[index].what {
            What::Enter { .. } => {
                open.push(Open { enter: index, matters: false, matters_itself: false, remarks: Vec::new() });
            }
            What::Leave { result } => {
                let is_news = !result.is_empty() && *result != handed_on;
                if let Some(function) = open.pop() {
                    if function.matters {
                        handed_on.clone_from(result);
                    }
                    steps[function.enter].matters = function.matters;
                    steps[index].matters = function.matters && is_news;
                    function.remarks.iter().for_each(|remark| steps[*remark].matters = function.matters_itself);
                    if let Some(outer) = open.last_mut() {
                        outer.matters |= function.matters;
                    }
                }
            }
            What::Remark { words } if repeats_a_step(words) => {}
            What::Remark { words } => {
                let told = tells_of_removal(words);
                match open.last_mut() {
                    Some(function) => {
                        function.remarks.push(index);
                        function.matters |= told;
                        function.matters_itself |= told;
                    }
                    None => steps[index].matters = true,
                }
            }
            What::Operation(_) | What::Plain { .. } => {
                if steps[index].matters {
                    handed_on.clear();
                    if let Some(function) = open.last_mut() {
                        function.matters = true;
                        function.matters_itself = true;
                    }
                }
            }
        }
    }
    // What was still open when the execution ended led to its end.
    for function in open {
        steps[function.enter].matters = true;
        function.remarks.iter().for_each(|remark| steps[*remark].matters = true);
    }
}

/// A function that was entered.
struct Open {
    enter: usize,
    /// Whether a step in it matters, or in a function that it called.
    matters: bool,
    /// Whether a step of its own does.
    matters_itself: bool,
    remarks: Vec<usize>,
}

/// Whether a remark says what the step before it says better: a lock, or a new value of an entry.
fn repeats_a_step(words: &str) -> bool {
    const LOCKS: [&str; 7] = ["lock", "unlock", "read-lock", "read-unlock", "write-lock", "write-unlock", "downgrade"];
    LOCKS.contains(&words.split(' ').next().unwrap_or_default()) || words.contains("] = 0x")
}

/// Whether a remark says where the defect is felt that was put into the kernel.
pub(super) fn tells_of_removal(words: &str) -> bool {
    words.contains(" is removed: ")
}
