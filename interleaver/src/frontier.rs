//! What is left of a search that stopped early, as text that other runs can take up.
//!
//! ```text
//!   ilf2
//!   T parent number thread          numbers of threads
//!   depth mark step                 the tree in preorder; the mark says whose a branch is, `!` that its task is open
//! ```
//!
//! # Shards
//! The open tasks of a frontier can be explored by runs that know nothing of one another (`split`). What a task inserts
//! above itself may have been found by another shard too, so no shard explores it: it is written down as deferred, and
//! `merge` inserts it once. The merged frontier may be split again; when it has no open task, all is explored. Every
//! execution is counted by exactly one run, so the sums equal the whole.

use crate::engine::op::{Access, Class, Effect, Kind, ObjName, Step, Tid};
use crate::search::shared::{Order, Origin, Shared, Task, Twig};
use crate::search::wakeup::Threads;
use std::fmt;
use std::str::FromStr;

/// The unexplored part of a search. It belongs to one program and one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    pub(crate) family: Vec<(Tid, u32, Tid)>,
    pub(crate) twigs: Vec<Twig>,
}

/// Why frontiers cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadMerge {
    /// There was none.
    Nothing,
    /// They are not shards of one split.
    Strangers,
    /// Some shard is missing, or stands there twice.
    Incomplete,
    /// Shards met threads that no execution before the split had spawned, so their names do not agree.
    NewThreads,
}

impl fmt::Display for BadMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadMerge::Nothing => "no frontier was given to merge",
            BadMerge::Strangers => "the frontiers are not the shards of one split",
            BadMerge::Incomplete => "a shard is missing or stands there twice: merge each shard of the split once",
            BadMerge::NewThreads => {
                "shards met threads that were unknown at the split: explore more of the whole before splitting it"
            }
        })
    }
}

impl std::error::Error for BadMerge {}

impl Frontier {
    /// How many tasks are known to be left. Each stands for at least one execution; exploring them finds more.
    #[must_use]
    pub fn branches(&self) -> usize {
        self.twigs.iter().filter(|t| t.task == Task::Open || matches!(t.origin, Origin::Deferred(_))).count()
    }

    /// Whether it came from `split`, so that it is to be merged with the others.
    #[must_use]
    pub fn is_shard(&self) -> bool {
        self.twigs.first().is_some_and(|root| root.origin != Origin::Own)
    }

    /// Deals the open tasks out to so many shards, one by one in turn. A shard may get none.
    ///
    /// # Panics
    /// If `shards` is 0, or this is a shard itself.
    #[must_use]
    pub fn split(&self, shards: usize) -> Vec<Frontier> {
        assert!(shards > 0, "a frontier is split into at least one shard");
        assert!(!self.is_shard(), "a shard is merged before it is split again");
        let shard = |number: usize| {
            let mut task = 0;
            let mut twigs = self.twigs.clone();
            for twig in &mut twigs {
                twig.origin = Origin::Fixed;
                if twig.task == Task::Open {
                    if task % shards != number {
                        (twig.origin, twig.task) = (Origin::Elsewhere, Task::None);
                    }
                    task += 1;
                }
            }
            Frontier { family: self.family.clone(), twigs }
        };
        (0..shards).map(shard).collect()
    }

    /// Puts the shards of one split together again, with what their tasks left and found.
    ///
    /// # Errors
    /// If they are not all the shards of one split.
    pub fn merge(shards: &[Frontier]) -> Result<Frontier, BadMerge> {
        let first = shards.first().ok_or(BadMerge::Nothing)?;
        let family = shards.iter().max_by_key(|s| s.family.len()).map_or_else(Vec::new, |s| s.family.clone());
        let agrees = |s: &Frontier| s.is_shard() && s.fixed().eq(first.fixed());
        if !shards.iter().all(agrees) {
            return Err(BadMerge::Strangers);
        }
        if !shards.iter().all(|s| family.starts_with(&s.family)) {
            return Err(BadMerge::NewThreads);
        }
        let tasks = merged_tasks(shards).ok_or(BadMerge::Incomplete)?;
        let tree = Shared::new(&tasks, family.clone(), Order::First);
        let found = shards.iter().flat_map(|s| deferred(&s.twigs));
        Ok(Frontier { family, twigs: tree.with_deferred(found) })
    }

