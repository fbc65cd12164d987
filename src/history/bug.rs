//! What is known of a historic bug.

use crate::platform::Variant;

/// A bug that Linux had.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its number in the corpus.
    pub id: &'static str,
    /// What went wrong, in a few words.
    pub title: &'static str,
    /// Its CVE number, if it has one.
    pub cve: Option<&'static str>,
    /// The commit that mended it.
    pub fixed_by: &'static str,
    /// The version with that commit.
    pub fixed_in: &'static str,
    /// The year of the fix.
    pub year: u16,
    /// How it happened.
    pub mechanics: &'static str,
    /// How it was mended.
    pub mended_by: &'static str,
    /// The invariant that falls.
    pub falls: &'static str,
    /// How it is brought back.
    pub reproduction: Reproduction,
}

/// How a bug is brought back, and where it shows.
#[derive(Clone, Copy, Debug)]
pub enum Reproduction {
    /// Something that its fix added is removed, and a scenario of the library fails.
    Removed {
        /// What is removed.
        variant: Variant,
        /// The scenario.
        scenario: &'static str,
    },
    /// The broken form of a lock-order scenario.
    LockOrder {
        /// The scenario.
        scenario: &'static str,
    },
}

impl Reproduction {
    /// The command that shows the bug.
    pub fn command(self) -> String {
        match self {
            Self::Removed { variant, scenario } => format!("pagerace check --variant {} {scenario}", variant.name()),
            Self::LockOrder { scenario } => format!("pagerace lockdep {scenario}"),
        }
    }
}
