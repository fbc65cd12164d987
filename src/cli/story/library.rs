//! The stories that are told by name: one for each way through the fault path.

use crate::mm::{Generation, MmError};
use crate::phys::PhysConfig;

use super::plot::{End, Story, aftermath};
use super::stage::{MEMORY, Stage};
use super::{collapse, entry, files, gup, huge, hugetlb, memory, mprotect};

/// A story of the library: a few lines of set-up, what the kernel does before, if that is told, and one access.
pub(in crate::cli) struct Tale {
    /// Its name.
    pub(in crate::cli) name: &'static str,
    /// What happens, as a phrase.
    pub(in crate::cli) about: &'static str,
    pub(super) generation: Generation,
    /// Memory, its huge pages that are set aside, and the limit of the cgroup.
    pub(super) memory: PhysConfig,
    pub(super) play: fn(&mut Stage),
}

/// A tale of the newer generation.
pub(super) const fn tale(name: &'static str, about: &'static str, play: fn(&mut Stage)) -> Tale {
    Tale { name, about, generation: Generation::G6, memory: MEMORY, play }
}

/// A tale of the older generation.
pub(super) const fn tale_g2(name: &'static str, about: &'static str, play: fn(&mut Stage)) -> Tale {
    Tale { name, about, generation: Generation::G2, memory: MEMORY, play }
}

/// The same on a machine with so many huge pages in its pool.
pub(super) const fn with_pool(nr_hugepages: usize, tale: Tale) -> Tale {
    Tale { memory: PhysConfig { nr_hugepages, ..tale.memory }, ..tale }
}

/// The same where the memory cgroup may charge so many pages.
pub(super) const fn with_limit(memcg_limit_pages: u64, tale: Tale) -> Tale {
    Tale { memory: PhysConfig { memcg_limit_pages, ..tale.memory }, ..tale }
}

/// All of them, in the order in which they read best.
pub(in crate::cli) fn tales() -> impl Iterator<Item = &'static Tale> {
    let huge = huge::TALES.iter().chain(hugetlb::TALES);
    let changes = mprotect::TALES.iter().chain(collapse::TALES).chain(gup::TALES);
    memory::TALES.iter().chain(huge).chain(files::TALES).chain(changes).chain(entry::TALES)
}

/// The tale of this name.
pub(in crate::cli) fn find(name: &str) -> Option<&'static Tale> {
    tales().find(|tale| tale.name == name)
}

