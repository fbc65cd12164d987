//! Replay tokens: everything that leads to one execution, as a word that can be pasted.
//!
//! ```text
//!   p1~same-pte~M14~0x96_1x35_2x27c1_0~5f00ba1252a7
//!   |  |        |   |                  |       +- sum of the text before it: it was pasted whole
//!   |  |        |   |                  +- sum of the steps that were taken: this build takes the same ones
//!   |  |        |   +- which thread goes how many steps; "c1": and takes the second of its possibilities
//!   |  |        +- what is removed, or nothing; of a lock-order scenario: "broken" or "fixed"
//!   |  +- the scenario
//!   +- version
//! ```
//!
//! It is made of letters, digits and `- . _ ~`, which neither shells nor URLs take for anything else.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::platform::interleaved::{Failing, Recipe, Token};

use super::subject::{NoSubject, Subject};

const VERSION: &str = "p1";
const PARTS: usize = 5;
/// Digits of the two sums.
const STEPS_DIGITS: usize = 8;
const TEXT_DIGITS: usize = 4;

/// One execution of one scenario.
#[derive(Clone, Debug)]
pub struct ReplayToken {
    /// What is played.
    pub subject: Subject,
    /// The choices, and what they led to.
    pub recipe: Recipe,
}

/// Why a text is no token, or not one for this build.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadReplayToken {
    /// It does not begin like one.
    #[error("this is no replay token: wanted 'p1~' at its head, got '{0}'")]
    NoToken(String),
    /// It is one of another version.
    #[error("the token is of version '{0}', and this build reads '{VERSION}'")]
    OtherVersion(String),
    /// A character that no token has.
    #[error("the token has {found:?} as its character {at}; wanted letters, digits and - . _ ~ only")]
    BadCharacter {
        /// Which.
        found: char,
        /// Where, counted from 1.
        at: usize,
    },
    /// Parts are missing.
    #[error("the token is cut off: wanted {PARTS} parts between '~', got {0}")]
    CutOff(usize),
    /// Its text is not what was summed up.
    #[error("the token is damaged or cut off: its text sums up to '{wanted}', but it ends in '{got}'")]
    Damaged {
        /// The sum of the text.
        wanted: String,
        /// What stands at its end.
        got: String,
    },
    /// No such scenario.
    #[error("the token is of the scenario '{0}', which this build does not have")]
    NoScenario(String),
    /// No such variant.
    #[error("the token is of the variant '{0}', which this build does not have")]
    NoVariant(String),
    /// No such form.
    #[error("the token is of the form '{0}' of a lock order; wanted 'broken' or 'fixed'")]
    NoForm(String),
    /// The schedule cannot be read.
    #[error("the token's schedule cannot be read: {0}")]
    BadSchedule(String),
}

impl BadReplayToken {
    /// How it goes right.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoToken(_) => "`pagerace check` prints a token with each failure: 'pagerace replay TOKEN'",
            Self::BadCharacter { .. } | Self::CutOff(_) | Self::Damaged { .. } => {
                "copy the whole token, from 'p1~' to its last digit"
            }
            Self::OtherVersion(_)
            | Self::NoScenario(_)
            | Self::NoVariant(_)
            | Self::NoForm(_)
            | Self::BadSchedule(_) => {
                "replay it with the build that printed it, or run `pagerace check` again for a new one"
            }
        }
    }
}

impl ReplayToken {
    /// What leads to a failing execution: as it was found, and then, if there is one, a simpler one.
    pub fn of(subject: Subject, failing: &Failing) -> Vec<Self> {
        let recipes = [Some(&failing.found), failing.shrunk.as_ref()].into_iter().flatten();
        recipes.map(|recipe| Self { subject, recipe: recipe.clone() }).collect()
    }
}

impl fmt::Display for ReplayToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kernel) = (self.subject.name(), self.subject.kernel());
        let schedule = schedule_text(&self.recipe.schedule);
        let text = format!("{VERSION}~{name}~{kernel}~{schedule}~{:08x}", self.recipe.fingerprint);
        write!(formatter, "{text}{:04x}", sum(&text))
    }
}

impl FromStr for ReplayToken {
    type Err = BadReplayToken;

    fn from_str(text: &str) -> Result<Self, BadReplayToken> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('~').collect();
        match parts[0] {
            VERSION if parts.len() > 1 => {}
            other if parts.len() == PARTS && other.starts_with('p') && other[1..].parse::<u32>().is_ok() => {
                return Err(BadReplayToken::OtherVersion(other.to_owned()));
            }
            _ => return Err(BadReplayToken::NoToken(text.chars().take(40).collect())),
        }
        let is_known = |found: char| found.is_ascii_alphanumeric() || "-._~".contains(found);
        if let Some((index, found)) = text.chars().enumerate().find(|(_, found)| !is_known(*found)) {
            return Err(BadReplayToken::BadCharacter { found, at: index + 1 });
        }
        let [_, name, kernel, schedule, sums] = parts.as_slice() else {
            return Err(BadReplayToken::CutOff(parts.len()));
        };
        let fingerprint = check_sums(text, sums)?;
        let subject = Subject::find(name, kernel).map_err(|no| match no {
            NoSubject::Scenario => BadReplayToken::NoScenario((*name).to_owned()),
            NoSubject::Variant => BadReplayToken::NoVariant((*kernel).to_owned()),
            NoSubject::Form => BadReplayToken::NoForm((*kernel).to_owned()),
        })?;
        let schedule = parse_schedule(name, schedule)?;
        Ok(Self { subject, recipe: Recipe { schedule, fingerprint } })
    }
}

