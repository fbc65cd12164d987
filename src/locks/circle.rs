//! Locks that can be taken in a circle, told in the shape that lockdep has taught people to read.

use std::fmt;

use super::class::{LockKey, LockKind};
use super::graph::Edge;
use super::held::Mode;
use super::order::Rule;

/// One step of a circle: the second lock was wanted while the first one was held.
#[derive(Clone, Debug)]
pub enum Link {
    /// An execution did it.
    Shown(Edge),
    /// The documented order says that somebody may.
    Documented(&'static Rule),
}

impl Link {
    /// What is held.
    pub fn from(&self) -> LockKey {
        match self {
            Self::Shown(edge) => edge.from,
            Self::Documented(rule) => rule.outer,
        }
    }

    /// What is wanted.
    pub fn to(&self) -> LockKey {
        match self {
            Self::Shown(edge) => edge.to,
            Self::Documented(rule) => rule.inner,
        }
    }

    fn take_from(&self) -> String {
        call(self.from(), if let Self::Shown(edge) = self { edge.from_mode } else { Mode::Write })
    }

    fn take_to(&self) -> String {
        call(self.to(), if let Self::Shown(edge) = self { edge.to_mode } else { Mode::Write })
    }
}

/// Locks that can be taken in a circle (D53): each step's second lock is the next one's first.
///
/// Readers count as writers do: a semaphore is fair, so a reader waits behind a writer that waits for another reader.
#[derive(Clone, Debug)]
pub struct Circle {
    /// The steps.
    pub links: Vec<Link>,
}

impl Circle {
    pub(super) fn new(links: Vec<Link>) -> Self {
        Self { links }
    }

    /// Whether it is a circle of one step: a class inside of itself.
    pub fn is_recursion(&self) -> bool {
        self.links.len() == 1
    }

    /// The lock that everybody who goes one of the steps holds before, and that lets in one of them at a time; as far
    /// as its class can tell, which lock of the class it is.
    pub fn guard(&self) -> Option<LockKey> {
        let edges: Option<Vec<&Edge>> = self.links.iter().map(shown).collect();
        let edges = edges?;
        let common = edges.iter().map(|edge| edge.outer).reduce(|a, b| a.and(b))?;
        // One reader beside writers is kept out as well; who is alone in the circle meets another one like itself.
        let readers = |key: &LockKey| edges.iter().filter(|edge| !edge.written.contains(*key)).count();
        let most = usize::from(!self.is_recursion());
        common.iter().find(|key| readers(key) <= most)
    }
}

fn shown(link: &Link) -> Option<&Edge> {
    match link {
        Link::Shown(edge) => Some(edge),
        Link::Documented(_) => None,
    }
}

fn call(key: LockKey, mode: Mode) -> String {
    match (key.class.kind(), mode) {
        (LockKind::RwSem, Mode::Read) => format!("rlock({key});"),
        _ => format!("lock({key});"),
    }
}

/// How a lock is held, or wanted.
fn state(mode: Mode) -> &'static str {
    match mode {
        Mode::Read => "read",
        Mode::Write => "write",
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self.links[0];
        let what = if self.is_recursion() { "inside of itself" } else { "in a circle" };
        writeln!(formatter, "D53: locks are taken in one order only; but {} can be taken {what}", first.to())?;
        if let Link::Shown(edge) = first {
            let (from, to) = (state(edge.from_mode), state(edge.to_mode));
            writeln!(formatter, "somebody wants:\n  ({}){{{to}}}, at: {}", edge.to, edge.at)?;
            writeln!(formatter, "and holds already:\n  ({}){{{from}}}, at: {}", edge.from, edge.since)?;
        }
        if self.is_recursion() {
            writeln!(formatter, "{}\n", self.why_not_inside())?;
        } else {
            writeln!(formatter, "but who holds the first may want the second. The chain, innermost first:\n")?;
            self.chain(formatter)?;
        }
        self.schedule(formatter)?;
        self.held(formatter)
    }
}

impl Circle {
    /// Why a class is not taken inside of itself.
    fn why_not_inside(&self) -> &'static str {
        if self.reads_twice() {
            "a reader waits behind a writer, also one that the reader keeps waiting: the semaphore is fair"
        } else {
            "two of a class nest only in a subclass, by somebody who says why that is safe"
        }
    }

    /// Whether it is a recursive read.
    fn reads_twice(&self) -> bool {
        matches!(&self.links[..], [Link::Shown(edge)] if (edge.from_mode, edge.to_mode) == (Mode::Read, Mode::Read))
    }

    /// The steps, the one that closes the circle last.
    fn chain(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, link) in self.links.iter().enumerate().rev() {
            match link {
                Link::Shown(edge) => {
                    writeln!(formatter, "-> #{number} ({}){{{}}}, at: {}", edge.to, state(edge.to_mode), edge.at)?;
                    let (from, since) = (edge.from, edge.since);
                    writeln!(formatter, "       with ({from}){{{}}} held, at: {since}", state(edge.from_mode))?;
                }
                Link::Documented(rule) => {
                    writeln!(formatter, "-> #{number} ({}), documented: {}", rule.inner, rule.proof)?;
                    writeln!(formatter, "       with ({}) held", rule.outer)?;
                }
            }
        }
        writeln!(formatter)
    }

    /// Who would wait for whom.
    fn schedule(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<(usize, String)> = self.links.iter().map(Link::take_from).enumerate().collect();
        let writer = |key: LockKey| call(key, Mode::Write);
        if self.reads_twice() {
            rows.push((1, writer(self.links[0].to())));
        }
        rows.extend(self.links.iter().map(Link::take_to).enumerate().rev());
        let width = 2 + rows.iter().map(|(_, words)| words.len()).max().unwrap_or_default().max("CPU0".len());
        let columns = 1 + rows.iter().map(|(column, _)| *column).max().unwrap_or_default();
        writeln!(formatter, "this could happen:\n")?;
        let head = |word: fn(usize) -> String| {
            let cells: Vec<_> = (0..columns).map(|cpu| format!("{:<width$}", word(cpu))).collect();
            format!("  {}", cells.concat()).trim_end().to_owned()
        };
        writeln!(formatter, "{}\n{}", head(|cpu| format!("CPU{cpu}")), head(|_| "----".to_owned()))?;
        for (column, words) in rows {
            writeln!(formatter, "  {}{words}", " ".repeat(column * width))?;
        }
        writeln!(formatter, "\n  *** DEADLOCK ***")
    }

    fn held(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Link::Shown(edge) = &self.links[0] else { return Ok(()) };
        write!(formatter, "\nheld by who wants it:")?;
        for (number, lock) in edge.held.iter().enumerate() {
            write!(formatter, "\n  #{number}: ({}){{{}}}, at: {}", lock.key, state(lock.mode), lock.since)?;
        }
        Ok(())
    }
}