impl Tale {
    /// Runs it.
    ///
    /// # Errors
    /// If the host has not the memory.
    pub(in crate::cli) fn tell(&self) -> Result<Story, MmError> {
        let mut stage = Stage::new(self.generation, &self.memory)?;
        (self.play)(&mut stage);
        let (instruction, completion) = stage.last.expect("a tale tells of an access");
        let address = instruction.address();
        let mut head = vec![format!("{}: {}", self.name, self.about)];
        head.append(&mut stage.setting);
        let end = End::Accessed(address, aftermath(&stage.mm, &stage.task, address, 8, completion));
        Ok(Story { head, chapters: stage.chapters, end })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::platform::Event;

    #[test]
    fn every_tale_is_told_as_it_was() {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            for tale in tales() {
                let story = tale.tell().expect("eight megabytes").to_string();
                insta::assert_snapshot!(tale.name, anstream::adapter::strip_str(&story).to_string());
            }
        });
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = tales().map(|tale| tale.name).collect();
        assert_eq!(names.len(), tales().count());
    }

    /// The fault path as it is documented, by the names of its functions: 6.8 to 6.12, from the exception down, then
    /// what only 4.4 has; then `mprotect`, a collapse, and a debugger.
    #[rustfmt::skip]
    const DOCUMENTED: &[&str] = &[
        "exc_page_fault", "handle_page_fault", "do_kern_addr_fault", "do_user_addr_fault", "emulate_vsyscall",
        "access_error", "bad_area_access_error", "__bad_area_nosemaphore", "__do_user_fault", "__do_kernel_fault",
        "page_fault_oops", "fixup_exception", "is_prefetch", "kernelmode_fixup_or_oops", "fault_signal_pending",
        "mm_fault_error", "pagefault_out_of_memory", "do_sigbus", "do_page_fault", "__do_page_fault",
        "lock_vma_under_rcu", "vma_start_read", "vma_end_read", "lock_mm_and_find_vma", "get_mmap_lock_carefully",
        "upgrade_mmap_lock_carefully", "find_vma", "expand_stack", "expand_stack_locked", "expand_downwards",
        "check_stack_guard_page", "handle_mm_fault", "__set_current_state", "sanitize_fault_flags",
        "arch_vma_access_permitted", "mem_cgroup_enter_user_fault", "lru_gen_enter_fault", "lru_gen_exit_fault",
        "mm_account_fault", "hugetlb_fault", "__handle_mm_fault", "pgd_offset", "p4d_alloc", "pud_alloc",
        "__pud_alloc", "pmd_alloc", "__pmd_alloc", "create_huge_pud", "wp_huge_pud", "create_huge_pmd",
        "pmdp_get_lockless", "pmd_migration_entry_wait", "do_huge_pmd_anonymous_page", "vma_alloc_anon_folio_pmd",
        "khugepaged_enter_vma", "mm_get_huge_zero_folio", "do_set_pmd", "huge_pmd_set_accessed", "wp_huge_pmd",
        "do_huge_pmd_wp_page", "__split_huge_pmd", "do_huge_pmd_numa_page", "handle_pte_fault", "do_pte_missing",
        "pte_offset_map_nolock", "pte_offset_map_lock", "ptep_set_access_flags", "flush_tlb_fix_spurious_fault",
        "update_mmu_tlb", "do_anonymous_page", "pte_alloc", "pmd_install", "vmf_anon_prepare", "__anon_vma_prepare",
        "alloc_anon_folio", "alloc_pages", "alloc_zeroed_user_highpage_movable", "mem_cgroup_charge",
        "check_stable_address_space", "handle_userfault", "vmf_pte_changed", "mk_pte", "folio_add_new_anon_rmap",
        "folio_add_lru_vma", "set_ptes", "update_mmu_cache", "do_fault", "vmf_can_call_fault", "do_read_fault",
        "do_fault_around", "filemap_map_pages", "next_uptodate_folio", "filemap_map_pmd", "do_cow_fault",
        "folio_prealloc", "do_shared_fault", "__do_fault", "filemap_fault", "filemap_fault_recheck_pte_none",
        "do_async_mmap_readahead", "do_sync_mmap_readahead", "maybe_unlock_mmap_for_io",
        "lock_folio_maybe_drop_mmap", "filemap_read_folio", "shmem_fault", "finish_fault", "set_pte_range",
        "folio_add_file_rmap_ptes", "do_page_mkwrite", "fault_dirty_shared_page", "balance_dirty_pages_ratelimited",
        "do_wp_page", "wp_page_shared", "wp_pfn_shared", "finish_mkwrite_fault", "wp_can_reuse_anon_folio",
        "folio_move_anon_rmap", "wp_page_reuse", "wp_page_copy", "ptep_clear_flush", "folio_remove_rmap_pte",
        "reuse_swap_page", "do_swap_page", "migration_entry_wait", "handle_pte_marker",
        "remove_device_exclusive_entry", "get_swap_device", "swap_cache_get_folio", "swapcache_prepare",
        "swapin_readahead", "folio_lock_or_retry", "ksm_might_need_to_copy", "swap_free", "do_numa_page",
        "numa_migrate_check", "migrate_misplaced_folio", "numa_rebuild_single_mapping",
        "transparent_hugepage_enabled", "pmd_trans_splitting", "__pte_alloc", "wait_split_huge_page",
        "pte_offset_map", "page_add_new_anon_rmap", "lru_cache_add_inactive_or_unevictable", "set_pte_at",
        "do_mprotect_pkey", "mprotect_fixup", "tlb_gather_mmu", "change_protection", "change_pmd_range",
        "change_pte_range", "can_change_pte_writable", "change_huge_pmd", "hugetlb_change_protection",
        "tlb_finish_mmu", "khugepaged_scan_mm_slot", "madvise_collapse", "hpage_collapse_scan_pmd",
        "hugepage_vma_revalidate", "collapse_huge_page", "alloc_charge_folio", "find_pmd_or_thp_or_none",
        "__collapse_huge_page_swapin", "check_pmd_still_valid", "pmdp_collapse_flush",
        "__collapse_huge_page_isolate", "__collapse_huge_page_copy", "access_remote_vm", "__get_user_pages",
        "check_vma_flags", "follow_page_mask", "follow_page_pte", "follow_huge_pmd", "can_follow_write_pte",
        "faultin_page",
    ];

    const PAGE: &str = include_str!("../../../docs/functions.md");

    /// Where the second list of the page begins.
    const UNTOLD: &str = "## Of the documented path, told by no story";

    fn reached() -> BTreeSet<&'static str> {
        let chapters = tales().flat_map(|tale| tale.tell().expect("eight megabytes").chapters);
        let entered = |event| match event {
            Event::Enter { function, .. } => Some(function),
            Event::Leave { .. } | Event::Remark(_) => None,
        };
        chapters.flat_map(|chapter| chapter.events).filter_map(entered).collect()
    }

    /// The functions that a list of the page names, each with what it says of it.
    fn listed(list: &str) -> impl Iterator<Item = (&str, &str)> {
        list.lines().filter_map(|line| line.strip_prefix("- `")?.split_once('`'))
    }

    /// The functions that the tales reach, and those that the docs list, are the same.
    #[test]
    fn the_docs_list_what_the_tales_reach() {
        let (told, _) = PAGE.split_once(UNTOLD).expect("the page has two lists");
        let listed: BTreeSet<_> = listed(told).map(|(name, _)| name).collect();
        let reached = reached();
        let missing: Vec<_> = reached.difference(&listed).collect();
        let untold: Vec<_> = listed.difference(&reached).collect();
        assert!(
            missing.is_empty() && untold.is_empty(),
            "not in docs/functions.md: {missing:?}; told by no tale: {untold:?}"
        );
    }

    /// What is documented is told, or the docs say why not.
    #[test]
    fn the_documented_path_is_told_or_the_docs_say_why_not() {
        let (_, untold) = PAGE.split_once(UNTOLD).expect("the page has two lists");
        let reasons: BTreeMap<_, _> = listed(untold).collect();
        let reached = reached();
        let documented: BTreeSet<_> = DOCUMENTED.iter().copied().collect();
        assert_eq!(documented.len(), DOCUMENTED.len(), "a function is named once");
        let forgotten: Vec<_> =
            documented.iter().filter(|name| !reached.contains(*name) && !reasons.contains_key(*name)).collect();
        assert!(forgotten.is_empty(), "neither told nor with a reason: {forgotten:?}");
        for (name, reason) in reasons {
            assert!(documented.contains(name), "{name} is not of the documented path");
            assert!(!reached.contains(name), "{name} is told");
            assert!(reason.starts_with(": ") && reason.len() > 10, "{name} has no reason");
        }
    }
}
