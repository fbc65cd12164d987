//! Tales of small pages that become a huge one.

use crate::actors::{Collapser, NotCollapsed, collapse, madvise_hugepage, vmsplice};
use crate::mm::{HugeAdvice, Mm, Protection, Task};
use crate::x86::Instruction;

use super::library::{Tale, tale};
use super::stage::{CPU, P, Stage, page};

const HUGE_BYTES: u64 = 512 * 4096;

pub(super) const TALES: &[Tale] = &[
    tale("collapse", "khugepaged makes a huge page of a table of small ones: a load finds what was stored", |stage| {
        two_small_pages(stage);
        stage.before("MADV_HUGEPAGE", |mm, _| {
            madvise_hugepage(mm, CPU, (page(0), HUGE_BYTES), HugeAdvice::Wanted).expect("it is mapped");
        });
        stage.tell_call(|mm, task| assert_eq!(collapse(mm, task, page(0), Collapser::Khugepaged), Ok(())));
        stage.read(1);
    }),
    tale(
        "collapse-gives-up",
        "MADV_COLLAPSE finds that a pipe refers to a page by now: the table is put back",
        |stage| {
            two_small_pages(stage);
            stage.tell_call_interrupted(
                "somebody splices the second page into a pipe, which has a reference to it",
                ("collapse_huge_page", splice_second_page),
                |mm, task| {
                    let why = collapse(mm, task, page(0), Collapser::Madvise).expect_err("the page is in use");
                    assert_eq!(why, NotCollapsed::PageCount);
                },
            );
            stage.read(1);
        },
    ),
];

/// A mapping as large as a huge page, with small ones at its beginning.
fn two_small_pages(stage: &mut Stage) {
    stage.map(0, 512, Protection::READ | Protection::WRITE);
    stage.accessed_before("a store to page 0", Instruction::store(page(0), 1));
    stage.accessed_before("a store to page 1", Instruction::store(page(1), 0x5eed));
}

/// The pipe keeps its page.
fn splice_second_page(mm: &Mm<P>) {
    vmsplice(mm, &Task::new(CPU), page(1)).expect("it is mapped");
}
