//! The code of `docs/your-own-race.md`, block after block.

use pagerace::mm::{Generation, Protection, VmFlags};
use pagerace::platform::interleaved::Search;
use pagerace::platform::{Extent, Watch};
use pagerace::scenario::{Actor, Engine, LoomReach, Scenario, ShapeName, Verdict, VmaSpec, check, dontneed, write};

const READ_WRITE: Protection = Protection::READ.union(Protection::WRITE);
const TWO_PAGES: &[VmaSpec] = &[VmaSpec { page: 0, pages: 2, protection: READ_WRITE, flags: VmFlags::empty() }];

static WRITE_DISCARD: Scenario = Scenario {
    name: "write-discard",
    family: "mine",
    claim: "a store that races with MADV_DONTNEED of its page is kept or discarded, and nothing leaks",
    shape: ShapeName::TwoLevels,
    generation: Generation::G6,
    vmas: TWO_PAGES,
    setup: &[write(1, 0, 9)],
    actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "D", ops: &[dontneed(0, 1)] }],
    outcomes: &[
        "W wrote; D discarded; page 0 is W's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
        "W wrote; D discarded; page 0 is W's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
        "W wrote; D discarded; page 1 is setup's; +1 -1 pages; +0 -0 tables",
    ],
    loom: LoomReach::Everything,
};

const EVERY_INTERLEAVING: Engine = Engine::Interleaver { search: Search::Everything };

#[test]
fn a_store_is_kept_or_discarded() {
    let report = check(&WRITE_DISCARD, EVERY_INTERLEAVING, &Watch::default());
    assert_eq!((report.verdict, report.extent), (Verdict::Holds, Extent::Everything));
    assert_eq!(report.executions, 5);
}

static NOT_YET_JUDGED: Scenario = Scenario { outcomes: &[], ..WRITE_DISCARD };

#[test]
fn without_outcomes_the_check_lists_them() {
    let report = check(&NOT_YET_JUDGED, EVERY_INTERLEAVING, &Watch::default());
    let Verdict::Undeclared(outcomes) = report.verdict else { panic!("{:?}", report.verdict) };
    assert_eq!(outcomes, WRITE_DISCARD.outcomes);
}

use pagerace::failure::{Detail, ReplayToken, Replayed, Subject, page, replay};
use pagerace::platform::Variant;
use pagerace::platform::interleaved::Part;
use pagerace::scenario::check_without;

#[test]
fn it_notices_a_page_that_is_freed_too_early() {
    let removed = Variant::find("free-before-flush");
    let report = check_without(&WRITE_DISCARD, removed, EVERY_INTERLEAVING, Part::whole(1), &Watch::default());
    assert!(matches!(&report.verdict, Verdict::Violated(words) if words.starts_with("D36")), "{:?}", report.verdict);

    let recipe = report.failing.expect("the interleaver knows how it came there").found;
    let subject = Subject::Scenario { scenario: &WRITE_DISCARD, removed };
    let token = ReplayToken { subject, recipe };
    let Ok(Replayed::Violated(failure)) = replay(&token) else { panic!("the same build comes there again") };
    println!("{}", page(&failure, Detail::WhatMatters));
}
