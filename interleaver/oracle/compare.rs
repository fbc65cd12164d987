//! One program on the engine and by brute force, and what the difference is.

use super::brute::{Waiting, count_traces, outcomes};
use super::engine::{self, Making};
use super::program::Program;
use interleaver::Builder;

/// What comparing one program showed.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Outcomes of the oracle that the engine never reached.
    pub missed: u64,
    /// Outcomes of the engine that the oracle does not know.
    pub invented: u64,
    /// Executions beyond the number of traces, when that number is known; fewer count as missed.
    pub redundant: u64,
    pub blocked: u64,
    pub executions: u64,
    /// Whether the number of traces was computed.
    pub counted: bool,
}

impl Verdict {
    /// Whether every outcome was reached and no other, and every trace explored once.
    pub fn is_good(&self) -> bool {
        self.missed + self.invented + self.redundant + self.blocked == 0
    }
}

/// Interleavings up to which traces are counted.
pub const MOST_INTERLEAVINGS: u64 = 60_000;

/// Compares the engine with brute force on one program.
pub fn compare(program: &Program, builder: &Builder, making: Making) -> Verdict {
    let expected = outcomes(program, Waiting::OneStep);
    let builder = builder.clone().weak_failures(program.weak_failures).spurious_wakeups(program.spurious_wakeups);
    let (found, report) = engine::run(program, &builder, making);
    let traces = count_traces(program, MOST_INTERLEAVINGS);
    let executions = report.executions;
    let too_few = traces.map_or(0, |t| t.saturating_sub(executions));
    Verdict {
        missed: expected.difference(&found).count() as u64 + too_few,
        invented: found.difference(&expected).count() as u64,
        redundant: traces.map_or(0, |t| executions.saturating_sub(t)),
        blocked: report.blocked,
        executions,
        counted: traces.is_some(),
    }
}
