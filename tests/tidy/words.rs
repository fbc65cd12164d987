//! Words that must not stand in the project.

use super::source::Source;
use super::{Violation, broken_lines, hold, words};

const UNFINISHED_COMMENTS: [&str; 3] = ["TODO", "FIXME", "XXX"];
const UNFINISHED_CODE: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

fn unfinished(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in source.numbered() {
        let in_comments = UNFINISHED_COMMENTS.iter().filter(|word| words(&line.comment, word).next().is_some());
        let in_code = UNFINISHED_CODE.iter().filter(|word| words(&line.code, word).next().is_some());
        violations.extend(in_comments.chain(in_code).map(|word| (number, (*word).to_owned())));
    }
    violations
}

#[test]
fn nothing_is_left_unfinished() {
    hold("unfinished", &[".rs"], unfinished);
}

#[test]
fn unfinished_things_are_found() {
    let sample = "// TODO: this\nlet a = \"TODO\"; // FIXME\n/* XXX */ todo!();\n\
                  #[ignore = \"slow\"]\ndbg!(a);\nunimplemented!()";
    assert_eq!(broken_lines(unfinished, "src/x.rs", sample), [1, 2, 3, 3, 4, 5, 6]);
}

/// Globs hide where a name comes from. Only a test module may import its parent's, and proptest's prelude, which its
/// macros are written for.
fn glob(source: &Source) -> Vec<Violation> {
    let mut in_use = false;
    let mut violations = Vec::new();
    for (number, line) in source.numbered() {
        let code = line.code.trim();
        in_use |= ["use ", "pub use "].iter().any(|opening| code.starts_with(opening));
        let allowed = ["use super::*;", "use proptest::prelude::*;"].contains(&code);
        if in_use && code.contains('*') && !(allowed && line.is_test) {
            violations.push((number, "a glob hides where its names come from".to_owned()));
        }
        in_use &= !code.ends_with(';');
    }
    violations
}

#[test]
fn no_import_is_a_glob() {
    hold("globs", &[".rs"], glob);
}

#[test]
fn a_glob_is_found() {
    let sample = "pub use a::*;\nuse super::*;\nuse a::{\n    b::*,\n};\nlet x = *y;\n#[cfg(test)]\nmod tests {\n\
                  \x20   use super::*;\n    use b::*;\n}\n";
    assert_eq!(broken_lines(glob, "src/x.rs", sample), [1, 2, 4, 10]);
}

fn unwrap(source: &Source) -> Vec<Violation> {
    let unwraps = source.outside_tests().filter(|(_, line)| line.code.contains(".unwrap()"));
    unwraps.map(|(number, _)| (number, "expect(\"why it cannot fail\") instead of unwrap".to_owned())).collect()
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    hold("unwrap", &[".rs"], unwrap);
}

#[test]
fn an_unwrap_is_found() {
    let sample = "a.unwrap();\nb.unwrap_or_default(); // .unwrap()\n#[cfg(test)]\nfn t() { c.unwrap() }\n";
    assert_eq!(broken_lines(unwrap, "src/x.rs", sample), [1]);
}

/// What names a place outside of the project. In pieces, so that this file names none.
fn outside() -> Vec<String> {
    [["/wo", "rk/"], ["../sha", "red"], ["sp", "ec/"], [".lib", "rary"]].iter().map(|pieces| pieces.concat()).collect()
}

fn self_contained(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in source.numbered() {
        let named = outside().into_iter().filter(|place| words(&line.text, place).next().is_some());
        violations.extend(named.map(|place| (number, format!("{place} is not in the project"))));
    }
    violations
}

#[test]
fn no_file_names_what_is_outside_the_project() {
    hold("self-contained", &[".rs", ".toml", ".md", ".yml", ".stderr", ".json"], self_contained);
}

#[test]
fn a_name_from_outside_is_found() {
    let sample = outside().join("\n");
    assert_eq!(broken_lines(self_contained, "README.md", &sample), [1, 2, 3, 4]);
}
