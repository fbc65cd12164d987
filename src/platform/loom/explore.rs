//! Running a model under loom, and saying truthfully how far it went.
//!
//! A model runs on a thread of its own. When it fails, that thread is not unwound but parked for good: loom's objects
//! may not be dropped outside the execution that they belong to, and unwinding would do just that, inside other panics.

use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::{cell, slot};

/// How far an exploration may go.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Actors that every execution spawns; loom allows 4.
    pub actors: usize,
    /// Preemptions in one execution, or `None` for all interleavings. `LOOM_MAX_PREEMPTIONS` overrides it.
    pub preemptions: Option<usize>,
}

/// How an exploration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every execution within the bounds was run, and none failed.
    Holds,
    /// An execution failed; the words say why.
    Violated(String),
    /// Somebody asked it to stop, or a `LOOM_MAX_*` variable capped it; what was run did not fail.
    Stopped,
}

/// What an exploration did.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// How it ended.
    pub verdict: Verdict,
    /// Executions run, the failing one included.
    pub executions: u64,
    /// The bound on preemptions that was in force.
    pub preemptions: Option<usize>,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// Steps of one execution, at most; a world that needs more is too large for loom anyway.
const MAX_BRANCHES: usize = 20_000;

/// Runs `body` under every schedule within `bounds`. It counts executions in `executions` as it goes and stops early
/// when `stop` is set.
///
/// # Panics
/// If the host has no room for one more thread.
pub fn explore(
    bounds: Bounds,
    stop: Arc<AtomicBool>,
    executions: Arc<AtomicU64>,
    body: impl Fn() + Send + Sync + 'static,
) -> Exploration {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outside = panic::take_hook();
        panic::set_hook(Box::new(move |info| report_or(info, &outside)));
    });
    let started = Instant::now();
    let builder = builder(bounds);
    let preemptions = builder.preemption_bound;
    let caps = (builder.max_permutations, builder.max_duration);
    let count = Arc::clone(&executions);
    let (sender, verdict) = mpsc::sync_channel(1);
    let model = move || {
        slot::set_actors(bounds.actors);
        MODEL.set(Some(sender.clone()));
        builder.check(move || {
            // ORDER none: a flag and a statistic.
            if stop.load(Ordering::Relaxed) {
                panic::panic_any(Interrupted);
            }
            count.fetch_add(1, Ordering::Relaxed);
            body();
        });
        MODEL.set(None);
        sender.send(Verdict::Holds).expect("the exploring thread waits for the verdict");
    };
    thread::Builder::new().name("loom".to_owned()).spawn(model).expect("the host has room for one more thread");
    let mut verdict = verdict.recv().expect("a model ends with a verdict or with a panic, which sends one");
    let elapsed = started.elapsed();
    // ORDER none: the model has ended.
    let executions = executions.load(Ordering::Relaxed);
    let capped = caps.0.is_some_and(|most| executions >= most as u64) || caps.1.is_some_and(|most| elapsed >= most);
    if verdict == Verdict::Holds && capped {
        verdict = Verdict::Stopped;
    }
    Exploration { verdict, executions, preemptions, elapsed }
}

fn builder(bounds: Bounds) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(bounds.preemptions);
    builder.max_branches = builder.max_branches.max(MAX_BRANCHES);
    if builder.max_permutations.is_some() || builder.max_duration.is_some() {
        // loom looks at these caps only this often.
        builder.checkpoint_interval = 1;
    }
    builder
}

/// What a model panics with when it was asked to stop.
struct Interrupted;

thread_local! {
    /// Where the model on this thread sends its verdict, while it runs.
    static MODEL: RefCell<Option<mpsc::SyncSender<Verdict>>> = const { RefCell::new(None) };
}

/// The panic hook: a model's panic becomes its verdict and the thread stays here; any other goes to the hook before us.
fn report_or(info: &PanicHookInfo<'_>, outside: &(dyn Fn(&PanicHookInfo<'_>) + Send + Sync)) {
    let Some(sender) = MODEL.take() else { return outside(info) };
    let verdict = if info.payload().is::<Interrupted>() { Verdict::Stopped } else { Verdict::Violated(words(info)) };
    // If nobody waits any more, there is nobody to tell.
    let _ = sender.send(verdict);
    loop {
        thread::park();
    }
}

fn words(info: &PanicHookInfo<'_>) -> String {
    let said = info.payload_as_str().unwrap_or("a panic without words").trim_end();
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