    /// The branches that all shards have, by depth and step.
    fn fixed(&self) -> impl Iterator<Item = (u32, Step)> {
        self.twigs.iter().filter(|t| is_fixed(t)).map(|t| (t.depth, t.step))
    }
}

fn is_fixed(twig: &Twig) -> bool {
    matches!(twig.origin, Origin::Fixed | Origin::Elsewhere)
}

/// The tree as it was split, with what each task left below itself; `None` unless each has one owner.
fn merged_tasks(shards: &[Frontier]) -> Option<Vec<Twig>> {
    // Each shard from each of its fixed branches on.
    let mut from_fixed: Vec<_> =
        shards.iter().map(|s| (0..s.twigs.len()).filter(|&i| is_fixed(&s.twigs[i])).map(|i| &s.twigs[i..])).collect();
    let mut merged = Vec::new();
    loop {
        let here: Vec<&[Twig]> = from_fixed.iter_mut().filter_map(Iterator::next).collect();
        if here.is_empty() {
            return Some(merged);
        }
        let mut owners = here.iter().filter(|tail| tail[0].origin == Origin::Fixed);
        let owner = owners.next()?;
        let others = owners.count();
        merged.push(owner[0].clone());
        if others == 0 {
            merged.extend(owner[1..].iter().take_while(|t| t.origin == Origin::Own).cloned());
        } else if others + 1 != shards.len() {
            return None;
        }
    }
}

/// A sequence that a shard would have inserted below a branch that all shards have.
pub(crate) struct Deferred {
    /// Which of the fixed branches, in preorder.
    pub below: usize,
    pub failing: Threads,
    pub steps: Vec<Step>,
}

fn deferred(twigs: &[Twig]) -> Vec<Deferred> {
    let mut found = Vec::new();
    let mut fixed = 0..;
    // The way to the present twig: the numbers of its fixed part, and the steps below.
    let (mut below, mut steps): (Vec<usize>, Vec<Step>) = Default::default();
    for (index, twig) in twigs.iter().enumerate() {
        let depth = twig.depth as usize;
        below.truncate(depth);
        steps.truncate(depth - below.len());
        match twig.origin {
            Origin::Fixed | Origin::Elsewhere => below.extend(fixed.next()),
            Origin::Own | Origin::Deferred(_) => steps.push(twig.step),
        }
        let is_leaf = twigs.get(index + 1).is_none_or(|next| next.depth <= twig.depth);
        if let (Origin::Deferred(failing), Some(&below), true) = (twig.origin, below.last(), is_leaf) {
            found.push(Deferred { below, failing, steps: steps.clone() });
        }
    }
    found
}

/// Why a text is no frontier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrontier {
    wanted: &'static str,
    got: String,
}

impl fmt::Display for BadFrontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a frontier: wanted {}, got {:?}", self.wanted, self.got)
    }
}

impl std::error::Error for BadFrontier {}

const VERSION: &str = "ilf2";
const CLASSES: [Class; 5] = [Class::Nothing, Class::Read, Class::Shared, Class::Add, Class::Write];

fn write_step(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    let wild = if step.effect.is_wild() { "*" } else { "" };
    write!(f, "{}.{}.{}{wild}", step.tid.0, step.kind as u8, step.choice)?;
    for access in step.effect.accesses().iter().filter(|a| a.class != Class::Nothing) {
        write!(f, ":{}/{}", access.name.0, access.class as u8)?;
    }
    Ok(())
}

