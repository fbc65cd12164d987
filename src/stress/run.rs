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
        let duration = Duration::from_secs(seconds);
        let settings = Stress { threads: 2, duration, seed, programs: Programs::Ascending, removed };
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
    fn a_kernel_without_the_look_before_a_zap_is_counted_is_found() {
        // It needs no race: who discards a dirty page of a file loses what was stored.
        let stressed = of(1, 60, Some(Variant::DirtyZap));
        let (_, failure) = stressed.failure.expect("a store that is lost");
        assert!(matches!(&failure.fate, Fate::Broken(words) if words.starts_with("D3")), "{failure:?}");
        assert_eq!(failure.doing.len(), 2);
    }
}
