//! Replay tokens: a schedule as short text.
//!
//! ```text
//!   il1:name:0*3,1*2.1,0      version, name, then runs "thread*times", ".choice" when it is not the first
//! ```

use crate::search::plan::Decision;
use std::fmt;
use std::str::FromStr;

/// A schedule that can be printed, pasted and replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub(crate) name: String,
    pub(crate) schedule: Vec<Decision>,
}

/// Why a text is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadToken {
    wanted: &'static str,
    got: String,
}

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a replay token: wanted {}, got {:?}", self.wanted, self.got)
    }
}

impl std::error::Error for BadToken {}

const VERSION: &str = "il1";

impl Token {
    /// The name of the check that made it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many decisions it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.schedule.len()
    }

    /// Whether it holds no decision.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.schedule.is_empty()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: String = self.name.chars().map(|c| if c == ':' || c.is_whitespace() { '_' } else { c }).collect();
        write!(f, "{VERSION}:{name}:")?;
        for (index, run) in self.schedule.chunk_by(|a, b| a == b).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", run[0].thread)?;
            if run.len() > 1 {
                write!(f, "*{}", run.len())?;
            }
            if run[0].choice != 0 {
                write!(f, ".{}", run[0].choice)?;
            }
        }
        Ok(())
    }
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Token, BadToken> {
        let bad = |wanted| BadToken { wanted, got: text.to_owned() };
        let mut parts = text.trim().splitn(3, ':');
        if parts.next() != Some(VERSION) {
            return Err(bad("version il1 at its head"));
        }
        let name = parts.next().ok_or_else(|| bad("a name after the version"))?.to_owned();
        let runs = parts.next().ok_or_else(|| bad("a schedule after the name"))?;
        let mut schedule = Vec::new();
        for run in runs.split(',').filter(|r| !r.is_empty()) {
            let (head, choice) = run.split_once('.').unwrap_or((run, "0"));
            let (thread, times) = head.split_once('*').unwrap_or((head, "1"));
            let thread = thread.parse().map_err(|_| bad("a thread number"))?;
            let choice = choice.parse().map_err(|_| bad("a choice number"))?;
            let times: u32 = times.parse().map_err(|_| bad("a number of times"))?;
            if times > 10_000_000 {
                return Err(bad("fewer than ten million steps"));
            }
            schedule.extend(std::iter::repeat_n(Decision { thread, choice }, times as usize));
        }
        Ok(Token { name, schedule })
    }
}
