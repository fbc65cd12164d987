//! Plain data that a lock protects, with its type.

use std::fmt;
use std::marker::PhantomData;

use super::seam::{Platform, RaceWord};

/// What fits into one word of plain data.
pub trait Word: Copy {
    /// The value as a word.
    fn into_word(self) -> u64;
    /// The value of a word that [`Word::into_word`] made.
    fn from_word(word: u64) -> Self;
}

impl Word for u64 {
    fn into_word(self) -> u64 {
        self
    }

    fn from_word(word: u64) -> Self {
        word
    }
}

impl Word for bool {
    fn into_word(self) -> u64 {
        u64::from(self)
    }

    fn from_word(word: u64) -> Self {
        word != 0
    }
}

/// A value that is read and written without atomics because something else orders the accesses.
///
/// Natively it is a relaxed atomic (so a bug is no undefined behaviour); under a checker an access that nothing orders
/// is a failure that names what the cell upholds.
pub struct RaceCell<P: Platform, T> {
    word: P::RaceWord,
    _type: PhantomData<T>,
}

impl<P: Platform, T: Word> RaceCell<P, T> {
    /// A cell; `upholds` names the invariant that falls if an access to it races.
    pub fn new(upholds: &'static str, value: T) -> Self {
        Self { word: P::RaceWord::new(upholds, value.into_word()), _type: PhantomData }
    }

    /// Reads the value.
    #[track_caller]
    pub fn get(&self) -> T {
        T::from_word(self.word.get())
    }

    /// Writes the value.
    #[track_caller]
    pub fn set(&self, value: T) {
        self.word.set(value.into_word());
    }
}

impl<P: Platform, T: Word + fmt::Debug> fmt::Debug for RaceCell<P, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: reading it here could itself be the race.
        formatter.debug_struct("RaceCell").finish_non_exhaustive()
    }
}
