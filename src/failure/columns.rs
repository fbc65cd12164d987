//! A failure as text: a column for each actor, a row for each step, never wider than [`WIDTH`].
//!
//! Who plays the scenario has no column: what it does before the actors begin and after they are done is a line, or, if
//! everything is asked for, rows of full width.

use std::fmt;

use anstyle::{AnsiColor, Style};

use super::matters::tells_of_removal;
use super::record::{Change, Doing, Effect, Failure, Phase, Step, What};
use super::wrap::{length, wrap};

/// Characters of a line, at most; only a token may be longer, because a broken one cannot be pasted.
pub const WIDTH: usize = 100;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What bears on the race.
    WhatMatters,
    /// Every step, with arguments, plain accesses, the set-up and the oracle.
    Everything,
}

/// A failure as text, in parts that can be shown one after the other.
#[derive(Clone, Debug)]
pub struct Page {
    /// What is wrong, and in which world.
    pub head: String,
    /// What happened; each row is a line or several.
    pub rows: Vec<String>,
    /// The moment of the violation, and what led to it.
    pub end: String,
}

impl fmt::Display for Page {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.head)?;
        self.rows.iter().try_for_each(|row| write!(formatter, "{row}"))?;
        write!(formatter, "{}", self.end)
    }
}

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WRONG: Style = AnsiColor::Red.on_default().bold();
const MARK: Style = AnsiColor::Yellow.on_default();

/// Characters of the step's number.
const NUMBER: usize = 5;
const BAR: &str = " | ";

/// Shows a failure.
pub fn page(failure: &Failure, detail: Detail) -> Page {
    Columns::of(failure, detail).page()
}

struct Columns<'f> {
    failure: &'f Failure,
    detail: Detail,
    count: usize,
    width: usize,
    /// What each thread is known to hold, by who has read so far.
    held: Vec<Vec<String>>,
}

/// A part of a row: lines of one style, and a place in the source at the end of the last one.
struct Cell {
    style: Style,
    text: String,
    indent: usize,
    place: Option<String>,
}

impl<'f> Columns<'f> {
    fn of(failure: &'f Failure, detail: Detail) -> Self {
        let count = failure.actors().count().max(1);
        let width = (WIDTH - NUMBER - BAR.len() * count) / count;
        Self { failure, detail, count, width, held: vec![Vec::new(); failure.threads.len()] }
    }

    fn page(mut self) -> Page {
        let mut rows = vec![self.aside(Phase::SetUp), self.names()];
        let mut before: Option<&Step> = None;
        for step in self.failure.steps_of(Phase::Race) {
            if step.preempts
                && let Some(stopped) = before
            {
                let who = &self.failure.threads[step.thread].name;
                let text = format!("~~ preempted by {who} ~~");
                rows.push(self.row("", stopped.thread, &[Cell { style: MARK, text, indent: 0, place: None }]));
            }
            before = Some(step);
            rows.extend(self.step(step));
        }
        rows.push(self.aside(Phase::Afterwards));
        rows.retain(|row| !row.is_empty());
        if self.detail == Detail::WhatMatters {
            leave_out_the_middle(&mut rows);
        }
        Page { head: self.head(), rows, end: self.end() }
    }

    /// What is wrong, and in which world.
    fn head(&self) -> String {
        let failure = self.failure;
        let mut text = full(WRONG, &failure.violation.words, 0);
        text += &full(PLAIN, &format!("{}: {}", failure.scenario, failure.claim), 2);
        if let Some(removed) = &failure.removed {
            let words = format!("removed by {}: {} ({})", removed.variant, removed.what, removed.place);
            text += &full(PLAIN, &words, 2);
        }
        let (steps, preemptions) = (failure.steps.len(), failure.preemptions);
        let times = if preemptions == 1 { "once".to_owned() } else { format!("{preemptions} times") };
        let preempted = if preemptions == 0 { "nobody is preempted".to_owned() } else { format!("preempted {times}") };
        text + &full(DIM, &format!("{steps} steps; {preempted}"), 2) + "\n"
    }

