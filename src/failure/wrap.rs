//! Breaking text into lines that fit.

/// Lines of at most `width` characters, broken at spaces, or anywhere in a word that is longer than a line. Lines after
/// the first begin with `indent` spaces.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let margin = " ".repeat(indent.min(width / 2));
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = if lines.is_empty() { String::new() } else { margin.clone() };
        let mut is_empty = true;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            let mut word = word;
            let needed = length(&line) + usize::from(!is_empty) + length(word);
            if !is_empty && needed > width {
                lines.push(std::mem::replace(&mut line, margin.clone()));
                is_empty = true;
            }
            while length(&line) + length(word) > width {
                let (head, tail) = split_at(word, width - length(&line));
                lines.push(std::mem::replace(&mut line, margin.clone()) + head);
                word = tail;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        lines.push(line);
    }
    lines
}

/// Characters of a text.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

fn split_at(word: &str, characters: usize) -> (&str, &str) {
    let at = word.char_indices().nth(characters).map_or(word.len(), |(at, _)| at);
    word.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("load the entry", 9, 2), ["load the", "  entry"]);
        assert_eq!(wrap("abcdefghij klm", 6, 1), ["abcdef", " ghij", " klm"]);
        assert_eq!(wrap("one\ntwo three", 20, 2), ["one", "  two three"]);
        assert_eq!(wrap("", 5, 1), [""]);
        assert!(wrap("äöü äöüäöüäöü x", 4, 1).iter().all(|line| length(line) <= 4));
    }
}
