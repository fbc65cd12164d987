//! Names for what threads share, such that two things never have one name.

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::interleaved::Line;

/// The names that several things have, and the number that tells them apart: by who was used first.
pub(super) struct Names {
    numbers: BTreeMap<(String, usize), usize>,
}

impl Names {
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut order: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for line in lines {
            let Line::Step(step) = line else { continue };
            if let Some(object) = step.object {
                let known = order.entry(bare(&step.name)).or_default();
                if !known.contains(&object) {
                    known.push(object);
                }
            }
        }
        let shared = order.into_iter().filter(|(_, objects)| objects.len() > 1);
        let numbered = shared.flat_map(|(name, objects)| {
            objects.into_iter().enumerate().map(move |(index, object)| ((name.clone(), object), index + 1))
        });
        Self { numbers: numbered.collect() }
    }

    /// What the object is called.
    pub(super) fn name(&self, name: &str, object: Option<usize>) -> String {
        let name = bare(name);
        let number = object.and_then(|object| self.numbers.get(&(name.clone(), object)));
        number.map_or(name.clone(), |number| format!("{name}#{number}"))
    }
}

impl Names {
    /// Words that end in the name of the object, with what it is called.
    pub(super) fn in_words(&self, words: &str, object: Option<usize>) -> String {
        let words = words.replace('`', "");
        let known = self.numbers.iter().find(|((name, known), _)| Some(*known) == object && words.ends_with(name));
        if let Some((_, number)) = known { format!("{words}#{number}") } else { words }
    }
}

/// The engine writes labels in backticks.
fn bare(name: &str) -> String {
    name.trim_matches('`').to_owned()
}

/// `src/mm/walk.rs:80:47` as a reader looks for it: `mm/walk.rs:80`.
pub(super) fn place(place: &str) -> String {
    let inside = place.split_once("src/").map_or(place, |(_, inside)| inside);
    inside.rsplit_once(':').map_or(inside, |(line, _)| line).to_owned()
}

/// The objects that at least two threads of `lines` use, one of them by a change.
pub(super) fn shared<'l>(lines: impl Iterator<Item = &'l Line>) -> BTreeSet<usize> {
    let mut users: BTreeMap<usize, (BTreeSet<usize>, bool)> = BTreeMap::new();
    for line in lines {
        let Line::Step(step) = line else { continue };
        // Additions commute, and nobody sees their results.
        if let Some(object) = step.object.filter(|_| step.verb != "add") {
            let (threads, changed) = users.entry(object).or_default();
            threads.insert(step.thread);
            *changed |= step.effect == crate::platform::interleaved::Effect::Changes;
        }
    }
    users
        .into_iter()
        .filter(|(_, (threads, changed))| threads.len() > 1 && *changed)
        .map(|(object, _)| object)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_short() {
        assert_eq!(place("src/mm/walk.rs:80:47"), "mm/walk.rs:80");
        assert_eq!(place("/somewhere/else.rs:1:2"), "/somewhere/else.rs:1");
        assert_eq!(bare("`page->ptl`"), "page->ptl");
    }
}
