//! Faults under the lock of their VMA, against those who hold the mmap lock.

use crate::mm::{Generation, Protection, VmFlags};

use super::definition::{
    Actor, LoomReach, READ_WRITE, Scenario, ShapeName, TWO_PAGES, VmaSpec, copy_to_user, munmap, write,
};

/// Two mappings, with a table each.
const APART: &[VmaSpec] = &[
    VmaSpec { page: 0, pages: 1, protection: READ_WRITE, flags: VmFlags::empty() },
    VmaSpec { page: 2, pages: 1, protection: READ_WRITE, flags: VmFlags::empty() },
];

/// Two mappings side by side that differ in their rights only: one could have the other's `anon_vma`.
const SIDE_BY_SIDE: &[VmaSpec] = &[
    VmaSpec { page: 0, pages: 1, protection: READ_WRITE, flags: VmFlags::empty() },
    VmaSpec { page: 1, pages: 1, protection: READ_WRITE.union(Protection::EXEC), flags: VmFlags::empty() },
];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "fault-munmap-g2",
        family: "vma-lock",
        claim: "as fault-munmap, where the mmap semaphore is the only lock: the fault is before or after, never beside",
        shape: ShapeName::TwoLevels,
        generation: Generation::G2,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(0, 2)] }],
        outcomes: &[
            "W got MAPERR; U unmapped; +0 -0 pages; +0 -0 tables",
            "W got MAPERR; U unmapped; +1 -1 pages; +1 -1 tables",
            "W wrote; U unmapped; +1 -1 pages; +1 -1 tables",
        ],
        loom: LoomReach::Everything,
    },
    Scenario {
        name: "fault-munmap-cut",
        family: "vma-lock",
        claim: "a fault that found its VMA before munmap cut its page off does not take what is left of it for its own",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(0, 0, 9)],
        actors: &[Actor { name: "W", ops: &[write(1, 0, 1)] }, Actor { name: "U", ops: &[munmap(1, 1)] }],
        outcomes: &[
            "W got MAPERR; U unmapped; page 0 is setup's; +0 -0 pages; +0 -0 tables",
            "W got MAPERR; U unmapped; page 0 is setup's; +1 -1 pages; +0 -0 tables",
            "W wrote; U unmapped; page 0 is setup's; +1 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "user-kernel-copy",
        family: "vma-lock",
        claim: "a user's fault under the VMA lock and the kernel's copy under the mmap lock meet in one PTE: one page",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[write(1, 0, 9)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "K", ops: &[copy_to_user(0, 0, 2)] }],
        outcomes: &[
            "W wrote; K wrote; page 0 is K's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "W wrote; K wrote; page 0 is K's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
            "W wrote; K wrote; page 0 is W's; page 1 is setup's; +1 -0 pages; +0 -0 tables",
            "W wrote; K wrote; page 0 is W's; page 1 is setup's; +2 -1 pages; +0 -0 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "anon-prepare-munmap",
        family: "vma-lock",
        claim: "the first write to a VMA completes while munmap takes another one, whichever lock it gets",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: APART,
        setup: &[],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(2, 1)] }],
        outcomes: &["W wrote; U unmapped; page 0 is W's; +1 -0 pages; +1 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "anon-prepare-neighbour",
        family: "vma-lock",
        claim: "a VMA that could share its neighbour's anon_vma never looks at the neighbour after munmap has freed it",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: SIDE_BY_SIDE,
        setup: &[write(1, 0, 9)],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "U", ops: &[munmap(1, 1)] }],
        outcomes: &["W wrote; U unmapped; page 0 is W's; +1 -1 pages; +0 -0 tables"],
        loom: LoomReach::Outcomes { preemptions: 2 },
    },
    Scenario {
        name: "anon-prepare-two",
        family: "vma-lock",
        claim: "two first writes to a VMA, one under its lock and one under the mmap lock, leave it one anon_vma",
        shape: ShapeName::TwoLevels,
        generation: Generation::G6,
        vmas: TWO_PAGES,
        setup: &[],
        actors: &[Actor { name: "W", ops: &[write(0, 0, 1)] }, Actor { name: "K", ops: &[copy_to_user(1, 0, 2)] }],
        outcomes: &[
            "W wrote; K wrote; page 0 is W's; page 1 is K's; +2 -0 pages; +1 -0 tables",
            "W wrote; K wrote; page 0 is W's; page 1 is K's; +2 -0 pages; +2 -1 tables",
        ],
        loom: LoomReach::Outcomes { preemptions: 3 },
    },
];
