//! A source file as the checks see it: code without strings and comments, comments without code, and which lines are
//! tests.

use std::path::Path;
use std::process::Command;

/// A file of the project.
pub struct Source {
    /// Its path from the project's root.
    pub path: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A line of a source file.
#[derive(Default)]
pub struct Line {
    /// As it stands there.
    pub text: String,
    /// Its code; what stands in strings, characters and comments is blank.
    pub code: String,
    /// Its comments.
    pub comment: String,
    /// Whether it belongs to a test.
    pub is_test: bool,
}

/// All files that git tracks and whose names end in one of `endings`.
pub fn tracked(endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().expect("git lists the files");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let wanted = names.split('\0').filter(|name| endings.iter().any(|ending| name.ends_with(ending)));
    // A tracked file may have been deleted and not yet committed.
    let read = wanted.filter_map(|name| Some(Source::new(name, &std::fs::read_to_string(root.join(name)).ok()?)));
    let sources: Vec<_> = read.collect();
    assert!(!sources.is_empty(), "git tracks no file that ends in one of {endings:?}");
    sources
}

impl Source {
    /// The file `path` with this text.
    pub fn new(path: &str, text: &str) -> Self {
        let mut lines = lex(text);
        let all_tests = ["tests/", "loom-tests/tests/", "interleaver/tests/", "benches/"];
        if all_tests.iter().any(|folder| path.starts_with(folder)) {
            lines.iter_mut().for_each(|line| line.is_test = true);
        } else {
            mark_tests(&mut lines);
        }
        Self { path: path.to_owned(), lines }
    }

    /// Each line with its number.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Each line that belongs to no test, with its number.
    pub fn outside_tests(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.numbered().filter(|(_, line)| !line.is_test)
    }

    /// Whether one of the comments on line `number`, or on the `above` lines before it, contains `words`.
    pub fn is_argued(&self, number: usize, above: usize, words: &str) -> bool {
        let first = number.saturating_sub(above + 1);
        self.lines[first..number].iter().any(|line| line.comment.contains(words))
    }

    /// The code of the whole file.
    pub fn code(&self) -> String {
        self.lines.iter().map(|line| format!("{}\n", line.code)).collect()
    }
}

/// Where the lexer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: u32 },
    Text,
    RawText { hashes: usize },
}

fn lex(text: &str) -> Vec<Line> {
    let (mut lines, mut line, mut state) = (Vec::new(), Line::default(), State::Code);
    let characters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < characters.len() {
        if characters[at] == '\n' {
            if state == State::LineComment {
                state = State::Code;
            }
            lines.push(std::mem::take(&mut line));
            at += 1;
            continue;
        }
        let (next, length) = step(state, &characters[at..], line.code.chars().last());
        for character in characters[at..].iter().take(length).take_while(|character| **character != '\n') {
            line.text.push(*character);
            let is_code = state == State::Code && next == State::Code && length == 1;
            let is_comment = |state| matches!(state, State::LineComment | State::BlockComment { .. });
            line.code.push(if is_code { *character } else { ' ' });
            line.comment.push(if is_comment(state) || is_comment(next) { *character } else { ' ' });
        }
        state = next;
        at += length;
    }
    if !line.text.is_empty() {
        lines.push(line);
    }
    lines
}

/// What the characters at the front are: the state after them, and how many they are. A line break is never among them,
/// except as the second one of a pair.
fn step(state: State, rest: &[char], before: Option<char>) -> (State, usize) {
    let starts = |words: &str| words.chars().eq(rest.iter().copied().take(words.len()));
    match state {
        State::LineComment => (state, 1),
        State::BlockComment { depth } if starts("/*") => (State::BlockComment { depth: depth + 1 }, 2),
        State::BlockComment { depth: 1 } if starts("*/") => (State::Code, 2),
        State::BlockComment { depth } if starts("*/") => (State::BlockComment { depth: depth - 1 }, 2),
        State::BlockComment { .. } => (state, 1),
        State::Text if starts("\\") && rest.get(1) != Some(&'\n') => (state, 2),
        State::Text if starts("\"") => (State::Code, 1),
        State::Text => (state, 1),
        State::RawText { hashes } if starts(&format!("\"{}", "#".repeat(hashes))) => (State::Code, 1 + hashes),
        State::RawText { .. } => (state, 1),
        State::Code if starts("//") => (State::LineComment, 2),
        State::Code if starts("/*") => (State::BlockComment { depth: 1 }, 2),
        State::Code if starts("\"") => (State::Text, 1),
        State::Code => match (raw_text(rest, before), character(rest)) {
            (Some((hashes, length)), _) => (State::RawText { hashes }, length),
            (None, Some(length)) => (State::Code, length),
            (None, None) => (State::Code, 1),
        },
    }
}

/// The hashes and the length of what opens a raw string here.
fn raw_text(rest: &[char], before: Option<char>) -> Option<(usize, usize)> {
    let in_a_word = before.is_some_and(|before| before.is_alphanumeric() || before == '_') && before != Some('b');
    let hashes = rest.strip_prefix(&['r'])?.iter().take_while(|character| **character == '#').count();
    (!in_a_word && rest.get(1 + hashes) == Some(&'"')).then_some((hashes, 2 + hashes))
}

/// The length of the character literal here; a lifetime is none.
fn character(rest: &[char]) -> Option<usize> {
    match rest {
        ['\'', '\\', escaped @ ..] => Some(3 + escaped.iter().skip(1).position(|character| *character == '\'')? + 1),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

/// Marks the items below `#[cfg(test)]`.
fn mark_tests(lines: &mut [Line]) {
    let mut index = 0;
    while index < lines.len() {
        if lines[index].code.contains("#[cfg(test)]") {
            let end = end_of_item(lines, index);
            lines[index..=end].iter_mut().for_each(|line| line.is_test = true);
            index = end;
        }
        index += 1;
    }
}

/// The index of the line on which the item that starts at line `start` ends.
pub fn end_of_item(lines: &[Line], start: usize) -> usize {
    let mut depths = (0, 0);
    for (index, line) in lines.iter().enumerate().skip(start) {
        for character in line.code.chars() {
            match character {
                '{' => depths.0 += 1,
                '(' | '[' => depths.1 += 1,
                ')' | ']' => depths.1 -= 1,
                '}' => depths.0 -= 1,
                _ => {}
            }
            if depths == (0, 0) && (character == '}' || character == ';') {
                return index;
            }
        }
    }
    lines.len() - 1
}
