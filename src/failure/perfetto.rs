//! A failure in Chrome's trace-event format, which ui.perfetto.dev and chrome://tracing open: a track for each thread,
//! the step's number for the time in microseconds, functions and locks as slices, the violation as an instant.

use serde_json::{Value, json};

use super::record::{Failure, What};

/// All tracks are of one process.
const PROCESS: u32 = 1;
/// The locks of a thread have a track of their own below it: they are not released in the order of the calls.
const LOCKS: usize = 100;

/// The trace.
pub fn perfetto(failure: &Failure) -> Value {
    let mut events = Vec::new();
    for (number, thread) in failure.threads.iter().enumerate() {
        let names = [(number, thread.name.clone()), (LOCKS + number, format!("{}: locks", thread.name))];
        for (tid, name) in names {
            events.push(json!({
                "ph": "M", "name": "thread_name", "pid": PROCESS, "tid": tid, "args": { "name": name },
            }));
        }
    }
    let mut held: Vec<Vec<String>> = vec![Vec::new(); failure.threads.len()];
    let mut open = vec![0_usize; failure.threads.len()];
    for step in &failure.steps {
        let (thread, time) = (step.thread, step.number);
        let function = step.functions.last().copied().unwrap_or_default();
        let of = |phase: &str, name: &str, args: Value| event(phase, name, (thread, time), args);
        match &step.what {
            What::Enter { arguments } => {
                open[thread] += 1;
                events.push(of("B", function, json!({ "arguments": arguments })));
            }
            What::Leave { result } => {
                open[thread] = open[thread].saturating_sub(1);
                events.push(of("E", function, json!({ "result": result })));
            }
            What::Remark { words } => events.push(instant(of("i", words, json!({})))),
            What::Operation(doing) => {
                let name = format!("{} {}", doing.verb, doing.object);
                let args = json!({ "outcome": doing.outcome, "place": doing.place, "preempts": step.preempts });
                events.push(instant(of("i", name.trim(), args)));
            }
            What::Plain { upholds, written, place } => {
                let args = json!({ "written": written, "place": place });
                events.push(instant(of("i", &format!("plain data: {upholds}"), args)));
            }
        }
        locks(&mut events, thread, time, &held[thread], &step.held);
        held[thread].clone_from(&step.held);
    }
    let end = failure.violation.after_step + 1;
    for (thread, held) in held.iter().enumerate() {
        let close = |tid: usize| json!({ "ph": "E", "pid": PROCESS, "tid": tid, "ts": end });
        events.extend((0..open[thread]).map(|_| close(thread)));
        locks(&mut events, thread, end, held, &[]);
    }
    events.push(json!({
        "ph": "i", "s": "g", "name": failure.violation.words, "cat": failure.violation.kind,
        "pid": PROCESS, "tid": failure.violation.thread.unwrap_or_default(), "ts": end, "args": {},
    }));
    json!({ "traceEvents": events, "otherData": { "token": failure.token, "scenario": failure.scenario } })
}

fn event(phase: &str, name: &str, (track, time): (usize, usize), args: Value) -> Value {
    json!({ "ph": phase, "name": name, "pid": PROCESS, "tid": track, "ts": time, "args": args })
}

/// An instant of its thread only.
fn instant(mut event: Value) -> Value {
    event["s"] = json!("t");
    event
}

/// Ends the slices of the locks that changed, and begins those that are held now: slices nest, so one that was taken
/// before a lock that is released is ended and begun again.
fn locks(events: &mut Vec<Value>, thread: usize, time: usize, before: &[String], after: &[String]) {
    let same = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let of = |phase: &str, name: &str| event(phase, name, (LOCKS + thread, time), json!({}));
    events.extend(before[same..].iter().rev().map(|name| of("E", name)));
    events.extend(after[same..].iter().map(|name| of("B", name)));
}
