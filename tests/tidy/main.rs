//! What a machine can check of the style that `CONTRIBUTING.md` asks for.
//!
//! Every rule is a function from a file to its violations. It is applied to all files that git tracks, and to a small
//! bad sample, which shows that it can fail.

mod concurrency;
mod layers;
mod shape;
mod source;
mod words;

use source::{Source, tracked};

/// A line that breaks a rule: its number, and what is wrong.
type Violation = (usize, String);
type Rule = fn(&Source) -> Vec<Violation>;

/// Applies a rule to all files that end in one of `endings`.
fn hold(name: &str, endings: &[&str], rule: Rule) {
    let sources = tracked(endings);
    let broken: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            rule(source).into_iter().map(|(line, what)| format!("{}:{line}: {name}: {what}", source.path))
        })
        .collect();
    assert!(broken.is_empty(), "{} violations\n{}", broken.len(), broken.join("\n"));
}

/// The lines of a sample on which a rule is broken.
fn broken_lines(rule: Rule, path: &str, sample: &str) -> Vec<usize> {
    rule(&Source::new(path, sample)).into_iter().map(|(line, _)| line).collect()
}

/// The code from each place where `word` stands alone, with what stands before it.
fn words<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = (&'c str, &'c str)> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).map(|(at, _)| code.split_at(at)).filter(move |(before, after)| {
        let opens = !before.ends_with(is_part) || !word.starts_with(is_part);
        opens && (!after[word.len()..].starts_with(is_part) || !word.ends_with(is_part))
    })
}

#[test]
fn strings_characters_and_comments_are_no_code() {
    let text = "let a = \"unsafe // \\\" {\"; // unsafe\nlet b = ('{', '\\'', r#\"unsafe \" }\"#); /* a\n\
                unsafe */ c::<'a>('\"')";
    let source = Source::new("src/x.rs", text);
    let squeezed = source.code().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed, "let a = ; let b = ( , , ); c::<'a>( )");
    assert_eq!(source.lines[0].comment.trim(), "// unsafe");
    assert_eq!(source.lines[2].comment.trim(), "unsafe */");
}

#[test]
fn what_cfg_test_marks_is_a_test() {
    let source = Source::new("src/x.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
    let tests: Vec<usize> = source.numbered().filter(|(_, line)| line.is_test).map(|(number, _)| number).collect();
    assert_eq!(tests, [2, 3, 4, 5]);
}
