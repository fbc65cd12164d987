//! Comparing the engine with brute force; used by the tests and by the example of the same name.

pub mod brute;
pub mod engine;
pub mod program;

use brute::Waiting;
use interleaver::Builder;
use program::Program;

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
    pub fn is_good(&self) -> bool {
        self.missed + self.invented + self.redundant + self.blocked == 0
    }
}

/// Interleavings up to which traces are counted.
pub const MOST_INTERLEAVINGS: u64 = 60_000;

/// Compares the engine with brute force on one program.
pub fn compare(program: &Program, builder: &Builder) -> Verdict {
    let expected = brute::outcomes(program, Waiting::OneStep);
    let (found, report) = engine::run(program, builder);
    let traces = brute::count_traces(program, MOST_INTERLEAVINGS);
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
