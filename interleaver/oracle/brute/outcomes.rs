//! Every outcome of a program, by a search over its states.

use super::state::{Machine, State, Waiting};
use crate::oracle::program::Program;
use std::collections::HashSet;

/// What one execution showed: values that each thread saw, values at the end, and whether it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome {
    pub seen: Vec<Vec<u8>>,
    pub finals: Option<Vec<u8>>,
}

/// Every outcome of the program.
pub fn outcomes(program: &Program, waiting: Waiting) -> HashSet<Outcome> {
    let machine = Machine { program, waiting };
    let mut visited = HashSet::new();
    let mut todo = vec![machine.initial()];
    let mut outcomes = HashSet::new();
    while let Some(state) = todo.pop() {
        if !visited.insert(state.clone()) {
            continue;
        }
        let moves = machine.moves(&state);
        if moves.iter().all(|mv| machine.may_be_left_out(&state, mv)) {
            outcomes.insert(outcome(&machine, &state));
        }
        for mv in moves {
            let mut next = state.clone();
            machine.step(&mut next, &mv);
            todo.push(next);
        }
    }
    outcomes
}

fn outcome(machine: &Machine<'_>, s: &State) -> Outcome {
    let over = (0..s.threads.len()).all(|t| machine.has_ended(s, t));
    let finals = over.then(|| s.atomics.iter().chain(&s.counters).copied().collect());
    Outcome { seen: s.threads.iter().map(|t| t.seen.clone()).collect(), finals }
}