/// The sum of the steps, if the sum of the text is right.
fn check_sums(text: &str, sums: &str) -> Result<u32, BadReplayToken> {
    let at = text.len() - sums.len().min(TEXT_DIGITS);
    let wanted = format!("{:04x}", sum(&text[..at]));
    let damaged = BadReplayToken::Damaged { wanted: wanted.clone(), got: text[at..].to_owned() };
    if sums.len() != STEPS_DIGITS + TEXT_DIGITS || text[at..] != wanted {
        return Err(damaged);
    }
    u32::from_str_radix(&sums[..STEPS_DIGITS], 16).map_err(|_| damaged)
}

/// FNV-1a, folded to 16 bits.
fn sum(text: &str) -> u16 {
    let sum = text.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (sum ^ sum >> 16) as u16
}

/// The engine writes `0*96,1*27.1`; here it is `0x96_1x27c1`.
const SIGNS: [(char, char); 3] = [('*', 'x'), (',', '_'), ('.', 'c')];

fn schedule_text(schedule: &Token) -> String {
    let printed = schedule.to_string();
    let runs = printed.rsplit(':').next().unwrap_or_default();
    let sign = |found: char| SIGNS.iter().find(|(theirs, _)| *theirs == found).map_or(found, |(_, ours)| *ours);
    runs.chars().map(sign).collect()
}

fn parse_schedule(name: &str, runs: &str) -> Result<Token, BadReplayToken> {
    let sign = |found: char| SIGNS.iter().find(|(_, ours)| *ours == found).map_or(found, |(theirs, _)| *theirs);
    let runs: String = runs.chars().map(sign).collect();
    let bad = |why: String| BadReplayToken::BadSchedule(why);
    let token: Token = format!("il1:{name}:{runs}").parse().map_err(|error| bad(format!("{error}")))?;
    if token.is_empty() { Err(bad("it has no step".to_owned())) } else { Ok(token) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(kernel: &str, schedule: &str) -> ReplayToken {
        of("same-pte", kernel, schedule)
    }

    fn of(name: &str, kernel: &str, schedule: &str) -> ReplayToken {
        let subject = Subject::find(name, kernel).expect("there is one");
        let schedule = parse_schedule(name, schedule).expect("a schedule");
        ReplayToken { subject, recipe: Recipe { schedule, fingerprint: 0x5f00_ba12 } }
    }

    fn signed(text: &str) -> String {
        format!("{text}{:04x}", sum(text))
    }

    fn error(text: &str) -> BadReplayToken {
        text.parse::<ReplayToken>().expect_err("it is bad")
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let tokens = [
            token("M14", "0x96_1x35_2x27c1_0"),
            token("", "0_1_0"),
            token("copy-first-4.4", "3x2c7"),
            of("two-ptls", "broken", "0x9_1"),
        ];
        for token in tokens {
            let written = token.to_string();
            let read: ReplayToken = written.parse().expect("a token");
            let names = |token: &ReplayToken| (token.subject.name(), token.subject.kernel());
            assert_eq!((names(&read), &read.recipe), (names(&token), &token.recipe));
            assert_eq!(read.to_string(), written);
            assert!(written.chars().all(|found| found.is_ascii_alphanumeric() || "-._~".contains(found)), "{written}");
        }
    }

    #[test]
    fn every_shorter_or_altered_token_is_refused() {
        let whole = token("M14", "0x96_1x35_2x27c1_0").to_string();
        for length in 0..whole.len() {
            error(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            error(&String::from_utf8(bytes).expect("ASCII"));
        }
    }

    #[test]
    fn each_mistake_has_its_own_words() {
        assert!(matches!(error("il1:same-pte:0"), BadReplayToken::NoToken(_)));
        assert!(matches!(error("p2~same-pte~~0~1"), BadReplayToken::OtherVersion(_)));
        assert_eq!(error("p1~same-pte~~0*2~1"), BadReplayToken::BadCharacter { found: '*', at: 15 });
        assert_eq!(error("p1~same-pte~M14"), BadReplayToken::CutOff(3));
        assert!(matches!(error("p1~same-pte~~0~123456780000"), BadReplayToken::Damaged { .. }));
        assert_eq!(error(&signed("p1~no-such~~0~12345678")), BadReplayToken::NoScenario("no-such".to_owned()));
        assert_eq!(error(&signed("p1~same-pte~M999~0~12345678")), BadReplayToken::NoVariant("M999".to_owned()));
        assert_eq!(error(&signed("p1~two-ptls~M14~0~12345678")), BadReplayToken::NoForm("M14".to_owned()));
        assert!(matches!(error(&signed("p1~same-pte~~0x9_zz~12345678")), BadReplayToken::BadSchedule(_)));
        assert!(matches!(error(&signed("p1~same-pte~~~12345678")), BadReplayToken::BadSchedule(_)));
    }
}
