//! Telling a story: calls as an indented tree, and what is left at the end.

use std::fmt::{self, Formatter};

use anstyle::Style;

use super::plot::{Aftermath, End, Leaf, Story, faults};
use crate::platform::{Event, Geometry, Platform, Story as P};
use crate::x86::{Completion, EntryFlags, Instruction, SwapEntry, VirtAddr};

const G: Geometry = P::GEOMETRY;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// A part of a story: what caused it, and what came of it.
#[derive(Debug)]
pub(super) struct Chapter {
    pub(super) cause: Cause,
    pub(super) events: Vec<Event>,
}

/// What begins a part of a story.
#[derive(Debug)]
pub(super) enum Cause {
    /// An instruction, which may fault.
    Instruction(Instruction),
    /// A system call, or a thread of the kernel: the first function says what it is.
    Call,
}

/// So often the same remarks are made in a row before they are told only once.
const MANY: usize = 4;

pub(super) fn render(story: &Story, out: &mut Formatter<'_>) -> fmt::Result {
    let mut head = story.head.iter();
    if let Some(title) = head.next() {
        writeln!(out, "{BOLD}{title}{BOLD:#}")?;
    }
    head.try_for_each(|words| writeln!(out, "  {words}"))?;
    match &story.end {
        End::GeneralProtection(error) => {
            writeln!(out, "\n{error}.")?;
            writeln!(out, "Hardware does not walk the tables for it: it raises #GP, not #PF, and the kernel")?;
            writeln!(out, "sends SIGSEGV with SI_KERNEL and no address.")
        }
        End::Accessed(address, aftermath) => {
            let [pgd, pud, pmd, pte] = [4, 3, 2, 1].map(|level| address.index(level, G));
            let offset = address.page_offset(G);
            writeln!(out, "  indices: PGD {pgd}, PUD {pud}, PMD {pmd}, PTE {pte}; offset {offset:#x}\n")?;
            story.chapters.iter().try_for_each(|chapter| tell_chapter(chapter, out))?;
            tell_end(*address, aftermath, out)
        }
    }
}

fn tell_chapter(chapter: &Chapter, out: &mut Formatter<'_>) -> fmt::Result {
    match &chapter.cause {
        Cause::Instruction(instruction) if !faults(&chapter.events) => writeln!(out, "{instruction}: no fault"),
        Cause::Instruction(_) => tell_events(&chapter.events, out),
        Cause::Call => {
            tell_events(&chapter.events, out)?;
            writeln!(out)
        }
    }
}

fn tell_events(mut events: &[Event], out: &mut Formatter<'_>) -> fmt::Result {
    let mut open: Vec<&str> = Vec::new();
    while let Some((event, mut rest)) = events.split_first() {
        let indent = "  ".repeat(open.len());
        match event {
            Event::Enter { function, arguments } => {
                write!(out, "{indent}{BOLD}{function}{BOLD:#}({arguments})")?;
                if let Some((Event::Leave { result }, after)) = rest.split_first() {
                    rest = after;
                    writeln!(out, "{}", returned(result))?;
                } else {
                    writeln!(out)?;
                    open.push(function);
                }
            }
            Event::Leave { result } => {
                let function = open.pop().expect("every leave has its enter");
                writeln!(out, "{}{function}{}", "  ".repeat(open.len()), returned(result))?;
            }
            Event::Remark(words) => match repeated(events) {
                Some((lines, times)) => {
                    remarks(&events[..lines]).try_for_each(|words| writeln!(out, "{indent}{DIM}- {words}{DIM:#}"))?;
                    let these = if lines == 1 { "this line" } else { &format!("these {lines} lines") };
                    writeln!(out, "{indent}{DIM}- {these} {} times more{DIM:#}", times - 1)?;
                    rest = &events[lines * times..];
                }
                None => writeln!(out, "{indent}{DIM}- {words}{DIM:#}")?,
            },
        }
        events = rest;
    }
    Ok(())
}

/// How many remarks the events begin with that come again and again, and how often, if that is often: a loop over the
/// entries of a table need not be told 512 times.
fn repeated(events: &[Event]) -> Option<(usize, usize)> {
    (1..=4).find_map(|lines| {
        let first = events.get(..lines)?;
        if remarks(first).count() < lines {
            return None;
        }
        let same = |again: &&[Event]| remarks(again).eq(remarks(first)) && again.len() == lines;
        let times = events.chunks(lines).take_while(same).count();
        (times >= MANY).then_some((lines, times))
    })
}

