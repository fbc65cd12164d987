//! Playing a scenario under every schedule of an engine, and judging what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use crate::locks::Graph;
use crate::locks::lockdep::{self, Learned};
use crate::oracle::Evaluated;
use crate::platform::interleaved::{
    self, Execution, Failing, Frontier, Interleaved, Part, Search, Token, Told, is_replay, make_simpler,
    schedule_so_far,
};
use crate::platform::loom::{self, Bounds, Environment, Loom};
use crate::platform::variant::{self, Variant, Windows};
use crate::platform::{self, Arc, Exploration, Extent, FourLevels, PctBound, Platform, Shape, TwoLevels, Watch};

use super::answer::LockFinding;
use super::definition::{LoomReach, Scenario, ShapeName};
use super::run::{Played, run};

/// Who schedules the threads of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The model checker of this project.
    Interleaver {
        /// Which schedules it tries.
        search: Search,
    },
    /// loom, within the scenario's bound or this one.
    Loom {
        /// Preemptions in one execution, in place of what the scenario asks for.
        preemptions: Option<u8>,
    },
}

/// The judgement on a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No execution violated anything, and the outcomes are exactly the declared ones.
    Holds,
    /// No execution violated anything, and each outcome is a declared one; others lie beyond what was tried.
    HoldsPartly,
    /// An execution violated an invariant, raced or deadlocked.
    Violated(String),
    /// The scenario did not look at what it is about: these declared outcomes were never reached.
    Unreached(Vec<String>),
    /// These outcomes were reached, though nobody declared them.
    Undeclared(Vec<String>),
    /// It was stopped before the end; nothing was violated until then.
    Stopped,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The judgement.
    pub verdict: Verdict,
    /// Executions run.
    pub executions: u64,
    /// What the engine covers, if it was not stopped.
    pub extent: Extent,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// How often each outcome was reached.
    pub reached: BTreeMap<String, u64>,
    /// How many facts each invariant was evaluated on.
    pub evaluated: Evaluated,
    /// How often each re-check held, and how often it lost its race.
    pub windows: Windows,
    /// The order in which locks were taken.
    pub lock_order: Graph,
    /// How to come to the failing execution again, or to one that reaches an undeclared outcome; loom cannot tell.
    pub failing: Option<Failing>,
    /// All executions that there are, as far as the engine could tell when it was stopped.
    pub estimate: Option<u64>,
    /// What PCT promises of its executions.
    pub pct: Option<PctBound>,
    /// The bounds on preemptions that were tried in turn. The report is that of the last one, except for the time.
    pub bounds: Vec<TriedBound>,
    /// What is left, if the search stopped before its end or was a shard.
    pub left: Option<Frontier>,
}

/// What a bound on preemptions brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedBound {
    /// Preemptions in one execution, at most.
    pub preemptions: usize,
    /// Executions run, those within a smaller bound among them.
    pub executions: u64,
    /// The outcomes that no smaller bound reached.
    pub new_outcomes: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    reached: BTreeMap<String, u64>,
    evaluated: Evaluated,
    windows: Windows,
    /// The first execution that came to an outcome that nobody declared.
    undeclared: Option<Token>,
}

/// What is played: a scenario, in which something may be removed.
#[derive(Clone, Copy)]
struct Play {
    scenario: &'static Scenario,
    removed: Option<Variant>,
}

/// Plays the scenario under every schedule that the engine tries. The interleaver comes to a bound on preemptions by
/// all smaller ones, so that it finds a failure with the fewest.
pub fn check(scenario: &'static Scenario, engine: Engine, watch: &Watch) -> CheckReport {
    check_without(scenario, None, engine, Part::whole(1), watch)
}

/// As [`check`], of a kernel from which something is removed, and for a part of the search.
pub fn check_without(
    scenario: &'static Scenario,
    removed: Option<Variant>,
    engine: Engine,
    part: Part,
    watch: &Watch,
) -> CheckReport {
    let play = Play { scenario, removed };
    if let Engine::Interleaver { search: Search::Preemptions(most) } = engine {
        return check_bounds(play, most, watch);
    }
    check_once(play, engine, part, Tally::default(), watch)
}

