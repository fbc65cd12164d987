//! From a token to the failure.

use thiserror::Error;

use crate::platform::interleaved::Reason;

use super::record::Failure;
use super::token::ReplayToken;

/// What came of a replay.
#[derive(Clone, Debug)]
pub enum Replayed {
    /// It fails as it did.
    Violated(Box<Failure>),
    /// It goes through, and nothing fails: somebody has mended the kernel, or the scenario.
    Holds,
}

/// The token does not lead to the execution that it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoReplay {
    /// The schedule cannot be followed.
    #[error("the token's schedule does not fit this build: at step {step} it wants {wanted}, and there is {met}")]
    DoesNotFit {
        /// Counted from 1.
        step: usize,
        /// What the schedule says.
        wanted: String,
        /// What the code does.
        met: String,
    },
    /// It can be followed, and leads elsewhere.
    #[error("the token is of another build: its steps sum up to {wanted:08x}, and those of this build to {met:08x}")]
    OtherSteps {
        /// The sum in the token.
        wanted: u32,
        /// The sum of the steps that were taken.
        met: u32,
    },
}

impl NoReplay {
    /// How it goes right.
    pub fn hint(&self) -> &'static str {
        "replay it with the build that printed it, or run `pagerace check` again for a new one"
    }
}

/// Plays the execution again, with everything told.
///
/// # Errors
/// If this build does not come to the execution that the token was made from.
pub fn replay(token: &ReplayToken) -> Result<Replayed, NoReplay> {
    let Some(execution) = token.subject.replay(&token.recipe.schedule) else {
        return Ok(Replayed::Holds);
    };
    if let Reason::Nondeterminism { step, expected, met } = execution.reason {
        return Err(NoReplay::DoesNotFit { step: step + 1, wanted: expected, met });
    }
    let (wanted, met) = (token.recipe.fingerprint, execution.recipe.fingerprint);
    if wanted != met {
        return Err(NoReplay::OtherSteps { wanted, met });
    }
    Ok(Replayed::Violated(Box::new(Failure::of(token, &execution))))
}
