//! The table of `docs/scenarios.md`, which actor is raced against which kind of fault, is what the library says.
//!
//! What a scenario is about is read off its data: an access of an actor is the kind of fault that the set-up makes of
//! it. So a cell names each scenario in which one thread does the one and another thread the other.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use pagerace::mm::{FaultOp, VmFlags};
use pagerace::oracle::Sharing;
use pagerace::scenario::{FileMap, Op, Scenario, library};

/// Kinds of faults, in the order of the table's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    AnonRead,
    AnonWrite,
    ZeroPage,
    Cow,
    Present,
    Numa,
    Migration,
    FileRead,
    FileCow,
    FileShared,
    Stack,
    HugeCreate,
    HugePresent,
    Hugetlb,
}

const FAULTS: &[(Fault, &str)] = &[
    (Fault::AnonRead, "anonymous, first read"),
    (Fault::AnonWrite, "anonymous, first write"),
    (Fault::ZeroPage, "write to the zero page"),
    (Fault::Cow, "copy on write"),
    (Fault::Present, "access to a page that is there"),
    (Fault::Numa, "NUMA hint"),
    (Fault::Migration, "page on the move"),
    (Fault::FileRead, "file, read"),
    (Fault::FileCow, "file, private write"),
    (Fault::FileShared, "file, shared write"),
    (Fault::Stack, "below a stack"),
    (Fault::HugeCreate, "huge page, first touch"),
    (Fault::HugePresent, "huge page that is there"),
    (Fault::Hugetlb, "huge page of the pool"),
];

/// Those who race with a fault, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Racer {
    Munmap,
    Mprotect,
    Dontneed,
    DontneedHuge,
    Split,
    Collapse,
    Fork,
}

const RACERS: &[(Racer, &str)] = &[
    (Racer::Munmap, "munmap"),
    (Racer::Mprotect, "mprotect"),
    (Racer::Dontneed, "DONTNEED"),
    (Racer::DontneedHuge, "DONTNEED, huge"),
    (Racer::Split, "PMD split"),
    (Racer::Collapse, "collapse"),
    (Racer::Fork, "fork"),
];

/// Why a fault and a racer have nothing to race for.
fn apart(fault: Fault, racer: Racer) -> Option<&'static str> {
    let is_file = matches!(fault, Fault::FileRead | Fault::FileCow | Fault::FileShared);
    let is_huge = matches!(fault, Fault::HugeCreate | Fault::HugePresent);
    match racer {
        Racer::Collapse if is_file => Some("only anonymous memory is collapsed"),
        Racer::Collapse if fault == Fault::HugePresent => Some("it is huge already"),
        Racer::Collapse | Racer::Split if fault == Fault::Hugetlb => Some("a huge page of the pool stays huge"),
        Racer::Split if !is_huge && fault != Fault::Numa && fault != Fault::Migration => {
            Some("what is split is huge: see the rows of huge pages")
        }
        Racer::DontneedHuge
            if !is_huge && fault != Fault::Hugetlb && fault != Fault::Numa && fault != Fault::Migration =>
        {
            Some("what is discarded is huge: see the rows of huge pages")
        }
        Racer::Dontneed if is_huge || fault == Fault::Hugetlb => {
            Some("what is discarded is small: see the next column")
        }
        Racer::Fork | Racer::Mprotect if fault == Fault::Migration => {
            Some("whoever moves a page holds the mmap lock to the end, and so shuts this one out")
        }
        Racer::Munmap
        | Racer::Mprotect
        | Racer::Dontneed
        | Racer::DontneedHuge
        | Racer::Split
        | Racer::Collapse
        | Racer::Fork => None,
    }
}

fn in_any_process(op: Op) -> Op {
    if let Op::InChild(op) = op { *op } else { op }
}

/// What is mapped at a page when the actors start.
enum Mapped {
    Nothing,
    /// Below a stack.
    Stack,
    Anonymous(VmFlags),
    File(Sharing, FaultOp),
}

fn mapped(scenario: &Scenario, page: u64) -> Mapped {
    let files = scenario.actors.iter().flat_map(|actor| actor.ops).chain(scenario.setup);
    let maps = files.filter_map(|op| if let Op::MapFile(map) = op { Some(map) } else { None });
    let covers = |map: &&FileMap| (map.page..map.page + map.pages).contains(&page);
    if let Some(map) = maps.into_iter().find(covers) {
        return Mapped::File(map.sharing, map.file.behaviour.fault);
    }
    let vma = |page: u64| scenario.vmas.iter().find(move |vma| (vma.page..vma.page + vma.pages).contains(&page));
    match vma(page) {
        Some(vma) => Mapped::Anonymous(vma.flags),
        None if (page..page + 4).filter_map(vma).any(|vma| vma.flags.contains(VmFlags::GROWSDOWN)) => Mapped::Stack,
        None => Mapped::Nothing,
    }
}