/// As [`check`], for a part of the search; `reached` is what the parts before it reached. The judgement is on all of
/// them.
pub fn check_part(
    scenario: &'static Scenario,
    engine: Engine,
    part: Part,
    reached: &BTreeMap<String, u64>,
    watch: &Watch,
) -> CheckReport {
    let tally = Tally { reached: reached.clone(), ..Tally::default() };
    check_once(Play { scenario, removed: None }, engine, part, tally, watch)
}

fn check_bounds(play: Play, most: usize, watch: &Watch) -> CheckReport {
    let (mut bounds, mut known) = (Vec::new(), BTreeSet::new());
    let mut elapsed = Duration::ZERO;
    loop {
        let preemptions = bounds.len();
        let engine = Engine::Interleaver { search: Search::Preemptions(preemptions) };
        let report = check_once(play, engine, Part::whole(1), Tally::default(), watch);
        elapsed += report.elapsed;
        let new_outcomes = report.reached.keys().filter(|outcome| known.insert((*outcome).clone())).cloned().collect();
        bounds.push(TriedBound { preemptions, executions: report.executions, new_outcomes });
        if preemptions == most || !report.verdict.may_change_with_more() {
            return CheckReport { elapsed, bounds, ..report };
        }
    }
}

impl Verdict {
    /// What failed, in words; nothing if everything that was played holds.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Holds | Self::HoldsPartly | Self::Stopped => None,
            Self::Violated(words) => Some(words.clone()),
            Self::Undeclared(outcomes) => Some(format!("not declared: {}", outcomes.join("; "))),
            Self::Unreached(outcomes) => Some(format!("never reached: {}", outcomes.join("; "))),
        }
    }

    /// Whether going further could bring something that is not known yet.
    fn may_change_with_more(&self) -> bool {
        match self {
            Self::Holds | Self::HoldsPartly | Self::Unreached(_) => true,
            Self::Violated(_) | Self::Undeclared(_) | Self::Stopped => false,
        }
    }
}

fn check_once(play: Play, engine: Engine, part: Part, tally: Tally, watch: &Watch) -> CheckReport {
    let (tally, learned) = (Arc::new(Mutex::new(tally)), Arc::new(Learned::default()));
    let playing = Playing { play, tally: Arc::clone(&tally), learned: Arc::clone(&learned) };
    let exploration = match play.scenario.shape {
        ShapeName::TwoLevels => explore::<TwoLevels>(playing, engine, part, watch),
        ShapeName::FourLevels => explore::<FourLevels>(playing, engine, part, watch),
    };
    lockdep::listen(None);
    let findings = learned.findings();
    let Tally { reached, evaluated, windows, undeclared } =
        tally.lock().expect("a failing model leaves no lock behind").clone();
    let verdict = match LockFinding::of(&findings, &exploration) {
        Some(finding) => violated(&exploration, &finding),
        None => judge(play.scenario, &exploration, &reached),
    };
    let failing = match (&verdict, undeclared) {
        (Verdict::Undeclared(_), Some(schedule)) => simplify(play, &schedule),
        _ => exploration.failing,
    };
    CheckReport {
        verdict,
        executions: exploration.executions,
        extent: exploration.extent,
        elapsed: exploration.elapsed,
        reached,
        evaluated,
        windows,
        lock_order: findings.order,
        failing,
        estimate: exploration.estimate,
        pct: exploration.pct,
        bounds: Vec::new(),
        left: exploration.left,
    }
}

/// Locks that can be taken in a circle are a violation, whatever else came out; what else failed is said first.
fn violated(exploration: &Exploration, finding: &LockFinding) -> Verdict {
    Verdict::Violated(match &exploration.verdict {
        platform::Verdict::Violated(words) => format!("{words}\n\n{finding}"),
        platform::Verdict::Holds | platform::Verdict::Stopped => finding.to_string(),
    })
}

/// What is played, and where it goes what the executions tell.
struct Playing {
    play: Play,
    tally: Arc<Mutex<Tally>>,
    learned: Arc<Learned>,
}

fn explore<G: Shape>(playing: Playing, engine: Engine, part: Part, watch: &Watch) -> Exploration {
    let scenario = playing.play.scenario;
    match engine {
        Engine::Interleaver { search } => {
            let body = move || count::<Interleaved<G>>(&playing);
            interleaved::explore_part(scenario.name, search, part, watch, body)
        }
        Engine::Loom { preemptions } => {
            let bounds = Bounds {
                actors: scenario.actors.len(),
                preemptions: preemptions.or(scenario.loom.preemptions()),
                environment: if preemptions.is_some() { Environment::Yields } else { Environment::Overrides },
            };
            loom::explore(bounds, watch, move || count::<Loom<G>>(&playing))
        }
    }
}

