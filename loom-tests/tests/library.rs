//! Every scenario of the library, a test each.

use loom_tests::assert_holds;

macro_rules! scenarios {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(#[test]
        fn $test() {
            assert_holds($name);
        })+

        #[test]
        fn every_scenario_has_its_test() {
            let library: Vec<_> = pagerace::scenario::library().map(|scenario| scenario.name).collect();
            assert_eq!(library, [$($name),+]);
        }
    };
}

scenarios! {
    same_pte: "same-pte",
    same_pte_new_table: "same-pte-new-table",
    same_pte_four_levels: "same-pte-four-levels",
    same_pte_three_four_levels: "same-pte-three-four-levels",
    same_pte_three: "same-pte-three",
    read_write: "read-write",
    two_readers: "two-readers",
    zero_page_writers: "zero-page-writers",
    neighbours_new_table: "neighbours-new-table",
    split_at_pud: "split-at-pud",
    fault_munmap: "fault-munmap",
    marks_munmap: "marks-munmap",
    fault_munmap_neighbour: "fault-munmap-neighbour",
    fault_munmap_g2: "fault-munmap-g2",
    fault_munmap_cut: "fault-munmap-cut",
    user_kernel_copy: "user-kernel-copy",
    anon_prepare_munmap: "anon-prepare-munmap",
    anon_prepare_two: "anon-prepare-two",
    stack_two_growers: "stack-two-growers",
    stack_grown_already: "stack-grown-already",
    stack_munmap: "stack-munmap",
    stack_grows_under_fault: "stack-grows-under-fault",
}
