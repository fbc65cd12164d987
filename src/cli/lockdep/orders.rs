//! The learned order beside the documented one.

use crate::locks::{Edge, LockKey, Rule, documented, is_implied};

use super::super::Exit;
use super::super::output::line;
use super::{Learning, LockdepArgs};

/// How an order that was learned stands to the documented one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is a documented step.
    Documented,
    /// It follows from documented steps.
    Follows,
    /// Nobody documents it.
    Undocumented,
    /// The documented order is the other way round.
    Inverted,
}

impl Standing {
    fn of(edge: &Edge) -> Self {
        if documented().any(|rule| (rule.outer, rule.inner) == (edge.from, edge.to)) {
            Self::Documented
        } else if is_implied(edge.from, edge.to) {
            Self::Follows
        } else if is_implied(edge.to, edge.from) {
            Self::Inverted
        } else {
            Self::Undocumented
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Follows => "follows",
            Self::Undocumented => "UNDOCUMENTED",
            Self::Inverted => "INVERTED",
        }
    }

    fn is_difference(self) -> bool {
        matches!(self, Self::Undocumented | Self::Inverted)
    }
}

/// What is to be said of a documented step: where it was seen, or why not. An error is what contradicts itself.
fn seen(learning: &Learning, rule: &Rule) -> Result<String, &'static str> {
    let edge = learning.order.edges().find(|edge| (edge.from, edge.to) == (rule.outer, rule.inner));
    match (edge, rule.unseen_because) {
        (Some(edge), None) => Ok(edge.at.to_string()),
        (None, Some(reason)) => Ok(format!("never: {reason}")),
        (None, None) => Err("NEVER SEEN, and nobody says why"),
        (Some(_), Some(_)) => Err("SEEN, though there is a reason why it cannot be"),
    }
}

/// Prints both.
pub(super) fn tell(learning: &Learning, args: &LockdepArgs) -> Exit {
    let differences = learning.order.edges().filter(|edge| Standing::of(edge).is_difference()).count()
        + documented().filter(|rule| seen(learning, rule).is_err()).count();
    if args.dot {
        dot(learning);
    } else if args.json {
        json(learning);
    } else {
        table(learning, args);
        conclude(learning, differences);
    }
    if differences + learning.failed == 0 && learning.order.circle().is_none() { Exit::Holds } else { Exit::Violated }
}

fn table(learning: &Learning, args: &LockdepArgs) {
    line(format_args!("{:<28}{:<28}{:<28}learned", "held", "wanted", "documented by"));
    for rule in documented() {
        let (Ok(words) | Err(words)) = seen(learning, rule).map_err(str::to_owned);
        line(format_args!("{:<28}{:<28}{:<28}{words}", rule.outer, rule.inner, rule.proof));
    }
    for edge in learning.order.edges() {
        let standing = Standing::of(edge);
        if standing.is_difference() || (args.verbose && standing == Standing::Follows) {
            line(format_args!("{:<28}{:<28}{:<28}{}", edge.from, edge.to, standing.word(), edge.at));
        }
        if standing.is_difference() {
            line(format_args!("{:<84}the first one is held since {}", "", edge.since));
        }
    }
}

fn conclude(learning: &Learning, differences: usize) {
    let Learning { order, executions, scenarios, .. } = learning;
    let follow = order.edges().filter(|edge| Standing::of(edge) == Standing::Follows).count();
    let shown = order.edges().count();
    line(format_args!("\nlearned from {executions} executions of {scenarios} scenarios: {shown} orders,"));
    line(format_args!("of which {follow} follow from others"));
    if let Some(circle) = order.circle() {
        line(format_args!("\n{circle}"));
    }
    match differences {
        0 => line(format_args!("the learned order is the documented one")),
        1 => line(format_args!("1 difference from the documented order")),
        more => line(format_args!("{more} differences from the documented order")),
    }
}

