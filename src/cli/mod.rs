//! The command line: a file a subcommand.

mod bugs;
mod check;
mod failing;
mod flood;
mod interrupt;
mod lockdep;
mod numbers;
mod output;
mod parse;
mod progress;
mod replay;
mod story;
mod stress;
mod trace;
mod variants;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Races the Linux page-fault path against itself: can two page faults break this?
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Start with `pagerace check`. Exit codes: 0 all holds, 1 something was violated, \
                  2 bad usage, 3 not decided within the budget, 130 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Trace(trace::Trace),
    Check(check::Check),
    Replay(replay::Replay),
    Variants(variants::VariantsArgs),
    Bugs(bugs::BugsArgs),
    Lockdep(lockdep::LockdepArgs),
    Flood(flood::FloodArgs),
    Stress(stress::StressArgs),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Holds,
    Violated,
    Usage,
    /// A budget ended it, or it was only a part, before anything was violated or all was explored.
    Undecided,
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Holds => Self::SUCCESS,
            Exit::Violated => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Undecided => Self::from(3),
            // What a shell reports of a process that SIGINT ended.
            Exit::Interrupted => Self::from(130),
        }
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Trace(trace) => trace.run(),
        Command::Check(check) => check.run(),
        Command::Replay(replay) => replay.run(),
        Command::Variants(variants) => variants.run(),
        Command::Bugs(bugs) => bugs.run(),
        Command::Lockdep(lockdep) => lockdep.run(),
        Command::Flood(flood) => flood.run(),
        Command::Stress(stress) => stress.run(),
    }
    .into()
}

/// Says what the user did wrong, and how it goes right.
fn usage(error: &str, hint: &str) -> Exit {
    anstream::eprintln!("error: {error}\n\n  {hint}\n\nFor more information, try '--help'.");
    Exit::Usage
}
