//! Checking a program on an engine, once and timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pagerace::platform::interleaved::{self, Interleaved, Search};
use pagerace::platform::loom::{self as loomed, Bounds, Environment, Loom};
use pagerace::platform::{Exploration, Platform, Shape, Verdict, Watch};
use pagerace::scenario::{Scenario, library, run};

use super::Program;

/// Checks a program once; ends soon after the time is over.
pub type Check = Box<dyn Fn(Duration) -> Run>;

/// What an engine did with a program.
#[derive(Clone, Copy)]
pub struct Run {
    pub executions: u64,
    pub elapsed: Duration,
    pub reach: Reach,
}

/// How far it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It did all that it wants to do.
    Complete,
    /// Its time was over.
    Capped,
}

impl Run {
    pub fn rate(&self) -> f64 {
        self.executions as f64 / self.elapsed.as_secs_f64()
    }
}

/// A quarter of the time for checks that are over at once: the mean of as many as fit in.
pub fn repeated(cap: Duration, check: &Check) -> Run {
    let started = Instant::now();
    let (first, mut checks) = (check(cap), 1);
    while first.reach == Reach::Complete && started.elapsed() < cap / 4 {
        check(cap);
        checks += 1;
    }
    Run { elapsed: started.elapsed() / checks, ..first }
}

/// Counts the executions of a program.
fn counted(program: fn()) -> (Arc<AtomicU64>, impl Fn() + Send + Sync + 'static) {
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    let body = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        program();
    };
    (count, body)
}

fn run_of(count: &AtomicU64, started: Instant, cap: Duration) -> Run {
    let elapsed = started.elapsed();
    let reach = if elapsed < cap { Reach::Complete } else { Reach::Capped };
    Run { executions: count.load(Ordering::Relaxed), elapsed, reach }
}

pub fn on_interleaver(program: fn()) -> Check {
    Box::new(move |cap| {
        const EXECUTIONS_BETWEEN_LOOKS: u64 = 1024;
        let (started, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let setter = Arc::clone(&stop);
        let look = move |_: &interleaver::Progress| setter.store(started.elapsed() >= cap, Ordering::Relaxed);
        let builder = interleaver::Builder::new().stop_flag(stop).on_progress(EXECUTIONS_BETWEEN_LOOKS, look);
        let report = builder.check(program);
        let reach = if report.is_complete() { Reach::Complete } else { Reach::Capped };
        Run { executions: report.executions, elapsed: started.elapsed(), reach }
    })
}

pub fn on_loom(program: fn()) -> Check {
    Box::new(move |cap| {
        let mut builder = loom::model::Builder::new();
        builder.max_duration = Some(cap);
        // loom looks at the clock only this often.
        builder.checkpoint_interval = 100;
        let (count, body) = counted(program);
        let started = Instant::now();
        builder.check(body);
        run_of(&count, started, cap)
    })
}

pub fn on_shuttle(program: fn()) -> Check {
    Box::new(move |cap| {
        let mut config = shuttle::Config::new();
        config.max_time = Some(cap);
        config.silence_warnings = true;
        let (count, body) = counted(program);
        let runner = shuttle::Runner::new(shuttle::scheduler::DfsScheduler::new(None, false), config);
        let started = Instant::now();
        runner.run(body);
        run_of(&count, started, cap)
    })
}

/// A scenario of the library, in every interleaving of both engines.
pub fn faults<G: Shape>(name: &'static str, what: &'static str) -> Program {
    let scenario = library().find(|scenario| scenario.name == name).expect("the library has the scenario");
    let interleaver = move |cap| {
        explored(cap, |watch, look| {
            let body = move || play::<Interleaved<G>>(scenario, &look);
            interleaved::explore(name, Search::Everything, watch, body)
        })
    };
    let loom = move |cap| {
        explored(cap, |watch, look| {
            let bounds = Bounds { actors: scenario.actors.len(), preemptions: None, environment: Environment::Yields };
            loomed::explore(bounds, watch, move || play::<Loom<G>>(scenario, &look))
        })
    };
    Program { name, what, interleaver: Box::new(interleaver), loom: Box::new(loom), shuttle: None }
}

/// Looks at the clock, once in each execution.
type Look = Box<dyn Fn() + Send + Sync>;

fn explored(cap: Duration, explore: impl Fn(&Watch, Look) -> Exploration) -> Run {
    let (started, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let watch = Watch::new(Arc::clone(&stop));
    let look = move || {
        if started.elapsed() >= cap {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let exploration = explore(&watch, Box::new(look));
    let reach = match exploration.verdict {
        Verdict::Holds => Reach::Complete,
        Verdict::Stopped => Reach::Capped,
        Verdict::Violated(words) => panic!("a scenario of the library failed: {words}"),
    };
    Run { executions: exploration.executions, elapsed: started.elapsed(), reach }
}

fn play<P: Platform>(scenario: &'static Scenario, look: &Look) {
    look();
    run::<P>(scenario);
}