/// What is remarked in these events, up to the first that is something else.
fn remarks(events: &[Event]) -> impl Iterator<Item = &String> {
    events.iter().map_while(|event| if let Event::Remark(words) = event { Some(words) } else { None })
}

fn returned(result: &str) -> String {
    if result.is_empty() { " returns".to_owned() } else { format!(" = {result}") }
}

fn tell_end(address: VirtAddr, after: &Aftermath, out: &mut Formatter<'_>) -> fmt::Result {
    writeln!(out)?;
    match after.completion {
        Completion::Done(Some(value)) => writeln!(out, "{BOLD}The instruction completed{BOLD:#} and has {value:#x}.")?,
        Completion::Done(None) => writeln!(out, "{BOLD}The stores completed.{BOLD:#}")?,
        Completion::Ended(ending) => writeln!(out, "{BOLD}The access never completes:{BOLD:#} {ending}.")?,
    }
    if let Some(entry) = &after.entry {
        writeln!(out, "  {}", tell_entry(entry))?;
    }
    if let Some(frame) = after.frame {
        let physical = frame.byte(address.page_offset(G), G);
        let bytes: Vec<_> = after.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(out, "  at physical     {physical}: {}  {:?}", bytes.join(" "), text(&after.bytes))?;
    }
    writeln!(out, "  min_flt         {}", after.min_flt)?;
    writeln!(out, "  maj_flt         {}", after.maj_flt)?;
    writeln!(out, "  pgtables_bytes  {}", after.pgtables_bytes)?;
    let [anonymous, of_files, shared] = after.rss_pages;
    write!(out, "  RSS             {anonymous} anonymous pages")?;
    if of_files > 0 {
        write!(out, ", {of_files} of files")?;
    }
    if shared > 0 {
        write!(out, ", {shared} of shared memory")?;
    }
    if after.hugetlb_pages > 0 {
        write!(out, "\n  hugetlb_usage   {} pages", after.hugetlb_pages)?;
    }
    writeln!(out)
}

/// An entry: where it is, its bits, and what they say.
fn tell_entry(entry: &Leaf) -> String {
    let (level, bits) = match entry {
        Leaf::Small(pte) => ("PTE", pte.bits()),
        Leaf::Huge(pmd) => ("PMD", pmd.bits()),
    };
    let says = match entry {
        Leaf::Small(pte) if !pte.is_present() => match SwapEntry::from_pte(*pte) {
            Some(swap) => format!("not present: {:?}", swap.kind()),
            None => "empty".to_owned(),
        },
        Leaf::Small(pte) => format!("frame {} + {}", pte.pfn(), names(pte.flags())),
        Leaf::Huge(pmd) => format!("frames from {} on + {}", pmd.pfn(), names(pmd.flags())),
    };
    format!("{level}             {BOLD}{bits:#x}{BOLD:#} = {says}")
}

fn names(flags: EntryFlags) -> String {
    let names: Vec<_> = flags.iter_names().map(|(name, _)| name).collect();
    names.join(" ")
}

/// The bytes up to the first zero, as text.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Told(Vec<Event>);

    impl fmt::Display for Told {
        fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
            tell_events(&self.0, formatter)
        }
    }

    fn told(words: &str) -> String {
        let remark = |word: &str| Event::Remark(word.to_owned());
        let told = Told(words.split(' ').map(remark).collect()).to_string();
        anstream::adapter::strip_str(&told).to_string()
    }

    #[test]
    fn what_is_remarked_four_times_in_a_row_is_told_once() {
        assert_eq!(told("a a a b"), "- a\n- a\n- a\n- b\n");
        assert_eq!(told("a a a a b"), "- a\n- this line 3 times more\n- b\n");
        assert_eq!(told("x a b a b a b a b a"), "- x\n- a\n- b\n- these 2 lines 3 times more\n- a\n");
    }

    #[test]
    fn what_lies_in_different_functions_is_not_the_same() {
        let mut events = Vec::new();
        for _ in 0..4 {
            events.push(Event::Enter { function: "f", arguments: String::new() });
            events.push(Event::Remark("a".to_owned()));
            events.push(Event::Leave { result: String::new() });
        }
        let told = Told(events).to_string();
        assert_eq!(anstream::adapter::strip_str(&told).to_string(), "f()\n  - a\nf returns\n".repeat(4));
    }
}
