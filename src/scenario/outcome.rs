//! What came out of an execution, in words that a scenario can declare.
//!
//! ```text
//! A wrote; B read 0; page 0 is A's; +2 -1 pages; +1 -0 tables
//! ```
//!
//! says what each actor's operations returned, whose page every mapped page is in the end, and how many pages and
//! tables the actors allocated and freed, and, if any, how many huge pages, of the buddy allocator or of the hugetlb
//! pool. `zero` is the zero page; a page that the set-up allocated is `setup`'s.

use std::fmt;

use crate::mm::{Ending, FaultCode};
use crate::x86::Completion;

/// What came out of one execution.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// For each actor, its name and what its operations returned.
    pub actors: Vec<(&'static str, Vec<String>)>,
    /// Each page that is mapped in the end, and whose it is.
    pub pages: Vec<(u64, String)>,
    /// The same of the child's pages.
    pub child_pages: Vec<(u64, String)>,
    /// Users' pages that the actors allocated, and that were freed.
    pub user_frames: (i64, i64),
    /// Tables that the actors allocated, and that were freed.
    pub table_frames: (i64, i64),
    /// Huge pages that the actors allocated, and that were freed.
    pub huge_folios: (i64, i64),
    /// Huge pages that the actors took from the hugetlb pool, and that went back.
    pub hugetlb_folios: (i64, i64),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, results) in &self.actors {
            write!(formatter, "{name} {}; ", results.join(", "))?;
        }
        write_pages(formatter, &self.pages)?;
        for (page, owner) in &self.child_pages {
            write!(formatter, "child's page {page} is {owner}; ")?;
        }
        let ((pages, pages_freed), (tables, tables_freed)) = (self.user_frames, self.table_frames);
        write!(formatter, "+{pages} -{pages_freed} pages; +{tables} -{tables_freed} tables")?;
        for (name, folios) in [("huge", self.huge_folios), ("hugetlb", self.hugetlb_folios)] {
            if folios != (0, 0) {
                write!(formatter, "; +{} -{} {name}", folios.0, folios.1)?;
            }
        }
        Ok(())
    }
}

/// Whose each page is; pages of files are listed together.
fn write_pages(formatter: &mut fmt::Formatter<'_>, pages: &[(u64, String)]) -> fmt::Result {
    for (page, owner) in pages.iter().filter(|(_, owner)| *owner != THE_FILES) {
        write!(formatter, "page {page} is {owner}; ")?;
    }
    let of_files = pages.iter().filter(|(_, owner)| *owner == THE_FILES).map(|(page, _)| page.to_string());
    match of_files.collect::<Vec<_>>().as_slice() {
        [] => Ok(()),
        [page] => write!(formatter, "page {page} is {THE_FILES}; "),
        several => write!(formatter, "pages {} are {THE_FILES}; ", several.join(", ")),
    }
}

/// Whose a page is that is in a page cache.
pub(super) const THE_FILES: &str = "the file's";

/// What a store returned.
pub(super) fn stored(completion: Completion<Ending>) -> String {
    match completion {
        Completion::Done(_) => "wrote".to_owned(),
        Completion::Ended(ending) => ended(ending),
    }
}

/// What a load or a fetch returned.
pub(super) fn loaded(completion: Completion<Ending>) -> String {
    match completion {
        Completion::Done(value) => format!("read {}", value.unwrap_or_default()),
        Completion::Ended(ending) => ended(ending),
    }
}

fn ended(ending: Ending) -> String {
    match ending {
        Ending::Sigsegv(FaultCode::MapErr, _) => "got MAPERR",
        Ending::Sigsegv(FaultCode::AccErr, _) => "got ACCERR",
        Ending::Sigbus(..) => "got SIGBUS",
        Ending::Sigsegv(FaultCode::PkuErr { .. }, _) => "got PKUERR",
        Ending::Killed => "was killed",
        Ending::OutOfMemory => "got OOM",
        Ending::Efault => "got EFAULT",
        Ending::Oops(_) => "oopsed",
    }
    .to_owned()
}
