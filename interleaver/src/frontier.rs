//! What is left of a search that stopped early, as text that another run can take up.
//!
//! ```text
//!   ilf1
//!   T parent number thread          numbers of threads
//!   N                               a node, below the one before
//!   S step                          asleep at it; the last one was being explored
//!   L depth step                    the node's wakeup tree, in preorder
//! ```
//!
//! The sums of what the runs count equal the whole, because a node's sleep set says what was explored before.

use crate::engine::op::{Access, Class, Effect, Kind, ObjName, Step, Tid};
use crate::search::tree::PathNode;
use crate::search::wakeup::Wakeup;
use std::fmt;
use std::str::FromStr;

/// The unexplored part of a search. It belongs to one program and one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    pub(crate) family: Vec<(Tid, u32, Tid)>,
    pub(crate) nodes: Vec<PathNode>,
}

impl Frontier {
    /// How many branches are known to be left. Each stands for at least one execution; exploring them finds more.
    #[must_use]
    pub fn branches(&self) -> usize {
        self.nodes.iter().map(|n| n.later.len()).sum()
    }
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

const VERSION: &str = "ilf1";
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

fn write_wakeups(f: &mut fmt::Formatter<'_>, trees: &[Wakeup], depth: usize) -> fmt::Result {
    for tree in trees {
        write!(f, "\nL {depth} ")?;
        write_step(f, &tree.step)?;
        write_wakeups(f, &tree.children, depth + 1)?;
    }
    Ok(())
}

impl fmt::Display for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}")?;
        for (parent, number, tid) in &self.family {
            write!(f, "\nT {} {number} {}", parent.0, tid.0)?;
        }
        for node in &self.nodes {
            write!(f, "\nN")?;
            for step in &node.sleep {
                write!(f, "\nS ")?;
                write_step(f, step)?;
            }
            write_wakeups(f, &node.later, 0)?;
        }
        Ok(())
    }
}

/// The list at this depth of the last branches.
fn list_at(trees: &mut Vec<Wakeup>, depth: usize) -> Option<&mut Vec<Wakeup>> {
    match depth {
        0 => Some(trees),
        _ => list_at(&mut trees.last_mut()?.children, depth - 1),
    }
}

impl Frontier {
    fn read_line(&mut self, line: &str) -> Option<()> {
        let (tag, rest) = line.split_once(' ').unwrap_or((line, ""));
        match tag {
            "T" => {
                let numbers: Vec<u32> = rest.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
                let &[parent, number, tid] = numbers.as_slice() else { return None };
                self.family.push((Tid(parent.try_into().ok()?), number, Tid(tid.try_into().ok()?)));
            }
            "N" => self.nodes.push(PathNode { sleep: Vec::new(), later: Vec::new() }),
            "S" => self.nodes.last_mut()?.sleep.push(read_step(rest)?),
            "L" => {
                let (depth, step) = rest.split_once(' ')?;
                let list = list_at(&mut self.nodes.last_mut()?.later, depth.parse().ok()?)?;
                list.push(Wakeup { step: read_step(step)?, children: Vec::new() });
            }
            _ => return None,
        }
        Some(())
    }
}

impl FromStr for Frontier {
    type Err = BadFrontier;

    fn from_str(text: &str) -> Result<Frontier, BadFrontier> {
        let mut lines = text.trim().lines();
        if lines.next() != Some(VERSION) {
            return Err(BadFrontier { wanted: "version ilf1 at its head", got: text.chars().take(40).collect() });
        }
        let mut frontier = Frontier { family: Vec::new(), nodes: Vec::new() };
        for line in lines {
            frontier
                .read_line(line)
                .ok_or_else(|| BadFrontier { wanted: "a line T, N, S or L", got: line.to_owned() })?;
        }
        Ok(frontier)
    }
}
