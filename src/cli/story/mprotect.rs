//! Tales of `mprotect`, and of the access that comes after it.

use crate::actors::mprotect;
use crate::mm::{MapFlags, Protection};
use crate::x86::Instruction;

use super::library::{Tale, tale, tale_g2, with_pool};
use super::stage::{CPU, Stage, page};

const READ: Protection = Protection::READ;
const RW: Protection = READ.union(Protection::WRITE);

pub(super) const TALES: &[Tale] = &[
    tale(
        "mprotect-read",
        "mprotect takes the right to write from a page that was written: a store gets SIGSEGV",
        |stage| {
            written(stage);
            protect(stage, 1, READ);
            stage.write(0);
        },
    ),
    tale(
        "mprotect-write",
        "mprotect gives the right to write back, to the entry at once: a store does not fault",
        |stage| {
            written(stage);
            stage.before("mprotect(PROT_READ)", |mm, _| assert_eq!(mprotect(mm, CPU, (page(0), 4096), READ), Ok(())));
            protect(stage, 1, RW);
            stage.write(0);
        },
    ),
    tale("mprotect-hole", "mprotect of a page and of a hole behind it fails; the page has lost its right", |stage| {
        written(stage);
        stage.tell_call(|mm, _| {
            mprotect(mm, CPU, (page(0), 2 * 4096), READ).expect_err("not all of it is mapped");
        });
        stage.write(0);
    }),
    tale("mprotect-huge", "mprotect takes the right to write from a huge page, which stays whole", |stage| {
        stage.map_huge(0, 512, RW);
        stage.accessed_before("a store", Instruction::store(page(0), 1));
        protect(stage, 512, READ);
        stage.write(3);
    }),
    with_pool(
        1,
        tale("mprotect-hugetlb", "mprotect takes the right to write from a huge page of the pool", |stage| {
            stage.map_hugetlb(0, MapFlags::PRIVATE, None);
            stage.accessed_before("a store", Instruction::store(page(0), 1));
            protect(stage, 512, READ);
            stage.write(3);
        }),
    ),
    tale_g2(
        "mprotect-write-g2",
        "mprotect gives the right to write back in Linux 4.4: a store faults, and copies nothing",
        |stage| {
            written(stage);
            stage.before("mprotect(PROT_READ)", |mm, _| assert_eq!(mprotect(mm, CPU, (page(0), 4096), READ), Ok(())));
            protect(stage, 1, RW);
            stage.write(0);
        },
    ),
];

/// A mapping of one page, which is written.
fn written(stage: &mut Stage) {
    stage.map(0, 1, RW);
    stage.accessed_before("a store", Instruction::store(page(0), 1));
}

/// `mprotect` of the first pages, which is told.
fn protect(stage: &mut Stage, pages: u64, protection: Protection) {
    stage.tell_call(|mm, _| assert_eq!(mprotect(mm, CPU, (page(0), pages * 4096), protection), Ok(())));
}
