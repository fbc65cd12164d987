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
    cow_parent_child: "cow-parent-child",
    cow_two_threads: "cow-two-threads",
    cow_reuse_munmap: "cow-reuse-munmap",
    cow_reuse_exit: "cow-reuse-exit",
    cow_read_munmap: "cow-read-munmap",
    fork_write: "fork-write",
    fork_first_touch: "fork-first-touch",
    fork_read: "fork-read",
    fork_two_writers: "fork-two-writers",
    g2_cow_parent_child: "g2-cow-parent-child",
    g2_cow_stale_reader: "g2-cow-stale-reader",
    g2_cow_reuse_munmap: "g2-cow-reuse-munmap",
    g2_cow_lock_wait: "g2-cow-lock-wait",
    numa_two_faults: "numa-two-faults",
    numa_scan_write: "numa-scan-write",
    numa_cow: "numa-cow",
    g2_numa_two_faults: "g2-numa-two-faults",
    numa_munmap: "numa-munmap",
    numa_dontneed: "numa-dontneed",
    wp_dontneed: "wp-dontneed",
    migrate_write: "migrate-write",
    migrate_dontneed: "migrate-dontneed",
    file_readers: "file-readers",
    file_read_fails: "file-read-fails",
    file_readahead: "file-readahead",
    fault_around: "fault-around",
    fault_around_write: "fault-around-write",
    file_wants_mmap_lock: "file-wants-mmap-lock",
    private_writers: "private-writers",
    shared_writers: "shared-writers",
    shared_wp_writers: "shared-wp-writers",
    shared_reader_writer: "shared-reader-writer",
    two_views: "two-views",
    mkwrite_refused: "mkwrite-refused",
    mkwrite_munmap: "mkwrite-munmap",
    shmem_writers: "shmem-writers",
    read_truncate: "read-truncate",
    miss_truncate: "miss-truncate",
    cow_truncate: "cow-truncate",
    around_truncate: "around-truncate",
    mkwrite_truncate: "mkwrite-truncate",
    cut_and_grow: "cut-and-grow",
    huge_small: "huge-small",
    huge_huge: "huge-huge",
    huge_zero: "huge-zero",
    huge_zero_zero: "huge-zero-zero",
    huge_zero_write: "huge-zero-write",
    huge_accessed_split: "huge-accessed-split",
    huge_accessed_zap: "huge-accessed-zap",
    huge_numa_split: "huge-numa-split",
    huge_wp_split: "huge-wp-split",
    huge_wp_wp: "huge-wp-wp",
    huge_small_dontneed: "huge-small-dontneed",
    huge_small_huge_dontneed: "huge-small-huge-dontneed",
    huge_split_split: "huge-split-split",
    huge_munmap: "huge-munmap",
    huge_small_4_4: "huge-small-4.4",
    huge_huge_4_4: "huge-huge-4.4",
    huge_zero_write_4_4: "huge-zero-write-4.4",
    huge_accessed_split_4_4: "huge-accessed-split-4.4",
    huge_numa_split_4_4: "huge-numa-split-4.4",
    huge_wp_split_4_4: "huge-wp-split-4.4",
    huge_wp_wp_4_4: "huge-wp-wp-4.4",
    huge_split_split_4_4: "huge-split-split-4.4",
    huge_munmap_4_4: "huge-munmap-4.4",
}