fn play_once<P: Platform>(play: Play) -> Played {
    variant::remove(play.removed);
    run::<P>(play.scenario)
}

/// Plays it and counts what came out, unless it is no execution of the search: a failure is played again, over and
/// over, to make it simpler.
fn count<P: Platform>(Playing { play, tally, learned }: &Playing) {
    lockdep::listen(Some(learned));
    // What an execution that was given up has counted is not this one's.
    Windows::take();
    let played = play_once::<P>(*play);
    if is_replay() {
        return;
    }
    let outcome = played.outcome.to_string();
    let mut tally = tally.lock().expect("a failing model leaves no lock behind");
    if !is_declared(play.scenario, &outcome) && tally.undeclared.is_none() {
        tally.undeclared = schedule_so_far();
    }
    *tally.reached.entry(outcome).or_default() += 1;
    for (id, facts) in played.evaluated {
        *tally.evaluated.entry(id).or_default() += facts;
    }
    tally.windows.add(&Windows::take());
}

fn is_declared(scenario: &Scenario, outcome: &str) -> bool {
    scenario.outcomes.contains(&outcome)
}

/// Plays it where only one execution is looked at.
///
/// # Panics
/// If the outcome is not declared: of one execution, that is all that can be wrong with it.
fn play_strictly<P: Platform>(play: Play) {
    let outcome = play_once::<P>(play).outcome.to_string();
    assert!(is_declared(play.scenario, &outcome), "{UNDECLARED}: {outcome}");
}

/// How a failure begins that is an outcome that nobody declared.
pub const UNDECLARED: &str = "not-declared";

fn simplify(play: Play, schedule: &Token) -> Option<Failing> {
    let name = play.scenario.name;
    match play.scenario.shape {
        ShapeName::TwoLevels => make_simpler(name, schedule, move || play_strictly::<Interleaved<TwoLevels>>(play)),
        ShapeName::FourLevels => make_simpler(name, schedule, move || play_strictly::<Interleaved<FourLevels>>(play)),
    }
}

/// Plays one schedule, with everything told; `None` if nothing fails.
pub fn replay(scenario: &'static Scenario, removed: Option<Variant>, schedule: &Token) -> Option<Execution> {
    let play = Play { scenario, removed };
    match scenario.shape {
        ShapeName::TwoLevels => {
            interleaved::replay(scenario.name, schedule, move || play_strictly::<Told<TwoLevels>>(play))
        }
        ShapeName::FourLevels => {
            interleaved::replay(scenario.name, schedule, move || play_strictly::<Told<FourLevels>>(play))
        }
    }
}

fn judge(scenario: &Scenario, exploration: &Exploration, reached: &BTreeMap<String, u64>) -> Verdict {
    match &exploration.verdict {
        platform::Verdict::Violated(words) => return Verdict::Violated(words.clone()),
        platform::Verdict::Stopped => return Verdict::Stopped,
        platform::Verdict::Holds => {}
    }
    let declared: BTreeSet<&str> = scenario.outcomes.iter().copied().collect();
    let reached: BTreeSet<&str> = reached.keys().map(String::as_str).collect();
    let only_in = |these: &BTreeSet<&str>, those: &BTreeSet<&str>| -> Vec<String> {
        these.difference(those).map(|outcome| (*outcome).to_owned()).collect()
    };
    let (unreached, undeclared) = (only_in(&declared, &reached), only_in(&reached, &declared));
    if !undeclared.is_empty() {
        Verdict::Undeclared(undeclared)
    } else if unreached.is_empty() {
        Verdict::Holds
    } else if must_reach_all(scenario, exploration.extent) {
        Verdict::Unreached(unreached)
    } else {
        Verdict::HoldsPartly
    }
}

/// Whether an exploration of this extent owes every declared outcome.
fn must_reach_all(scenario: &Scenario, extent: Extent) -> bool {
    match (extent, scenario.loom) {
        (Extent::Everything, _) => true,
        (Extent::Sample, _) | (Extent::Preemptions(_), LoomReach::Everything | LoomReach::Partly { .. }) => false,
        (Extent::Preemptions(bound), LoomReach::Outcomes { preemptions }) => bound >= usize::from(preemptions),
    }
}