    /// The heads of the columns, and what each actor does.
    fn names(&self) -> String {
        let cells: Vec<Vec<String>> = self
            .failure
            .actors()
            .map(|(_, thread)| {
                let does = thread.does.iter().flat_map(|does| wrap(does, self.width, 2));
                [thread.name.clone()].into_iter().chain(does).collect()
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        let mut text = String::new();
        for line in 0..height {
            let number = if line == 0 { "step" } else { "" };
            text += &format!("{number:>NUMBER$}");
            for cell in &cells {
                let words = cell.get(line).map_or("", String::as_str);
                let blanks = self.width - length(words);
                let words = if words.is_empty() { String::new() } else { format!("{BOLD}{words}{BOLD:#}") };
                text += &format!("{BAR}{words}{:blanks$}", "");
            }
            text = text.trim_end().to_owned() + "\n";
        }
        let rule: String = (0..self.count).map(|_| format!("-+-{}", "-".repeat(self.width))).collect();
        text + &format!("{DIM}{}{rule}{DIM:#}\n", "-".repeat(NUMBER))
    }

    /// What goes before the actors, and after them.
    fn aside(&self, phase: Phase) -> String {
        let steps: Vec<&Step> = self.failure.steps_of(phase).collect();
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return String::new() };
        let words = match phase {
            Phase::SetUp if self.failure.threads[0].does.is_empty() => "the world is set up".to_owned(),
            Phase::SetUp => format!("set-up: {}", self.failure.threads[0].does.join("; ")),
            Phase::Race => return String::new(),
            Phase::Afterwards => "the actors are done, and the oracle looks".to_owned(),
        };
        let mut text = full(DIM, &format!("{}-{} {words}", first.number, last.number), 2);
        if self.detail == Detail::Everything {
            text += &steps.iter().map(|step| self.full_row(step)).collect::<String>();
        }
        text
    }

    /// A row of full width, for a step of who has no column.
    fn full_row(&self, step: &Step) -> String {
        let Cell { style, text, indent, place } = self.cell(step);
        let place = place.map_or_else(String::new, |place| format!("  {place}"));
        let lines = wrap(&format!("{}{text}{place}", " ".repeat(indent)), WIDTH - NUMBER - 2, indent + 4);
        let mut number = step.number.to_string();
        let mut row = String::new();
        for line in lines {
            row += &format!("{:>NUMBER$}  {style}{line}{style:#}\n", std::mem::take(&mut number));
        }
        row
    }

    /// The row of a step; none if it does not matter to who reads.
    fn step(&mut self, step: &Step) -> Option<String> {
        if self.detail == Detail::WhatMatters && !step.matters {
            return None;
        }
        if step.thread == 0 {
            return Some(self.full_row(step));
        }
        let mut cells = vec![self.cell(step)];
        if self.held[step.thread] != step.held {
            self.held[step.thread].clone_from(&step.held);
            let text = if step.held.is_empty() {
                "holds nothing".to_owned()
            } else {
                format!("holds {}", step.held.join(", "))
            };
            cells.push(Cell { style: DIM, text, indent: cells[0].indent, place: None });
        }
        Some(self.row(&step.number.to_string(), step.thread, &cells))
    }

    fn cell(&self, step: &Step) -> Cell {
        let is_call = matches!(step.what, What::Enter { .. } | What::Leave { .. });
        let depth = step.functions.len().saturating_sub(usize::from(is_call));
        let indent = depth.min(self.width / 6);
        let function = step.functions.last().copied().unwrap_or_default();
        let cell = |style, text| Cell { style, text, indent, place: None };
        match &step.what {
            // What the actor does is worth its arguments; how the kernel goes about it is long enough by itself.
            What::Enter { .. } if self.detail == Detail::WhatMatters && depth > 0 => cell(BOLD, function.to_owned()),
            What::Enter { arguments } => cell(BOLD, format!("{function}({arguments})")),
            What::Leave { result } if result.is_empty() => cell(DIM, format!("{function} returns")),
            What::Leave { result } => cell(DIM, format!("{function} = {result}")),
            What::Remark { words } => cell(if tells_of_removal(words) { MARK } else { DIM }, format!("- {words}")),
            What::Operation(doing) => Cell {
                style: if doing.effect == Effect::Changes { BOLD } else { PLAIN },
                text: words(doing),
                indent,
                place: Some(doing.place.clone()),
            },
            What::Plain { upholds, written, place } => {
                let how = written.map_or_else(|| "read".to_owned(), |value| format!("write {value:#x} to"));
                Cell { style: DIM, text: format!("{how} what upholds {upholds}"), indent, place: Some(place.clone()) }
            }
        }
    }

    /// Cells below one another in the column of a thread.
    fn row(&self, number: &str, thread: usize, cells: &[Cell]) -> String {
        let column = thread.saturating_sub(1);
        let mut number = number.to_owned();
        let mut row = String::new();
        for (style, text, place) in cells.iter().flat_map(|cell| cell.lines(self.width)) {
            row += &format!("{:>NUMBER$}", std::mem::take(&mut number));
            for _ in 0..column {
                row += &format!("{BAR}{:1$}", "", self.width);
            }
            let mut blanks = self.width - length(&text) - length(&place);
            row += &format!("{BAR}{style}{text}{style:#}");
            if !place.is_empty() {
                row += &format!("{:1$}{DIM}{place}{DIM:#}", "", std::mem::take(&mut blanks));
            }
            for _ in column + 1..self.count {
                row += &format!("{:1$}{BAR}", "", std::mem::replace(&mut blanks, self.width));
            }
            row = row.trim_end().to_owned() + "\n";
        }
        row
    }

    /// The moment of the violation, what the others were about to do, and what became of the entries.
    fn end(&self) -> String {
        let failure = self.failure;
        let name = |thread: usize| failure.threads.get(thread).map_or("?", |thread| thread.name.as_str());
        let who = match failure.violation.thread {
            Some(0) => "here, when all actors are done".to_owned(),
            Some(thread) => format!("here, in {}", name(thread)),
            None => "here".to_owned(),
        };
        let first = failure.violation.words.lines().next().unwrap_or_default();
        let mut text = full(WRONG, &format!(">>>>> {who}: {first}"), 0) + "\n";
        for waiting in &failure.waiting {
            let is_itself = |thread: usize| thread == waiting.thread;
            let whom = |thread: &usize| if is_itself(*thread) { "itself" } else { name(*thread) };
            let others: Vec<&str> = waiting.waits_for.iter().map(whom).collect();
            let who = match others.as_slice() {
                [] => format!("next step of {}", name(waiting.thread)),
                others => format!("{} waits for {}", name(waiting.thread), others.join(" and ")),
            };
            let words = format!("{who}: {} ({})", waiting.what, waiting.place);
            text += &full(PLAIN, &words, 2);
        }
        for history in &failure.entries {
            let change = |change: &Change| format!("{} ({}, step {})", change.value, name(change.thread), change.step);
            let values = [history.first.clone()].into_iter().chain(history.changes.iter().map(change));
            let values = values.collect::<Vec<_>>().join(" -> ");
            text += &full(PLAIN, &format!("{}: {values}", history.entry), 2);
        }
        let again = format!("\n  again, exactly: pagerace replay {}\n", failure.token);
        if again.len() <= WIDTH { text + &again } else { text + &again.replacen(": ", ":\n  ", 1) }
    }
}

impl Cell {
    /// Lines of a column; the place stands at the end of the last one, or below it.
    fn lines(&self, width: usize) -> Vec<(Style, String, String)> {
        let margin = " ".repeat(self.indent);
        let lines = wrap(&self.text, width - self.indent, 2);
        let mut lines: Vec<_> =
            lines.into_iter().map(|line| (self.style, format!("{margin}{line}"), String::new())).collect();
        if let (Some(place), Some((_, text, at))) = (&self.place, lines.last_mut()) {
            if length(text) + 1 + length(place) <= width {
                at.clone_from(place);
            } else {
                let short: String = place.chars().skip(length(place).saturating_sub(width)).collect();
                lines.push((self.style, String::new(), short));
            }
        }
        lines
    }
}

fn words(doing: &Doing) -> String {
    let words = [doing.verb, &doing.object, &doing.outcome];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Who runs without end fills pages with the same.
fn leave_out_the_middle(rows: &mut Vec<String>) {
    const MOST: usize = 400;
    const BEGINNING: usize = 250;
    if rows.len() > MOST {
        let left_out = rows.len() - MOST;
        let words = format!("... {left_out} rows are left out here; -v shows them ...");
        rows.splice(BEGINNING..BEGINNING + left_out, [full(DIM, &words, NUMBER)]);
    }
}

/// A paragraph of full width.
fn full(style: Style, text: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    wrap(text, WIDTH - indent, 4).iter().map(|line| format!("{margin}{style}{line}{style:#}\n")).collect()
}
