//! The same programs on interleaver, loom and shuttle, and two races of page faults on interleaver and loom, in one
//! process: executions, seconds, and how the engines compare.
//!
//! ```console
//! cargo bench --bench engines -- --seconds 10
//! ```
//!
//! prints the tables that stand in the two READMEs. Programs a to g are small and each about one thing that page faults
//! do; h has no step that commutes with another thread's, so it shows the rate and nothing else. The page faults are
//! scenarios of the library, run through the seam, which has no back end for shuttle. Where loom is compared, it has no
//! bound on preemptions either; it also explores stale reads, which interleaver does not.

mod programs;
mod run;
mod table;

use std::time::Duration;

use clap::Parser;
use pagerace::platform::{FourLevels, TwoLevels};

use programs::{NAMES, interleaved, loomed, shuttled};
use run::{Check, Run};

/// Run the same programs on interleaver, loom and shuttle, and print a table in Markdown.
#[derive(Parser)]
#[command(name = "cargo bench --bench engines --", max_term_width = 100)]
struct Args {
    /// Seconds that each engine gets for each program; a run that needs more is marked "capped"
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// Only programs whose names begin with this: a letter from a to h, or same-pte
    #[arg(long, value_name = "PATTERN", default_value = "")]
    only: String,
    /// Print a JSON object for each run instead of the table
    #[arg(long)]
    json: bool,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0 && *seconds <= 86_400.0);
    number.map(Duration::from_secs_f64).ok_or_else(|| "expected more than 0 seconds and at most a day".to_owned())
}

/// A program, and how each engine checks it; none where it cannot.
struct Program {
    name: &'static str,
    what: &'static str,
    interleaver: Check,
    loom: Check,
    shuttle: Option<Check>,
}

/// What came of it.
struct Row {
    program: Program,
    interleaver: Run,
    loom: Run,
    shuttle: Option<Run>,
}

fn programs() -> impl Iterator<Item = Program> {
    let small = NAMES.iter().enumerate().map(|(index, (name, what))| Program {
        name,
        what,
        interleaver: run::on_interleaver(interleaved::PROGRAMS[index]),
        loom: run::on_loom(loomed::PROGRAMS[index]),
        shuttle: Some(run::on_shuttle(shuttled::PROGRAMS[index])),
    });
    let faults = [
        run::faults::<FourLevels>("same-pte-four-levels", "2 write faults on one PTE, 4 levels, all tables missing"),
        run::faults::<TwoLevels>("same-pte-three", "3 write faults on one PTE, 2 levels, its table stands"),
    ];
    small.chain(faults)
}

fn main() {
    let args = Args::parse();
    let chosen: Vec<Program> = programs().filter(|program| program.name.starts_with(&args.only)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = programs().map(|program| program.name).collect();
        eprintln!("error: no program begins with '{}'; there are {}", args.only, names.join(", "));
        std::process::exit(2);
    }
    let timed = |engine: &str, name: &str, check: &Check| {
        eprintln!("{name} on {engine}");
        run::repeated(args.seconds, check)
    };
    let mut rows: Vec<Row> = Vec::new();
    for program in chosen {
        let interleaver = timed("interleaver", program.name, &program.interleaver);
        let loom = timed("loom", program.name, &program.loom);
        rows.push(Row { program, interleaver, loom, shuttle: None });
    }
    // shuttle comes last: the panic hook that it leaves behind does not go with the way in which loom ends its
    // coroutines.
    for row in &mut rows {
        row.shuttle = row.program.shuttle.as_ref().map(|check| timed("shuttle", row.program.name, check));
    }
    if args.json { table::json(&rows) } else { table::markdown(&rows, args.seconds) }
}