/// The page that an access is of, and whether it writes.
fn access(op: Op) -> Option<(u64, bool)> {
    let op = in_any_process(op);
    if let Op::Write { page, .. } | Op::CopyToUser { page, .. } = op {
        return Some((page, true));
    }
    if let Op::Read { page, .. } | Op::Execute { page } = op { Some((page, false)) } else { None }
}

/// Where in the set-up something is done last.
fn last(scenario: &Scenario, is: impl Fn(Op) -> bool) -> Option<usize> {
    scenario.setup.iter().rposition(|op| is(in_any_process(*op)))
}

/// A huge page is made in the set-up, and not split there.
fn has_huge_page(scenario: &Scenario) -> bool {
    let stock = last(scenario, |op| matches!(op, Op::StockHuge { actor, .. } if actor == scenario.actors.len()));
    let is_cut = scenario.setup.iter().any(|op| matches!(op, Op::Dontneed { .. } | Op::Munmap { .. }));
    stock.is_some() && !is_cut && scenario.setup.iter().any(|op| access(*op).is_some())
}

/// Somebody who may make a huge page has one to make it of.
fn may_make_huge(scenario: &Scenario) -> bool {
    let stocked =
        |actor: usize| scenario.setup.iter().any(|op| matches!(op, Op::StockHuge { actor: of, .. } if *of == actor));
    scenario
        .actors
        .iter()
        .enumerate()
        .any(|(actor, who)| stocked(actor) && who.ops.iter().any(|op| access(*op).is_some()))
}

/// What kind of fault an access is, at first.
fn kind(scenario: &Scenario, actor: usize, op: Op) -> Option<Fault> {
    let (page, writes) = access(op)?;
    let moves = |other: &Op| matches!(in_any_process(*other), Op::Migrate { .. });
    let others = scenario.actors.iter().enumerate().filter(|(other, _)| *other != actor);
    if others.flat_map(|(_, other)| other.ops).any(moves) {
        return Some(Fault::Migration);
    }
    let flags = match mapped(scenario, page) {
        Mapped::Nothing => return None,
        Mapped::Stack => return Some(Fault::Stack),
        Mapped::File(_, FaultOp::Hugetlb) => return Some(Fault::Hugetlb),
        Mapped::File(Sharing::Private, _) if writes => return Some(Fault::FileCow),
        Mapped::File(Sharing::Shared, _) if writes => return Some(Fault::FileShared),
        Mapped::File(..) => return Some(Fault::FileRead),
        Mapped::Anonymous(flags) => flags,
    };
    if flags.contains(VmFlags::HUGETLB) {
        return Some(Fault::Hugetlb);
    }
    let is_huge = flags.contains(VmFlags::HUGEPAGE);
    let near = |other: u64| if is_huge { other / 2 == page / 2 } else { other == page };
    let touched = |write: bool| last(scenario, |op| access(op).is_some_and(|(at, writes)| near(at) && writes == write));
    let discarded =
        last(scenario, |op| matches!(op, Op::Dontneed { page: at, pages } if (at..at + pages).contains(&page)));
    let marked = last(scenario, |op| matches!(op, Op::MarkNuma { page: at } if near(at)));
    let forked = last(scenario, |op| op == Op::Fork);
    let cleared = last(scenario, |op| matches!(op, Op::ClearRefs { .. }));
    let written = last(scenario, |op| access(op) == Some((page, true)));
    let written_here = written > discarded;
    let read_here = last(scenario, |op| access(op) == Some((page, false))) > discarded;
    if marked > discarded {
        return Some(Fault::Numa);
    }
    if is_huge && has_huge_page(scenario) && (touched(true) > discarded || touched(false) > discarded) {
        return Some(Fault::HugePresent);
    }
    if is_huge && !written_here && !read_here && may_make_huge(scenario) {
        return Some(Fault::HugeCreate);
    }
    match (written_here, read_here, writes) {
        (true, _, true) if forked > written || cleared > written => Some(Fault::Cow),
        (true, _, _) => Some(Fault::Present),
        (false, true, true) => Some(Fault::ZeroPage),
        (false, true, false) => Some(Fault::Present),
        (false, false, true) => Some(Fault::AnonWrite),
        (false, false, false) => Some(Fault::AnonRead),
    }
}

