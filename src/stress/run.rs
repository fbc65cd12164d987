//! A stress: program after program, until the time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::oracle::Evaluated;
use crate::platform::{FourLevels, Native, TwoLevels, Variant};
use crate::scenario::ShapeName;

use super::draw::{Drawn, draw};
use super::play::{Failure, play};

/// Which programs a stress plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// Those of the seed, of the seed plus one, and so on.
    Ascending,
    /// That of the seed, again and again: to meet the schedule that failed once more.
    Same,
}

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Stress {
    /// Threads.
    pub threads: usize,
    /// How long.
    pub duration: Duration,
    /// The seed of the first program.
    pub seed: u64,
    /// Which programs come after it.
    pub programs: Programs,
    /// What is removed from the kernel.
    pub removed: Option<Variant>,
}

/// What a stress came to.
#[derive(Clone, Debug)]
pub struct Stressed {
    /// Programs played.
    pub programs: u64,
    /// Operations in them.
    pub operations: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// How many facts each invariant was evaluated on.
    pub evaluated: Evaluated,
    /// The program that failed, by its seed, if one did.
    pub failure: Option<(u64, Box<Failure>)>,
}

/// Plays programs until the time is over, one has failed, or `stop` is set; `played` counts them on the way.
pub fn stress(stress: &Stress, stop: &AtomicBool, played: &AtomicU64) -> Stressed {
    let started = Instant::now();
    let mut stressed =
        Stressed { programs: 0, operations: 0, elapsed: Duration::ZERO, evaluated: Evaluated::new(), failure: None };
    // ORDER none: a flag, and below a number for the screen.
    while started.elapsed() < stress.duration && !stop.load(Ordering::Relaxed) {
        let seed = match stress.programs {
            Programs::Ascending => stress.seed.wrapping_add(stressed.programs),
            Programs::Same => stress.seed,
        };
        let Drawn { shape, program } = draw(seed, stress.threads);
        let program = Arc::new(program);
        let result = match shape {
            ShapeName::TwoLevels => play::<Native<TwoLevels, true>>(&program, stress.removed, &mut stressed.evaluated),
            ShapeName::FourLevels => {
                play::<Native<FourLevels, true>>(&program, stress.removed, &mut stressed.evaluated)
            }
        };
        stressed.programs += 1;
        stressed.operations += program.threads.iter().flatten().flatten().count() as u64;
        // ORDER none: as above.
        played.store(stressed.programs, Ordering::Relaxed);
        if let Err(failure) = result {
            stressed.failure = Some((seed, failure));
            break;
        }
    }
    Stressed { elapsed: started.elapsed(), ..stressed }
}

#[cfg(test)]
mod tests {
    use super::super::play::Fate;
    use super::*;

    fn of(seed: u64, seconds: u64, removed: Option<Variant>) -> Stressed {
        playing(Programs::Ascending, seed, seconds, removed)
    }

    fn playing(programs: Programs, seed: u64, seconds: u64, removed: Option<Variant>) -> Stressed {
        let duration = Duration::from_secs(seconds);
        let settings = Stress { threads: 2, duration, seed, programs, removed };
        stress(&settings, &AtomicBool::new(false), &AtomicU64::new(0))
    }

    #[test]
    fn a_healthy_kernel_holds_and_is_looked_at() {
        let stressed = of(1, 3, None);
        assert_eq!(stressed.failure, None);
        assert!(stressed.programs > 0);
        for id in ["D1", "D13", "D15", "D17", "D18", "D37", "D38"] {
            assert!(stressed.evaluated.get(id).is_some_and(|facts| *facts > 0), "{id} was evaluated on nothing");
        }
    }

    #[test]
    fn what_is_removed_is_found_when_nobody_runs() {
        // It needs no race: a fork, and a write to a page that is then taken for the writer's own. The page may be
        // shared by then, or it is only known by what the other one has seen.
        let (_, failure) = of(1, 60, Some(Variant::M23)).failure.expect("two processes share an exclusive page");
        let is_known = |words: &str| words.starts_with("D27") || words.starts_with("D38");
        assert!(matches!(&failure.fate, Fate::Broken(words) if is_known(words)), "{failure:?}");
        assert_eq!(failure.doing.len(), 2);
    }

    #[test]
    fn an_assertion_in_a_thread_is_reported_with_what_all_were_doing() {
        // This one neither: the scanner looks at the entry that it has just emptied.
        let (seed, failure) = of(1, 60, Some(Variant::NumaInvalidate)).failure.expect("an entry that reads as none");
        let Fate::Asserted { thread, words } = &failure.fate else { panic!("{failure:?}") };
        assert!(words.starts_with("D48"), "{words}");
        assert!(failure.doing[*thread].contains("MarkNuma"), "{failure:?}");
        // Whether the scanner comes to a huge entry may be a matter of timing: as often as it takes.
        let again = playing(Programs::Same, seed, 60, Some(Variant::NumaInvalidate));
        assert_eq!(again.failure.map(|(again, _)| again), Some(seed), "the same program fails again");
    }
}
