//! A failure as a mermaid sequence diagram: the actors and what they share are participants, an operation is an arrow.

use std::fmt::Write as _;

use super::record::{Effect, Failure, Phase, What};

/// The diagram; `graph` tools and web pages that know mermaid draw it.
pub fn mermaid(failure: &Failure) -> String {
    let mut text = "sequenceDiagram\n".to_owned();
    let mut line = |words: String| writeln!(text, "    {words}").expect("a string has room");
    for (number, thread) in failure.actors() {
        line(format!("actor T{number} as {}: {}", escaped(&thread.name), escaped(&thread.does.join("; "))));
    }
    let steps: Vec<_> = failure.steps_of(Phase::Race).filter(|step| step.matters && step.thread != 0).collect();
    let mut objects: Vec<&str> = Vec::new();
    for doing in steps.iter().filter_map(|step| step.what.operation()) {
        if !doing.object.is_empty() && !objects.contains(&doing.object.as_str()) {
            line(format!("participant O{} as {}", objects.len(), escaped(&doing.object)));
            objects.push(&doing.object);
        }
    }
    for step in steps {
        let (who, number) = (step.thread, step.number);
        if step.preempts {
            line(format!("Note over T{who}: preempts"));
        }
        match &step.what {
            What::Enter { .. } => {
                line(format!("Note over T{who}: {}", escaped(step.functions.last().copied().unwrap_or_default())));
            }
            What::Operation(doing) => {
                let object = objects.iter().position(|object| *object == doing.object);
                let to = object.map_or(format!("T{who}"), |object| format!("O{object}"));
                let arrow = if doing.effect == Effect::Changes { "->>" } else { "-->>" };
                let words = escaped(format!("{} {}", doing.verb, doing.outcome).trim());
                line(format!("T{who}{arrow}{to}: {number} {words}"));
            }
            What::Remark { words } => line(format!("Note right of T{who}: {}", escaped(words))),
            What::Plain { upholds, .. } => line(format!("Note over T{who}: {number} race on {}", escaped(upholds))),
            What::Leave { .. } => {}
        }
    }
    let last = failure.actors().last().map_or(1, |(number, _)| number);
    let over = if last == 1 { "T1".to_owned() } else { format!("T1,T{last}") };
    line(format!("Note over {over}: {}", escaped(&failure.violation.words)));
    text
}

/// What has a meaning in mermaid, by its number.
fn escaped(words: &str) -> String {
    let mut text = String::new();
    for letter in words.chars() {
        match letter {
            '#' | ';' | '<' | '>' => text += &format!("#{};", u32::from(letter)),
            '\n' => text += "<br/>",
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mermaid_would_read_as_its_own_is_escaped() {
        assert_eq!(escaped("ptl#2; a -> b\nc"), "ptl#35;2#59; a -#62; b<br/>c");
    }
}
