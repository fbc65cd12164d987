//! Which scenarios of the library are meant.

use clap::Args;

use crate::scenario::{Scenario, library};

/// What a scenario must be to be chosen; all of it, as far as it is said.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Scenarios to run; all if none is named
    #[arg(value_name = "SCENARIO")]
    names: Vec<String>,
    /// Only scenarios of this family; may be given more than once
    #[arg(long = "family", value_name = "NAME")]
    families: Vec<String>,
    /// Only scenarios with this in their names; may be given more than once
    #[arg(short = 'k', value_name = "PATTERN")]
    patterns: Vec<String>,
}

/// Why nothing is chosen, and what could be.
pub(super) struct NoneChosen {
    pub(super) error: String,
    pub(super) hint: String,
}

impl Selection {
    /// All scenarios that fit, in the library's order.
    pub(super) fn scenarios(&self) -> Result<Vec<&'static Scenario>, NoneChosen> {
        let none = |error, hint| Err(NoneChosen { error, hint });
        if let Some(unknown) = self.names.iter().find(|name| !library().any(|it| it.name == **name)) {
            return none(format!("there is no scenario '{unknown}'"), did_you_mean(unknown));
        }
        if let Some(unknown) = self.families.iter().find(|family| !families().contains(&family.as_str())) {
            let error = format!("there is no family '{unknown}'");
            return none(error, format!("there are {}", families().join(", ")));
        }
        if let Some(unknown) = self.patterns.iter().find(|text| !library().any(|it| it.name.contains(text.as_str()))) {
            return none(format!("no scenario has '{unknown}' in its name"), did_you_mean(unknown));
        }
        let chosen: Vec<_> = library().filter(|scenario| self.fits(scenario)).collect();
        if chosen.is_empty() {
            let hint = "a scenario must have one of the names, one of the families and one of the patterns";
            return none("no scenario is all of that".to_owned(), hint.to_owned());
        }
        Ok(chosen)
    }

    /// Nothing is said: the whole library.
    pub(super) fn is_everything(&self) -> bool {
        self.names.is_empty() && self.families.is_empty() && self.patterns.is_empty()
    }

    fn fits(&self, scenario: &Scenario) -> bool {
        let is_any = |said: &[String], fits: &dyn Fn(&str) -> bool| said.is_empty() || said.iter().any(|it| fits(it));
        is_any(&self.names, &|name| name == scenario.name)
            && is_any(&self.families, &|family| family == scenario.family)
            && is_any(&self.patterns, &|pattern| scenario.name.contains(pattern))
    }
}

/// Every family, in the library's order.
fn families() -> Vec<&'static str> {
    let mut families: Vec<_> = library().map(|scenario| scenario.family).collect();
    families.dedup();
    families
}

/// What is most like a name that there is not, if anything is.
fn did_you_mean(unknown: &str) -> String {
    let nearest = library().map(|it| (edits(unknown, it.name), it.name)).min();
    match nearest {
        Some((edits, name)) if edits <= unknown.len() / 3 => {
            format!("did you mean {name}? `pagerace check --list` names them all")
        }
        Some(_) | None => "`pagerace check --list` names them all".to_owned(),
    }
}

/// Letters to insert, remove or replace to make one word of the other (Levenshtein's distance).
fn edits(from: &str, to: &str) -> usize {
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut above[0], row + 1);
        for (column, other) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = above[column + 1];
            above[column + 1] = replaced.min(diagonal + 1).min(above[column] + 1);
        }
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str], families: &[&str], patterns: &[&str]) -> Result<Vec<&'static str>, String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let selection = Selection { names: owned(names), families: owned(families), patterns: owned(patterns) };
        let names = |scenarios: Vec<&'static Scenario>| scenarios.iter().map(|it| it.name).collect();
        selection.scenarios().map(names).map_err(|none| format!("{}; {}", none.error, none.hint))
    }

    #[test]
    fn each_kind_of_filter_takes_any_of_what_it_names() {
        assert_eq!(chosen(&[], &[], &[]).map(|all| all.len()), Ok(library().count()));
        assert_eq!(chosen(&["same-pte", "read-write"], &[], &[]), Ok(vec!["same-pte", "read-write"]));
        let of_two = chosen(&[], &["stack", "mprotect"], &[]).expect("they are there");
        assert!(of_two.contains(&"stack-munmap") && of_two.contains(&"mprotect-cow"));
        assert_eq!(
            chosen(&[], &["stack", "mprotect"], &["stack-m", "-cow"]),
            Ok(vec!["stack-munmap", "mprotect-cow", "mprotect-file-cow"])
        );
    }

    #[test]
    fn what_chooses_nothing_is_an_error_that_helps() {
        assert!(chosen(&["same-ptr"], &[], &[]).is_err_and(|words| words.contains("did you mean same-pte?")));
        assert!(chosen(&[], &["stak"], &[]).is_err_and(|words| words.contains("there are same-pte, ")));
        assert!(chosen(&[], &[], &["xyzzy"]).is_err_and(|words| words.contains("names them all")));
        assert!(chosen(&["same-pte"], &["stack"], &[]).is_err_and(|words| words.contains("all of that")));
    }

    #[test]
    fn a_slip_of_the_hand_is_one_edit() {
        assert_eq!(
            [edits("same-pte", "same-pte"), edits("same-ptr", "same-pte"), edits("sae-pte", "same-pte")],
            [0, 1, 1]
        );
        assert_eq!((edits("", "abc"), edits("abc", "")), (3, 3));
    }

    /// `--list` shows one family after the other.
    #[test]
    fn no_family_is_scattered() {
        let mut sorted = families();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), families().len(), "{:?}", families());
    }
}
