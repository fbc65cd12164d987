//! `one-door`, `order-tag` and the rules for `unsafe`.

use super::source::Source;
use super::{Violation, broken_lines, hold, words};

/// What only the seam may name.
const BEHIND_THE_DOOR: [&str; 9] = [
    "std::sync",
    "core::sync",
    "std::thread",
    "thread_local!",
    "parking_lot",
    "crossbeam",
    "crossbeam_utils",
    "rayon",
    "loom",
];

/// Where some of it may be named besides, and why.
struct Exception {
    /// A file, or a folder that ends in a slash.
    path: &'static str,
    names: &'static [&'static str],
    _reason: &'static str,
}

const EXCEPTIONS: [Exception; 7] = [
    Exception {
        path: "src/locks/rwsem.rs",
        names: &["parking_lot"],
        _reason: "the guards of `lock_api`, around the raw locks that the seam gives",
    },
    Exception {
        path: "src/locks/lockdep.rs",
        names: &["std::sync", "thread_local!"],
        _reason: "what executions teach belongs to the host, which runs many of them",
    },
    Exception { path: "src/locks/spin.rs", names: &["parking_lot"], _reason: "as `src/locks/rwsem.rs`" },
    Exception {
        path: "src/scenario/check.rs",
        names: &["std::sync", "loom"],
        _reason: "the tallies and the stop flag belong to the host, which explores; `loom` is the seam's own module",
    },
    Exception {
        path: "src/flood/",
        names: &["std::sync", "std::thread", "rayon"],
        _reason: "a flood's workers are threads of the host: it is not run under a checker",
    },
    Exception {
        path: "src/stress/",
        names: &["std::sync", "std::thread", "thread_local!"],
        _reason: "as `src/flood/`; a thread that panics is never joined",
    },
    Exception {
        path: "src/cli/",
        names: &["std::sync", "std::thread", "rayon"],
        _reason: "progress and interruption concern the process, not the model",
    },
];

fn one_door(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with("src/") || source.path.starts_with("src/platform/") {
        return Vec::new();
    }
    let excepted = EXCEPTIONS.iter().filter(|exception| source.path.starts_with(exception.path));
    let allowed: Vec<&str> = excepted.flat_map(|exception| exception.names.iter().copied()).collect();
    let named = named_behind_the_door(source).into_iter().filter(|(_, name)| !allowed.contains(&name.as_str()));
    named.map(|(number, name)| (number, format!("{name} belongs behind src/platform/"))).collect()
}

fn named_behind_the_door(source: &Source) -> Vec<Violation> {
    let mut named = Vec::new();
    for (number, line) in source.outside_tests() {
        for name in BEHIND_THE_DOOR {
            // The seam's module of that name, and a name of ours, are not the crate.
            let is_crate = |before: &str, after: &str| {
                name != "loom" || (after.starts_with("loom::") && !before.ends_with("platform::"))
            };
            if words(&line.code, name).any(|(before, after)| is_crate(before, after)) {
                named.push((number, name.to_owned()));
            }
        }
    }
    named
}

#[test]
fn concurrency_comes_through_one_door() {
    hold("one-door", &[".rs"], one_door);
}

#[test]
fn a_second_door_is_found() {
    let sample = "use std::sync::Mutex;\nuse crate::platform::loom::Loom;\nlet x = loom::model(f);\n\
                  let loom_preemptions = \"std::sync\"; // std::sync\nthread_local! {}\nuse parking_lot::Mutex;\n\
                  #[cfg(test)]\nuse std::thread;\n";
    assert_eq!(broken_lines(one_door, "src/mm/x.rs", sample), [1, 3, 5, 6]);
    assert_eq!(broken_lines(one_door, "src/scenario/check.rs", sample), [5, 6]);
    assert_eq!(broken_lines(one_door, "src/platform/x.rs", sample), []);
}

