//! Running a model under loom, and saying truthfully how far it went.
//!
//! A model runs on a thread of its own. When one of its threads panics, that one is unwound, but no further than to
//! where it began; then the host's thread is parked for good. loom's objects may not be dropped outside the execution
//! that they belong to, and unwinding the whole model would do just that, inside other panics. For the same reason
//! the locks of this back end are not released while a panic unwinds.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Arc, Once, mpsc};
use std::thread;
use std::time::Instant;

use super::super::exploration::{Exploration, Extent, Verdict, Watch};
use super::{cell, choices, slot};

/// How far an exploration may go.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Actors that every execution spawns; loom allows 4.
    pub actors: usize,
    /// Preemptions in one execution, or `None` for all interleavings.
    pub preemptions: Option<u8>,
    /// What to do about `LOOM_MAX_PREEMPTIONS`.
    pub environment: Environment,
}

/// What `LOOM_MAX_PREEMPTIONS` may do to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// It replaces the bound.
    Overrides,
    /// The bound stands: somebody asked for it by hand.
    Yields,
}

/// Steps of one execution, at most; a world that needs more is too large for loom anyway.
const MAX_BRANCHES: usize = 20_000;

/// Runs `body` under every schedule within `bounds`.
///
/// # Panics
/// If the host has no room for one more thread.
pub fn explore(bounds: Bounds, watch: &Watch, body: impl Fn() + Send + Sync + 'static) -> Exploration {
    install_hook();
    let started = Instant::now();
    let builder = builder(bounds);
    let extent = builder.preemption_bound.map_or(Extent::Everything, Extent::Preemptions);
    let caps = (builder.max_permutations, builder.max_duration);
    let watched = watch.clone();
    let (sender, verdict) = mpsc::sync_channel(1);
    let model = move || {
        slot::set_actors(bounds.actors);
        MODEL.set(Some(sender.clone()));
        choices::begin();
        let body = Arc::new(body);
        loop {
            let (watched, body) = (watched.clone(), Arc::clone(&body));
            builder.check(move || {
                if watched.is_stopped() {
                    contain(|| panic::panic_any(Interrupted));
                }
                watched.one_more_execution();
                contain(&*body);
            });
            if !choices::advance() {
                break;
            }
        }
        MODEL.set(None);
        sender.send(Verdict::Holds).expect("the exploring thread waits for the verdict");
    };
    thread::Builder::new().name("loom".to_owned()).spawn(model).expect("the host has room for one more thread");
    let unknown =
        || Verdict::Violated("the model ended without a verdict: a panic whose payload is no text".to_owned());
    let mut verdict = verdict.recv().unwrap_or_else(|_| unknown());
    let (elapsed, executions) = (started.elapsed(), watch.executions());
    // loom leaves when it is about to begin execution number `most`, so it has run one less.
    let capped = caps.0.is_some_and(|most| executions + 1 >= most as u64) || caps.1.is_some_and(|most| elapsed >= most);
    if verdict == Verdict::Holds && capped {
        verdict = Verdict::Stopped;
    }
    Exploration {
        verdict,
        extent,
        executions,
        estimate: None,
        pct: None,
        counterexample: None,
        failing: None,
        elapsed,
        left: None,
    }
}

fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outside = panic::take_hook();
        panic::set_hook(Box::new(move |info| report_unless_model(info, &outside)));
    });
}

fn builder(bounds: Bounds) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    let own = bounds.preemptions.map(usize::from);
    builder.preemption_bound = match bounds.environment {
        Environment::Overrides => builder.preemption_bound.or(own),
        Environment::Yields => own,
    };
    // An execution path is worth nothing without the very same model.
    builder.checkpoint_file = None;
    builder.max_branches = builder.max_branches.max(MAX_BRANCHES);
    if builder.max_permutations.is_some() || builder.max_duration.is_some() {
        // loom looks at these caps only this often.
        builder.checkpoint_interval = 1;
    } else {
        builder.checkpoint_interval = builder.checkpoint_interval.max(1);
    }
    builder
}

/// What a model panics with when it was asked to stop.
struct Interrupted;

thread_local! {
    /// Where the model on this thread sends its verdict, while it runs.
    static MODEL: RefCell<Option<mpsc::SyncSender<Verdict>>> = const { RefCell::new(None) };
}

/// Whether a model runs on this thread of the host, and none of its threads panics: only then may loom be asked for
/// anything.
pub(super) fn is_sound() -> bool {
    !thread::panicking() && MODEL.with_borrow(Option::is_some)
}

/// Runs a thread of a model from where it began; if it panics, the model has its verdict, and it all stays here.
pub(super) fn contain<T>(body: impl FnOnce() -> T) -> T {
    let payload = match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => return result,
        Err(payload) => payload,
    };
    let Some(verdict) = verdict_of(&*payload) else {
        // Not a failure: loom takes down its coroutines with panics of its own.
        panic::resume_unwind(payload);
    };
    if let Some(sender) = MODEL.take() {
        // If nobody waits any more, there is nobody to tell.
        let _ = sender.send(verdict);
    }
    loop {
        thread::park();
    }
}

fn verdict_of(payload: &(dyn Any + Send)) -> Option<Verdict> {
    if payload.is::<Interrupted>() {
        return Some(Verdict::Stopped);
    }
    let said = payload.downcast_ref::<&str>().copied();
    let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str))?;
    Some(Verdict::Violated(words(said.trim_end())))
}

fn words(said: &str) -> String {
    match cell::touched() {
        Some(upholds) => {
            let first = said.lines().next().unwrap_or(said);
            format!("data race on what upholds {upholds}: {first}")
        }
        None if said.starts_with("deadlock; threads") => {
            format!("deadlock: every thread that is left waits for another ({})", said.trim_start_matches("deadlock; "))
        }
        None => said.to_owned(),
    }
}

/// The panic hook: what a model panics with is in its verdict; any other panic goes to the hook before us.
fn report_unless_model(info: &PanicHookInfo<'_>, outside: &(dyn Fn(&PanicHookInfo<'_>) + Send + Sync)) {
    let in_model = MODEL.with_borrow(Option::is_some);
    if !in_model {
        outside(info);
    }
}