fn read_step(text: &str) -> Option<Step> {
    let mut parts = text.split(':');
    let head = parts.next()?;
    let wild = head.ends_with('*');
    let mut numbers = head.trim_end_matches('*').split('.');
    let tid = Tid(numbers.next()?.parse().ok()?);
    let kind = Kind::from_number(numbers.next()?.parse().ok()?)?;
    let choice = numbers.next()?.parse().ok()?;
    let mut accesses = Vec::new();
    for part in parts {
        let (name, class) = part.split_once('/')?;
        let class = *CLASSES.get(class.parse::<usize>().ok()?)?;
        accesses.push(Access { name: ObjName(name.parse().ok()?), class });
    }
    Some(Step { tid, kind, choice, effect: Effect::from_parts(&accesses, wild)? })
}

fn write_twig(f: &mut fmt::Formatter<'_>, twig: &Twig) -> fmt::Result {
    write!(f, "\n{} ", twig.depth)?;
    match twig.origin {
        Origin::Own => write!(f, "o")?,
        Origin::Fixed => write!(f, "f")?,
        Origin::Elsewhere => write!(f, "e")?,
        Origin::Deferred(failing) => write!(f, "d{failing:x}")?,
    }
    write!(f, "{} ", if twig.task == Task::Open { "!" } else { "" })?;
    write_step(f, &twig.step)
}

fn read_twig(line: &str, after: Option<&Twig>) -> Option<Twig> {
    let mut parts = line.split(' ');
    let depth: u32 = parts.next()?.parse().ok()?;
    let mark = parts.next()?;
    let step = read_step(parts.next()?)?;
    let (mark, task) = match mark.strip_suffix('!') {
        Some(mark) => (mark, Task::Open),
        None => (mark, Task::None),
    };
    let origin = match mark.split_at_checked(1)? {
        ("o", "") => Origin::Own,
        ("f", "") => Origin::Fixed,
        ("e", "") => Origin::Elsewhere,
        ("d", failing) => Origin::Deferred(Threads::from_str_radix(failing, 16).ok()?),
        _ => return None,
    };
    // Only the first branch is a root, and each stands below one that was there.
    let fits = after.map_or(depth == 0, |before| (1..=before.depth + 1).contains(&depth));
    (fits && parts.next().is_none()).then_some(Twig { depth, step, origin, task })
}

impl fmt::Display for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}")?;
        for (parent, number, tid) in &self.family {
            write!(f, "\nT {} {number} {}", parent.0, tid.0)?;
        }
        self.twigs.iter().try_for_each(|twig| write_twig(f, twig))
    }
}

impl Frontier {
    fn read_line(&mut self, line: &str) -> Option<()> {
        match line.strip_prefix("T ") {
            Some(rest) => {
                let numbers: Vec<u32> = rest.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
                let &[parent, number, tid] = numbers.as_slice() else { return None };
                self.family.push((Tid(parent.try_into().ok()?), number, Tid(tid.try_into().ok()?)));
            }
            None => self.twigs.push(read_twig(line, self.twigs.last())?),
        }
        Some(())
    }
}

impl FromStr for Frontier {
    type Err = BadFrontier;

    fn from_str(text: &str) -> Result<Frontier, BadFrontier> {
        let mut lines = text.trim().lines();
        if lines.next() != Some(VERSION) {
            return Err(BadFrontier { wanted: "version ilf2 at its head", got: text.chars().take(40).collect() });
        }
        let mut frontier = Frontier { family: Vec::new(), twigs: Vec::new() };
        for line in lines {
            frontier.read_line(line).ok_or_else(|| BadFrontier {
                wanted: "a thread (T parent number thread) or a branch (depth mark step)",
                got: line.to_owned(),
            })?;
        }
        if frontier.twigs.is_empty() {
            return Err(BadFrontier { wanted: "at least the root of the tree", got: text.chars().take(40).collect() });
        }
        Ok(frontier)
    }
}
