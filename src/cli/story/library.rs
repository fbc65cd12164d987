//! The stories that are told by name: one for each way through the fault path.

use crate::mm::{Generation, MmError};
use crate::phys::PhysConfig;

use super::plot::{End, Story, aftermath};
use super::stage::{MEMORY, Stage};
use super::{entry, files, huge, hugetlb, memory};

/// A story of the library: a few lines of set-up, and one access.
pub(in crate::cli) struct Tale {
    /// Its name.
    pub(in crate::cli) name: &'static str,
    /// What happens, as a phrase.
    pub(in crate::cli) about: &'static str,
    pub(super) generation: Generation,
    /// Memory, its huge pages that are set aside, and the limit of the cgroup.
    pub(super) memory: PhysConfig,
    pub(super) play: fn(&mut Stage),
}

/// A tale of the newer generation.
pub(super) const fn tale(name: &'static str, about: &'static str, play: fn(&mut Stage)) -> Tale {
    Tale { name, about, generation: Generation::G6, memory: MEMORY, play }
}

/// A tale of the older generation.
pub(super) const fn tale_g2(name: &'static str, about: &'static str, play: fn(&mut Stage)) -> Tale {
    Tale { name, about, generation: Generation::G2, memory: MEMORY, play }
}

/// The same on a machine with so many huge pages in its pool.
pub(super) const fn with_pool(nr_hugepages: usize, tale: Tale) -> Tale {
    Tale { memory: PhysConfig { nr_hugepages, ..tale.memory }, ..tale }
}

/// The same where the memory cgroup may charge so many pages.
pub(super) const fn with_limit(memcg_limit_pages: u64, tale: Tale) -> Tale {
    Tale { memory: PhysConfig { memcg_limit_pages, ..tale.memory }, ..tale }
}

/// All of them, in the order in which they read best.
pub(in crate::cli) fn tales() -> impl Iterator<Item = &'static Tale> {
    let huge = huge::TALES.iter().chain(hugetlb::TALES);
    memory::TALES.iter().chain(huge).chain(files::TALES).chain(entry::TALES)
}

/// The tale of this name.
pub(in crate::cli) fn find(name: &str) -> Option<&'static Tale> {
    tales().find(|tale| tale.name == name)
}

impl Tale {
    /// Runs it.
    ///
    /// # Errors
    /// If the host has not the memory.
    pub(in crate::cli) fn tell(&self) -> Result<Story, MmError> {
        let mut stage = Stage::new(self.generation, &self.memory)?;
        (self.play)(&mut stage);
        let (instruction, completion) = stage.last.expect("a tale tells of an access");
        let address = instruction.address();
        let mut head = vec![format!("{}: {}", self.name, self.about)];
        head.append(&mut stage.setting);
        let end = End::Accessed(address, aftermath(&stage.mm, &stage.task, address, 8, completion));
        Ok(Story { head, chapters: stage.chapters, end })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::platform::Event;

    #[test]
    fn every_tale_is_told_as_it_was() {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            for tale in tales() {
                let story = tale.tell().expect("eight megabytes").to_string();
                insta::assert_snapshot!(tale.name, anstream::adapter::strip_str(&story).to_string());
            }
        });
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = tales().map(|tale| tale.name).collect();
        assert_eq!(names.len(), tales().count());
    }

    /// The functions that the tales reach, and those that the docs list, are the same.
    #[test]
    fn the_docs_list_what_the_tales_reach() {
        let mut reached = BTreeSet::new();
        for tale in tales() {
            for chapter in tale.tell().expect("eight megabytes").chapters {
                reached.extend(chapter.events.into_iter().filter_map(|event| match event {
                    Event::Enter { function, .. } => Some(function.to_owned()),
                    Event::Leave { .. } | Event::Remark(_) => None,
                }));
            }
        }
        let page = include_str!("../../../docs/functions.md");
        let listed: BTreeSet<_> =
            page.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next()).map(str::to_owned).collect();
        let missing: Vec<_> = reached.difference(&listed).collect();
        let untold: Vec<_> = listed.difference(&reached).collect();
        assert!(
            missing.is_empty() && untold.is_empty(),
            "not in docs/functions.md: {missing:?}; told by no tale: {untold:?}"
        );
    }
}