/// An exception for a file goes when the file no longer needs it; one for a folder is a decision.
#[test]
fn no_exception_is_left_over() {
    let sources = super::tracked(&[".rs"]);
    for Exception { path, names, .. } in EXCEPTIONS.iter().filter(|exception| !exception.path.ends_with('/')) {
        let source = sources.iter().find(|source| source.path == *path);
        let named = source.map(named_behind_the_door).unwrap_or_default();
        for name in *names {
            assert!(named.iter().any(|(_, used)| used == name), "{path} does not name {name}: take it off the list");
        }
    }
}

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

fn order_tag(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in source.numbered().filter(|(_, line)| !line.code.trim_start().starts_with("use ")) {
        for ordering in ORDERINGS.into_iter().filter(|ordering| words(&line.code, ordering).next().is_some()) {
            if ordering == "SeqCst" {
                // A model checker has to know it, and its litmus tests are about it; so are programs that compare
                // checkers.
                if ["interleaver/", "benches/engines/"].iter().any(|folder| source.path.starts_with(folder)) {
                    continue;
                }
                violations.push((number, "SeqCst is never used".to_owned()));
            } else if source.path.starts_with("src/") && !line.is_test && !source.is_argued(number, 6, "ORDER") {
                violations.push((number, format!("{ordering} without an // ORDER comment")));
            }
        }
    }
    violations
}

#[test]
fn every_atomic_access_has_an_order_comment() {
    hold("order-tag", &[".rs"], order_tag);
}

#[test]
fn an_access_without_an_order_comment_is_found() {
    let sample = "use std::sync::atomic::Ordering::Relaxed;\na.load(Ordering::Relaxed);\n// ORDER none.\n\
                  a.load(Relaxed);\n\n\n\n\n\na.store(1, Relaxed);\na.load(Ordering::SeqCst); // ORDER O1.\n\
                  #[cfg(test)]\nfn f() { a.load(Acquire) }\n";
    assert_eq!(broken_lines(order_tag, "src/mm/x.rs", sample), [2, 10, 11]);
    assert_eq!(broken_lines(order_tag, "tests/x.rs", sample), [11]);
}

fn argued_unsafe(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    let may = ["src/platform/", "src/phys/", "interleaver/"].iter().any(|folder| source.path.starts_with(folder));
    for (number, line) in source.numbered() {
        for (before, after) in words(&line.code, "unsafe") {
            if !may {
                violations.push((number, "unsafe outside of src/platform/, src/phys/ and interleaver/".to_owned()));
            }
            let is_function = after["unsafe".len()..].trim_start().starts_with("fn");
            let is_public = before.trim_start().starts_with("pub");
            // A method of an unsafe trait repeats what the trait has asked for.
            let is_argued = match (is_function, is_public) {
                (true, true) => source.is_argued(number, 8, "# Safety"),
                (true, false) => true,
                (false, _) => source.is_argued(number, above_until_the_last_unsafe(source, number), "SAFETY:"),
            };
            if !is_argued {
                violations.push((number, "unsafe without a // SAFETY: comment above it".to_owned()));
            }
        }
    }
    violations
}

/// Lines above line `number` in which its argument may stand: 4, or fewer if another `unsafe` has used them.
fn above_until_the_last_unsafe(source: &Source, number: usize) -> usize {
    let above = source.lines[..number - 1].iter().rev().take(4);
    above.take_while(|line| words(&line.code, "unsafe").next().is_none()).count()
}

#[test]
fn every_unsafe_is_argued_and_behind_the_door() {
    hold("unsafe", &[".rs"], argued_unsafe);
}

#[test]
fn unsafe_without_an_argument_or_in_the_wrong_place_is_found() {
    let sample = "// SAFETY: because.\nlet a = unsafe { b() };\n\nunsafe impl Send for C {}\n    unsafe fn d() {}\n\
                  pub unsafe fn e() {}\n/// # Safety\n/// Ask.\npub unsafe fn f() {}\n\"unsafe\"\n\
                  // SAFETY: too far.\n\n\n\n\nunsafe { g() }";
    assert_eq!(broken_lines(argued_unsafe, "src/platform/x.rs", sample), [4, 6, 16]);
    assert_eq!(broken_lines(argued_unsafe, "src/mm/x.rs", sample), [2, 4, 4, 5, 6, 6, 9, 16, 16]);
}
