//! The results as a table that can be pasted into a page, or as JSON.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use super::Row;
use super::run::{Reach, Run};

const HEAD: [&str; 6] = ["program", "interleaver", "loom", "shuttle", "against loom", "against shuttle"];

/// A row for each program, columns aligned, and below it what the words mean.
pub fn markdown(rows: &[Row], seconds: Duration) {
    let rule = HEAD.map(|_| "---".to_owned());
    let cells: Vec<[String; 6]> =
        [HEAD.map(str::to_owned), rule].into_iter().chain(rows.iter().map(cells_of)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    for row in &cells {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("| {} |", padded.collect::<Vec<_>>().join(" | "));
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    println!(
        "\nExecutions, time, executions a second. *capped*: not finished after {} s. *against*: how much sooner \
         interleaver is done, and its rate over theirs. {cores} core(s).\n",
        seconds.as_secs_f64()
    );
    rows.iter().for_each(|row| println!("- {}: {}", row.program.name, row.program.what));
}

fn cells_of(row: &Row) -> [String; 6] {
    let none = || "-".to_owned();
    [
        row.program.name.to_owned(),
        cell(&row.interleaver),
        cell(&row.loom),
        row.shuttle.as_ref().map_or_else(none, cell),
        against(&row.interleaver, &row.loom),
        row.shuttle.as_ref().map_or_else(none, |shuttle| against(&row.interleaver, shuttle)),
    ]
}

fn cell(run: &Run) -> String {
    let capped = if run.reach == Reach::Capped { "capped: " } else { "" };
    format!("{capped}{}, {}, {}/s", grouped(run.executions), time(run.elapsed), grouped(round(run.rate())))
}

/// How much sooner we are done, and our rate over theirs.
fn against(ours: &Run, theirs: &Run) -> String {
    let sooner = theirs.elapsed.as_secs_f64() / ours.elapsed.as_secs_f64();
    let sooner = match (ours.reach, theirs.reach) {
        (Reach::Complete, Reach::Complete) => format!("{}x", ratio(sooner)),
        (Reach::Complete, Reach::Capped) => format!("over {}x", ratio(sooner)),
        (Reach::Capped, Reach::Complete) => format!("under {}x", ratio(sooner)),
        (Reach::Capped, Reach::Capped) => "?".to_owned(),
    };
    format!("{sooner}, {}x", ratio(ours.rate() / theirs.rate()))
}

fn ratio(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { grouped(round(value)) }
}

/// Three digits say all that such a measurement knows.
fn round(value: f64) -> u64 {
    let digits = value.max(1.0).log10().floor() as i32;
    let unit = 10f64.powi((digits - 2).max(0));
    ((value / unit).round() * unit) as u64
}

fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let (value, unit) = match seconds {
        _ if seconds < 1e-3 => (seconds * 1e6, "us"),
        _ if seconds < 1.0 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let decimals = if value < 10.0 { 1 } else { 0 };
    format!("{value:.decimals$} {unit}")
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A line for each run.
pub fn json(rows: &[Row]) {
    for row in rows {
        let runs =
            [("interleaver", Some(&row.interleaver)), ("loom", Some(&row.loom)), ("shuttle", row.shuttle.as_ref())];
        for (engine, run) in runs.into_iter().filter_map(|(engine, run)| Some((engine, run?))) {
            let object = serde_json::json!({
                "program": row.program.name, "engine": engine, "executions": run.executions,
                "seconds": run.elapsed.as_secs_f64(), "executions_per_second": run.rate(),
                "capped": run.reach == Reach::Capped,
            });
            println!("{object}");
        }
    }
}
