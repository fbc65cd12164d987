//! One program, on the host's threads: phase by phase, with the oracle in between.
//!
//! A thread whose kernel panics leaves locks behind, so the others may wait for ever. Therefore nobody joins a thread
//! that has not said that it is done: a program that fails leaves its threads where they are.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use crate::oracle::Evaluated;
use crate::platform::{Platform, Variant, variant};
use crate::scenario::{Performed, Playground, Program};

/// How long a phase may take before it counts as stuck: each thread does a few operations, which take microseconds.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// What a program came to, if not every invariant held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An assertion of the kernel failed in a thread.
    Asserted {
        /// The thread.
        thread: usize,
        /// What it said, and where.
        words: String,
    },
    /// An invariant did not hold when nobody ran.
    Broken(String),
    /// The threads wait for each other, or one goes round in circles.
    Stuck,
}

impl fmt::Display for Fate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asserted { thread, words } => write!(formatter, "thread {thread}: {words}"),
            Self::Broken(words) => formatter.write_str(words),
            Self::Stuck => {
                write!(formatter, "no end after {} seconds: a deadlock, or no progress", STUCK_AFTER.as_secs())
            }
        }
    }
}

/// A program that failed, and what its threads were doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub fate: Fate,
    /// For each thread, what it was doing or had just done, in words.
    pub doing: Vec<String>,
}

/// The operation that each thread has come to in this phase; one past the last when it is done.
struct Doing(Vec<AtomicUsize>);

impl Doing {
    fn words(&self, program: &Program, phase: usize) -> Vec<String> {
        let of = |(thread, at): (usize, &AtomicUsize)| {
            let ops = &program.threads[thread][phase];
            // ORDER none: a report.
            let at = at.load(Ordering::Relaxed);
            let place = format!("phase {} of {}", phase + 1, program.threads[thread].len());
            match ops.get(at) {
                Some(op) => format!("{place}, operation {} of {}: {op:?}", at + 1, ops.len()),
                None => format!("{place}, done: {ops:?}"),
            }
        };
        self.0.iter().enumerate().map(of).collect()
    }
}

/// Plays a program once, on a kernel from which something may be removed; counts what was evaluated.
///
/// # Errors
/// The first thing that went wrong.
pub(super) fn play<P: Platform>(
    program: &Arc<Program>,
    removed: Option<Variant>,
    evaluated: &mut Evaluated,
) -> Result<(), Box<Failure>> {
    install_hook();
    variant::remove(removed);
    let phases = program.threads.first().map_or(0, Vec::len);
    let mut performed = Vec::new();
    let ground = Arc::new(Playground::<P>::new(program));
    for phase in 0..phases {
        let doing = Arc::new(Doing(program.threads.iter().map(|_| AtomicUsize::new(0)).collect()));
        let fail = |fate| Box::new(Failure { fate, doing: doing.words(program, phase) });
        performed.extend(play_phase(&ground, program, phase, (removed, &doing)).map_err(fail)?);
        guarded(|| ground.judge(&performed, evaluated).map_err(|broken| broken.to_string())).map_err(fail)?;
        if phase + 1 == phases {
            guarded(|| ground.finish(&performed, evaluated).map_err(|broken| broken.to_string())).map_err(fail)?;
        }
    }
    Ok(())
}

/// What the oracle finds, or an assertion on its way: it reads what a broken kernel left.
fn guarded(judge: impl FnOnce() -> Result<(), String>) -> Result<(), Fate> {
    panic::catch_unwind(AssertUnwindSafe(judge))
        .unwrap_or_else(|payload| Err(words_of(&*payload)))
        .map_err(Fate::Broken)
}

fn play_phase<P: Platform>(
    ground: &Arc<Playground<P>>,
    program: &Arc<Program>,
    phase: usize,
    (removed, doing): (Option<Variant>, &Arc<Doing>),
) -> Result<Vec<Performed>, Fate> {
    let (sender, done) = mpsc::channel();
    for thread in 0..program.threads.len() {
        let (ground, program, doing) = (Arc::clone(ground), Arc::clone(program), Arc::clone(doing));
        let sender = sender.clone();
        let body = move || {
            let result = panic::catch_unwind(AssertUnwindSafe(|| {
                variant::remove(removed);
                let ops = &program.threads[thread][phase];
                // ORDER none: a report.
                let tell = |index| doing.0[thread].store(index, Ordering::Relaxed);
                let performed = ground.perform(thread, ops, tell);
                tell(ops.len());
                performed
            }));
            drop(ground);
            // Nobody listens any more if another thread has failed.
            let _nobody = sender.send((thread, result.map_err(|payload| words_of(&*payload))));
        };
        // Detached: see above.
        thread::Builder::new().name(format!("{NAME}{thread}")).spawn(body).expect("the host has room for a thread");
    }
    let mut performed = Vec::new();
    while performed.len() < program.threads.len() {
        match done.recv_timeout(STUCK_AFTER) {
            Ok((_, Ok(one))) => performed.push(one),
            Ok((thread, Err(words))) => return Err(Fate::Asserted { thread, words }),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(Fate::Stuck),
        }
    }
    Ok(performed)
}

/// How the threads of a stress are called.
const NAME: &str = "stress-";

thread_local! {
    /// Where the thread's last panic was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics of the threads here off the screen: they are reported with the program.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let outside = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_ours = thread::current().name().is_some_and(|name| name.starts_with(NAME));
            if let Some(place) = info.location() {
                PLACE.set(format!("{}:{}", place.file(), place.line()));
            }
            if !is_ours {
                outside(info);
            }
        }));
    });
}

fn words_of(payload: &(dyn Any + Send)) -> String {
    let words = payload.downcast_ref::<String>().cloned();
    let words = words.or_else(|| payload.downcast_ref::<&str>().map(|words| (*words).to_owned()));
    format!("{} ({})", words.unwrap_or_else(|| "a panic without words".to_owned()), PLACE.take())
}