fn json(learning: &Learning) {
    let edge_of = |outer, inner| learning.order.edges().find(|edge| (edge.from, edge.to) == (outer, inner));
    let object = |outer: LockKey, inner: LockKey, rule: Option<&Rule>, standing: &str| {
        let edge = edge_of(outer, inner);
        line(format_args!(
            "{}",
            serde_json::json!({
                "held": outer.to_string(), "wanted": inner.to_string(), "standing": standing,
                "documented_by": rule.map(|rule| rule.proof),
                "unseen_because": rule.and_then(|rule| rule.unseen_because),
                "held_at": edge.map(|edge| edge.since.to_string()), "wanted_at": edge.map(|edge| edge.at.to_string()),
            })
        ));
    };
    for rule in documented() {
        let standing = if edge_of(rule.outer, rule.inner).is_some() { "documented" } else { "unseen" };
        object(rule.outer, rule.inner, Some(rule), standing);
    }
    for edge in learning.order.edges() {
        let standing = Standing::of(edge);
        if standing != Standing::Documented {
            object(edge.from, edge.to, None, standing.word());
        }
    }
}

/// Solid: documented and seen. Dashed: documented only. Red: seen only. What follows from others is left out.
fn dot(learning: &Learning) {
    line(format_args!("digraph locks {{\n  node [shape=box];"));
    for rule in documented() {
        let style = if learning.order.has(rule.outer, rule.inner) { "solid" } else { "dashed" };
        line(format_args!("  \"{}\" -> \"{}\" [label=\"{}\", style={style}];", rule.outer, rule.inner, rule.proof));
    }
    for edge in learning.order.edges().filter(|edge| Standing::of(edge).is_difference()) {
        line(format_args!("  \"{}\" -> \"{}\" [label=\"{}\", color=red];", edge.from, edge.to, edge.at));
    }
    line(format_args!("}}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::{LockClass, Spin, lockdep};
    use crate::platform::interleaved::{Interleaved, Search, explore};
    use crate::platform::{Arc, TwoLevels, Watch};
    use crate::scenario::{Engine, check, library};

    /// What one scenario of the library teaches.
    fn learned_from(name: &str) -> Learning {
        let scenario = library().find(|scenario| scenario.name == name).expect("it is in the library");
        let search = Search::Random { executions: 20, seed: 1 };
        let report = check(scenario, Engine::Interleaver { search }, &Watch::default());
        Learning { order: report.lock_order, executions: report.executions, scenarios: 1, failed: 0 }
    }

    #[test]
    fn what_a_scenario_teaches_is_documented_or_follows() {
        let learning = learned_from("same-pte");
        assert!(learning.order.edges().count() > 5);
        for edge in learning.order.edges() {
            assert!(!Standing::of(edge).is_difference(), "{} -> {}", edge.from, edge.to);
        }
    }

    /// Takes the locks of two classes, the second inside of the first.
    fn taught(outer: LockClass, inner: LockClass) -> Learning {
        let learned = Arc::new(lockdep::Learned::default());
        let listened = Arc::clone(&learned);
        explore("two locks", Search::Everything, &Watch::default(), move || {
            lockdep::listen(Some(&listened));
            let [outer, inner] = [outer, inner].map(|class| Spin::<Interleaved<TwoLevels>, ()>::new(class, ()));
            let _outer = outer.lock();
            drop(inner.lock());
        });
        lockdep::listen(None);
        Learning { order: learned.findings().order, ..Learning::default() }
    }

    #[test]
    fn what_nobody_documents_is_a_difference_and_so_is_what_is_documented_the_other_way_round() {
        for (outer, inner, standing) in [
            (LockClass::Ptl, LockClass::Pcp, Standing::Documented),
            (LockClass::Ptl, LockClass::Zone, Standing::Follows),
            (LockClass::Zone, LockClass::Lru, Standing::Undocumented),
            (LockClass::Zone, LockClass::Ptl, Standing::Inverted),
        ] {
            let learning = taught(outer, inner);
            let edge = learning.order.edges().next().expect("one was held while the other one was wanted");
            assert_eq!(Standing::of(edge), standing, "{outer} -> {inner}");
            let circle = learning.order.circle();
            assert_eq!(circle.is_some(), standing == Standing::Inverted, "the documented order counts as well");
        }
    }

    #[test]
    fn a_documented_step_that_is_not_seen_is_a_difference_unless_there_is_a_reason() {
        let learning = learned_from("same-pte");
        let unseen = |proof: &str| seen(&learning, documented().find(|rule| rule.proof == proof).expect("a proof"));
        assert!(unseen("folio_add_lru").is_ok_and(|place| place.starts_with("src/")));
        assert_eq!(unseen("hugetlb_wp"), Err("NEVER SEEN, and nobody says why"));
        assert!(unseen("generic_perform_write").is_ok_and(|words| words.starts_with("never: ")));
    }
}