/// What an operation is, to a fault that it meets.
fn racers(scenario: &Scenario, op: Op) -> Vec<Racer> {
    let op = in_any_process(op);
    if matches!(op, Op::Collapse { .. }) {
        return vec![Racer::Collapse];
    }
    if op == Op::Fork {
        return vec![Racer::Fork];
    }
    let (Op::Munmap { page, pages }
    | Op::Mprotect { page, pages, .. }
    | Op::Dontneed { page, pages }
    | Op::AdviseHuge { page, pages, .. }) = op
    else {
        return Vec::new();
    };
    let flags = if let Mapped::Anonymous(flags) = mapped(scenario, page) { flags } else { VmFlags::empty() };
    let is_huge = flags.contains(VmFlags::HUGEPAGE) && (has_huge_page(scenario) || may_make_huge(scenario))
        || flags.contains(VmFlags::HUGETLB)
        || matches!(mapped(scenario, page), Mapped::File(_, FaultOp::Hugetlb));
    let is_whole = page.is_multiple_of(2) && pages.is_multiple_of(2);
    let is_discard = matches!(op, Op::Dontneed { .. });
    let own = [
        (matches!(op, Op::Munmap { .. }), Racer::Munmap),
        (matches!(op, Op::Mprotect { .. }), Racer::Mprotect),
        (is_discard && is_huge && is_whole, Racer::DontneedHuge),
        (is_discard && !is_huge, Racer::Dontneed),
    ];
    let own = own.into_iter().find(|(is, _)| *is).map(|(_, racer)| racer);
    let split = (is_huge && !is_whole).then_some(Racer::Split);
    own.into_iter().chain(split).collect()
}

type Table = BTreeMap<(Fault, Racer), Vec<&'static str>>;

fn table() -> Table {
    let mut table = Table::new();
    for scenario in library() {
        for (actor, who) in scenario.actors.iter().enumerate() {
            let others = || scenario.actors.iter().enumerate().filter(move |(other, _)| *other != actor);
            for fault in who.ops.iter().filter_map(|op| kind(scenario, actor, *op)) {
                for racer in others().flat_map(|(_, other)| other.ops).flat_map(|op| racers(scenario, *op)) {
                    let cell = table.entry((fault, racer)).or_default();
                    if !cell.contains(&scenario.name) {
                        cell.push(scenario.name);
                    }
                }
            }
        }
    }
    table
}

fn page(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    let titles: Vec<_> = RACERS.iter().map(|(_, title)| *title).collect();
    writeln!(text, "\n| | {} |\n|---|{}", titles.join(" | "), "---|".repeat(RACERS.len())).expect("a string grows");
    for (fault, row) in FAULTS {
        let cell = |racer: Racer| match (table.get(&(*fault, racer)), apart(*fault, racer)) {
            (Some(names), _) => names.len().to_string(),
            (None, Some(_)) => "–".to_owned(),
            (None, None) => "**none**".to_owned(),
        };
        let cells: Vec<_> = RACERS.iter().map(|(racer, _)| cell(*racer)).collect();
        writeln!(text, "| {row} | {} |", cells.join(" | ")).expect("a string grows");
    }
    for (racer, title) in RACERS {
        writeln!(text, "\n## {title}\n").expect("a string grows");
        for (fault, row) in FAULTS {
            match (table.get(&(*fault, *racer)), apart(*fault, *racer)) {
                (Some(names), _) => {
                    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                    writeln!(text, "- {row}: {}", names.join(", "))
                }
                (None, Some(why)) => writeln!(text, "- {row}: none; {why}"),
                (None, None) => writeln!(text, "- {row}: none yet"),
            }
            .expect("a string grows");
        }
    }
    text
}

const HEAD: &str = "\
# Who races with which fault

`pagerace check --list` names all scenarios, with the families that `--family` takes. Below are those in which one
thread faults and another one does what the column says, as they can be read off the library's data; a test compares
this page with the library. The kind of a fault is what the set-up makes of the access; the race may make another one of
it. A dash is a pair that has nothing to race for, and the list says why.
";

#[test]
fn the_page_is_what_the_library_says() {
    let page = page(&table());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenarios.md");
    if std::fs::read_to_string(&root).is_ok_and(|there| there == page) {
        return;
    }
    let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios.md");
    std::fs::write(&written, page).expect("the target folder can be written");
    panic!("docs/scenarios.md is out of date; it should be as {}", written.display());
}

#[test]
fn each_actor_meets_each_kind_of_fault_that_shares_something_with_it() {
    let table = table();
    let mut missing = Vec::new();
    for (fault, row) in FAULTS {
        for (racer, title) in RACERS {
            if !table.contains_key(&(*fault, *racer)) && apart(*fault, *racer).is_none() {
                missing.push(format!("{title} against {row}"));
            }
        }
    }
    assert!(missing.is_empty(), "no scenario has {}", missing.join("; "));
}

#[test]
fn the_five_actors_have_at_least_forty_scenarios() {
    let of_five = |op: &Op| {
        let op = in_any_process(*op);
        matches!(op, Op::Munmap { .. } | Op::Mprotect { .. } | Op::Dontneed { .. } | Op::Collapse { .. })
    };
    let racing = |scenario: &&Scenario| scenario.actors.iter().flat_map(|actor| actor.ops).any(of_five);
    assert!(library().filter(racing).count() >= 40);
}
