//! Deliberate defects: each re-check and each ordering that matters has a name by which it can be removed, so that a
//! checker can be asked whether it would notice.
//!
//! A place says so in one line: [`recheck`] around a test that a race can lose, [`lacks`] before a step that can be
//! left out, [`ordering`] where an ordering can be weakened. Where the platform is not [`Platform::CHECKED`], all
//! three are what they are without the variant, and cost nothing.
//!
//! Which variant is removed is a setting of the host's thread: an execution of a model runs on one, and sets it anew
//! when it begins.
//!
//! # Windows
//! A re-check also counts how often it held and how often the race was lost. The two numbers of an execution are kept
//! by the host's thread, until [`Windows::take`].

use std::cell::Cell;

use super::probe::remark;
use super::seam::Platform;
use super::{Ordering, variants};

pub use variants::{COUNT, Kind, Variant};

thread_local! {
    static REMOVED: Cell<Option<Variant>> = const { Cell::new(None) };
    static WINDOWS: [Cell<Window>; COUNT] = const { [const { Cell::new(Window { held: 0, lost: 0 }) }; COUNT] };
}

/// How a re-check went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Times that nothing had changed.
    pub held: u64,
    /// Times that the race was lost, and the re-check noticed.
    pub lost: u64,
}

impl Window {
    /// Both numbers, added up.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { held: self.held + other.held, lost: self.lost + other.lost }
    }
}

/// How the re-checks of one execution, or of many, went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows([Window; COUNT]);

impl Default for Windows {
    fn default() -> Self {
        Self([Window::default(); COUNT])
    }
}

impl Windows {
    /// Takes what this thread of the host has counted since the last time.
    pub fn take() -> Self {
        Self(WINDOWS.with(|windows| windows.each_ref().map(Cell::take)))
    }

    /// Adds the numbers of other executions.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, window)| *sum = sum.plus(*window));
    }

    /// The window of a re-check.
    pub fn of(&self, variant: Variant) -> Window {
        self.0[variant as usize]
    }
}

/// Says which variant is removed from the models that this thread of the host runs from now on.
pub fn remove(variant: Option<Variant>) {
    REMOVED.set(variant);
}

/// Whether this is removed; who is told of the execution learns where that is felt.
pub fn lacks<P: Platform>(variant: Variant) -> bool {
    let lacks = P::CHECKED && REMOVED.get() == Some(variant);
    if lacks {
        remark::<P>(format_args!("{} is removed: {}", variant.name(), variant.removes()));
    }
    lacks
}

/// Whether what was seen before the lock still holds under it; a re-check that is removed is not made, and holds.
pub fn recheck<P: Platform>(variant: Variant, holds: impl FnOnce() -> bool) -> bool {
    if lacks::<P>(variant) {
        return true;
    }
    let holds = holds();
    if P::CHECKED {
        let one = Window { held: u64::from(holds), lost: u64::from(!holds) };
        WINDOWS.with(|windows| windows[variant as usize].update(|window| window.plus(one)));
    }
    holds
}

/// The ordering of an access, or no ordering if that is removed ([`Variant::guards_host_memory`] says where it is not).
pub fn ordering<P: Platform>(variant: Variant, needed: Ordering) -> Ordering {
    if !P::SEQUENTIAL && variant.guards_host_memory() {
        return needed;
    }
    // ORDER none: that is the defect.
    if lacks::<P>(variant) { Ordering::Relaxed } else { needed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::interleaved::Interleaved;
    use crate::platform::{Native, TwoLevels, X86_64};

    type Checked = Interleaved<TwoLevels>;

    #[test]
    fn what_is_removed_is_not_made_and_nothing_else_is_touched() {
        remove(Some(Variant::M13));
        assert!(recheck::<Checked>(Variant::M13, || unreachable!("it is removed")));
        assert!(!recheck::<Checked>(Variant::M14, || false));
        // ORDER none: nothing is accessed.
        assert_eq!(ordering::<Checked>(Variant::M13, Ordering::AcqRel), Ordering::Relaxed);
        assert_eq!(ordering::<Checked>(Variant::M14, Ordering::AcqRel), Ordering::AcqRel);
        assert!(!recheck::<Native<X86_64>>(Variant::M13, || false), "real threads run the whole kernel");
        remove(None);
        assert!(!lacks::<Checked>(Variant::M13));
    }

    #[test]
    fn windows_count_until_they_are_taken() {
        Windows::take();
        recheck::<Checked>(Variant::M14, || false);
        recheck::<Checked>(Variant::M14, || true);
        recheck::<Checked>(Variant::M14, || true);
        let mut sum = Windows::take();
        assert_eq!(sum.of(Variant::M14), Window { held: 2, lost: 1 });
        sum.add(&sum.clone());
        assert_eq!(sum.of(Variant::M14), Window { held: 4, lost: 2 });
        assert_eq!(Windows::take(), Windows::default());
    }
}
