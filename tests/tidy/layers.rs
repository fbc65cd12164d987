//! `layers`: a module uses only what stands before it.

use super::source::Source;
use super::{Violation, broken_lines, hold, words};

/// The modules of `src/`, lowest first. `platform` is the bottom: it uses nothing but itself.
const ORDER: [&str; 13] = [
    "platform", "locks", "phys", "x86", "mm", "actors", "oracle", "scenario", "failure", "history", "flood", "stress",
    "cli",
];

fn layers(source: &Source) -> Vec<Violation> {
    let Some(own) = own_module(&source.path) else { return Vec::new() };
    let Some(mine) = rank(own) else { return vec![(1, format!("module {own} has no place in the order"))] };
    let mut violations = Vec::new();
    for (number, name) in uses(source) {
        match rank(&name) {
            None => violations.push((number, format!("crate::{name} has no place in the order"))),
            Some(theirs) if theirs > mine => violations.push((number, format!("{own} stands before {name}"))),
            Some(_) => {}
        }
    }
    violations.extend(escapes(source));
    violations
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// The module of a file below `src/`; the roots of the crates have none.
fn own_module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&module)).then_some(module)
}

/// Every module that is reached through `crate::`, with the line on which the path begins.
fn uses(source: &Source) -> Vec<(usize, String)> {
    let code = source.code();
    let paths =
        words(&code, "crate::").map(|(before, after)| (before.lines().count().max(1), &after["crate::".len()..]));
    paths.flat_map(|(number, path)| firsts(path).into_iter().map(move |name| (number, name))).collect()
}

/// The first name of a path, or the first names of a group of paths.
fn firsts(path: &str) -> Vec<String> {
    let name = |path: &str| path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 1;
    let inside = group.chars().take_while(|character| {
        depth += i32::from(*character == '{') - i32::from(*character == '}');
        depth > 0
    });
    let mut depth = 0;
    let inside: String = inside.collect();
    let items = inside.split(|character| {
        depth += i32::from(character == '{') - i32::from(character == '}');
        depth == 0 && character == ','
    });
    items.map(name).filter(|name| !name.is_empty()).collect()
}

/// Paths of so many `super::` that they leave the module. A test module inside a file is one level deeper.
fn escapes(source: &Source) -> Vec<Violation> {
    let folders = source.path.matches('/').count() - 1 + usize::from(!source.path.ends_with("/mod.rs"));
    let too_many = |is_test: bool| "super::".repeat(folders + usize::from(is_test));
    let escaping = source.numbered().filter(|(_, line)| folders > 0 && line.code.contains(&too_many(line.is_test)));
    escaping.map(|(number, _)| (number, "a chain of super:: leaves the module".to_owned())).collect()
}

#[test]
fn modules_use_only_what_stands_before_them() {
    hold("layers", &[".rs"], layers);
}

#[test]
fn a_use_of_a_later_module_is_found() {
    let sample = "use crate::phys::{Pfn, mm};\nuse crate::{\n    locks::Spin,\n    mm::{Mm, actors},\n    oracle,\n};\n\
                  fn f() -> crate::scenario::Op {}\nuse crate::elsewhere::X;\nuse super::super::mm;\n";
    assert_eq!(broken_lines(layers, "src/x86/walk.rs", sample), [2, 2, 7, 8, 9]);
    assert_eq!(broken_lines(layers, "src/oracle/walk.rs", sample), [7, 8, 9]);
    assert_eq!(
        broken_lines(layers, "src/platform/seam.rs", "use crate::locks::Spin;\nuse crate::platform::Arc;\n"),
        [1]
    );
    assert_eq!(broken_lines(layers, "src/platform/loom/cell.rs", "use super::super::seam;\n"), []);
    assert_eq!(broken_lines(layers, "src/somewhere/x.rs", ""), [1]);
}
