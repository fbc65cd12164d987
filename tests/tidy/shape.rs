//! The size of lines, functions and files, and the parameters of functions.

use super::source::{Source, end_of_item};
use super::{Violation, broken_lines, hold, words};

const MAX_COLUMNS: usize = 120;
const MAX_FILE_LINES: usize = 500;
/// The checker's state machines, and the tables of its tests, are longer than anything else.
const MAX_ENGINE_LINES: usize = 620;
const MAX_FUNCTION_LINES: usize = 70;

fn width(source: &Source) -> Vec<Violation> {
    // A row of a table in a comment cannot be broken.
    let breakable = source.numbered().filter(|(_, line)| !line.comment.trim_start().starts_with("//! |"));
    let columns = breakable.map(|(number, line)| (number, line.text.chars().count()));
    let wide = columns.filter(|(_, columns)| *columns > MAX_COLUMNS);
    wide.map(|(number, columns)| (number, format!("{columns} columns, {MAX_COLUMNS} at most"))).collect()
}

#[test]
fn lines_fit_the_width() {
    hold("width", &[".rs"], width);
}

#[test]
fn a_wide_line_is_found() {
    let row = format!("//! | {} |", "a".repeat(121));
    let sample = format!("{}\n{}\n{row}\n", "ä".repeat(120), "a".repeat(121));
    assert_eq!(broken_lines(width, "src/x.rs", &sample), [2]);
}

fn file_length(source: &Source) -> Vec<Violation> {
    let lines = source.lines.len();
    let most = if source.path.starts_with("interleaver/") { MAX_ENGINE_LINES } else { MAX_FILE_LINES };
    let long = (lines > most).then(|| (lines, format!("{lines} lines, {most} at most")));
    long.into_iter().collect()
}

#[test]
fn files_stay_short() {
    hold("file-length", &[".rs"], file_length);
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(broken_lines(file_length, "src/x.rs", &"\n".repeat(500)), []);
    assert_eq!(broken_lines(file_length, "src/x.rs", &"\n".repeat(501)), [501]);
}

fn function_length(source: &Source) -> Vec<Violation> {
    let starts = source.numbered().filter(|(_, line)| declares_a_function(&line.code));
    let lengths = starts.map(|(number, _)| (number, end_of_item(&source.lines, number - 1) + 2 - number));
    let long = lengths.filter(|(_, lines)| *lines > MAX_FUNCTION_LINES);
    long.map(|(number, lines)| (number, format!("{lines} lines, {MAX_FUNCTION_LINES} at most"))).collect()
}

fn declares_a_function(code: &str) -> bool {
    words(code, "fn")
        .any(|(_, after)| after["fn".len()..].trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

#[test]
fn functions_fit_on_a_screen() {
    hold("function-length", &[".rs"], function_length);
}

#[test]
fn a_long_function_is_found() {
    let function = |lines: usize| format!("fn f(\n    x: [u8; 2],\n) {{\n{}}}\n", "    g(\"{\");\n".repeat(lines - 4));
    let sample = format!("trait T {{\n    fn short(&self);\n}}\n{}{}", function(70), function(71));
    assert_eq!(broken_lines(function_length, "src/x.rs", &sample), [74]);
}

fn bool_parameter(source: &Source) -> Vec<Violation> {
    // It has the shape of the standard library's `AtomicBool`.
    if source.path == "interleaver/src/sync/atomic.rs" {
        return Vec::new();
    }
    let code = source.code();
    let functions = words(&code, "fn").filter(|(before, _)| is_public(before));
    let asked =
        functions.filter(|(_, after)| words(parameters(after), "bool").any(|(before, _)| before.ends_with(": ")));
    asked.map(|(before, _)| (before.lines().count().max(1), "a public function asks for a bool".to_owned())).collect()
}

fn is_public(before: &str) -> bool {
    let line = before.lines().last().unwrap_or_default().trim_start();
    line.starts_with("pub ") && !line.contains('(')
}

/// What stands between the parentheses of a function.
fn parameters(function: &str) -> &str {
    let mut depth = 0;
    let end = function.char_indices().find(|(_, character)| {
        depth += i32::from(*character == '(') - i32::from(*character == ')');
        *character == ')' && depth == 0
    });
    end.map_or(function, |(end, _)| &function[..end])
}

#[test]
fn public_functions_ask_for_no_bool() {
    hold("types-first", &[".rs"], bool_parameter);
}

#[test]
fn a_bool_parameter_is_found() {
    let sample = "pub fn a(x: bool) {}\npub const fn b(\n    self,\n    x: bool,\n) {}\nfn c(x: bool) {}\n\
                  pub fn d(f: impl Fn(u8) -> bool) -> bool {\n    let x: bool = true;\n}\n\
                  pub(super) fn e(x: bool) {}\n";
    assert_eq!(broken_lines(bool_parameter, "src/x.rs", sample), [1, 2]);
}
