//! The documented order, as data: which lock may be wanted under which, and the function that proves it.
//!
//! An order that follows from others is left out, unless those others are hugetlb's alone or cannot be seen. A lock
//! that is only *tried* under another one makes no order: so a page lock may be tried under a table's lock
//! (`do_wp_page`), and the mmap lock under a VMA's (`vmf_anon_prepare`). What no execution here can show says why.

use super::class::{LockClass, LockKey};

/// One step of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Held first.
    pub outer: LockKey,
    /// Wanted then.
    pub inner: LockKey,
    /// The function of Linux that does it.
    pub proof: &'static str,
    /// Why no execution of the library shows it.
    pub unseen_because: Option<&'static str>,
}

impl Rule {
    const fn because(self, reason: &'static str) -> Self {
        Self { unseen_because: Some(reason), ..self }
    }
}

const fn rule(outer: LockClass, inner: LockClass, proof: &'static str) -> Rule {
    Rule { outer: LockKey::of(outer), inner: LockKey::of(inner), proof, unseen_because: None }
}

/// Two locks of a class, one inside of the other.
const fn nests(class: LockClass, proof: &'static str) -> Rule {
    Rule { outer: LockKey::of(class), inner: LockKey::nested(class), proof, unseen_because: None }
}

/// The inner one of two is a nested one.
const fn to_nested(outer: LockClass, inner: LockClass, proof: &'static str) -> Rule {
    Rule { outer: LockKey::of(outer), inner: LockKey::nested(inner), proof, unseen_because: None }
}

/// The outer one of two is a nested one.
const fn under_nested(outer: LockClass, inner: LockClass, proof: &'static str) -> Rule {
    Rule { outer: LockKey::nested(outer), inner: LockKey::of(inner), proof, unseen_because: None }
}

use LockClass as L;

const RULES: &[Rule] = &[
    rule(L::Inode, L::MmapLock, "generic_perform_write").because("write(2) is not modelled"),
    rule(L::Inode, L::InvalidateLock, "ext4_setattr"),
    nests(L::MmapLock, "dup_mmap"),
    rule(L::MmapLock, L::VmaLock, "vma_start_write"),
    under_nested(L::MmapLock, L::VmaLock, "dup_mmap"),
    rule(L::VmaLock, L::InvalidateLock, "filemap_fault"),
    rule(L::VmaLock, L::HugetlbFaultMutex, "hugetlb_fault"),
    rule(L::InvalidateLock, L::Folio, "filemap_fault"),
    rule(L::Folio, L::HugetlbFaultMutex, "hugetlb_wp"),
    rule(L::Folio, L::IMmap, "unmap_mapping_folio"),
    rule(L::Folio, L::IPages, "filemap_add_folio"),
    rule(L::HugetlbFaultMutex, L::HugetlbVmaLock, "hugetlb_fault"),
    rule(L::HugetlbFaultMutex, L::ResvMapSema, "hugetlb_fault"),
    to_nested(L::HugetlbVmaLock, L::Folio, "filemap_lock_hugetlb_folio"),
    to_nested(L::ResvMapSema, L::Folio, "filemap_lock_hugetlb_folio"),
    rule(L::HugetlbVmaLock, L::IMmap, "__hugetlb_zap_begin"),
    rule(L::ResvMapSema, L::IMmap, "__hugetlb_zap_begin"),
    under_nested(L::Folio, L::ResvMap, "vma_needs_reservation"),
    under_nested(L::Folio, L::AnonVma, "__anon_vma_prepare"),
    rule(L::ResvMap, L::Hugetlb, "hugetlb_reserve_pages"),
    rule(L::IMmap, L::AnonVma, "vma_prepare").because("who moves an edge of a VMA here holds one of them at a time"),
    rule(L::IMmap, L::Hugetlb, "free_huge_folio"),
    rule(L::AnonVma, L::PageTableLock, "__anon_vma_prepare"),
    rule(L::AnonVma, L::Pml, "page_vma_mapped_walk"),
    rule(L::PageTableLock, L::Pcp, "__pud_alloc"),
    nests(L::Pml, "copy_huge_pmd"),
    rule(L::Pml, L::Ptl, "collapse_huge_page").because("nobody unlinks a PTE table while faults run"),
    nests(L::Ptl, "copy_pte_range"),
    rule(L::Ptl, L::IPages, "__folio_mark_dirty").because("dirty pages are not marked in the index"),
    rule(L::Ptl, L::MemcgStock, "uncharge_folio").because("who unmaps frees when the table is unlocked"),
    rule(L::Ptl, L::Pcp, "free_unref_page").because("who unmaps frees when the table is unlocked"),
    rule(L::Ptl, L::LruBatch, "folio_add_lru"),
    rule(L::Ptl, L::Instruction, "ptep_clear_flush"),
    rule(L::Pcp, L::Zone, "rmqueue_bulk"),
    rule(L::LruBatch, L::Lru, "folio_batch_move_lru").because("a batch is taken off its CPU before it is listed"),
];

/// The documented order.
pub fn documented() -> impl Iterator<Item = &'static Rule> {
    RULES.iter()
}

/// Whether the order follows from the documented one.
pub fn is_implied(outer: LockKey, inner: LockKey) -> bool {
    let mut known = vec![outer];
    let mut next = 0;
    while next < known.len() {
        let at = known[next];
        for rule in documented().filter(|rule| rule.outer == at) {
            if rule.inner == inner {
                return true;
            }
            if !known.contains(&rule.inner) {
                known.push(rule.inner);
            }
        }
        next += 1;
    }
    false
}

/// The documented order for readers: under each lock what may be wanted while it is held, and who does it.
pub fn tree() -> String {
    let mut lines = Vec::new();
    for outer in LockKey::all() {
        let mut inner = documented().filter(|rule| rule.outer == outer).peekable();
        if inner.peek().is_some() {
            lines.push(outer.to_string());
        }
        lines.extend(inner.map(|rule| format!("  {:<28}{}", rule.inner, rule.proof)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_order_has_no_circle() {
        for key in LockKey::all() {
            assert!(!is_implied(key, key), "{key} comes before itself");
        }
    }

    #[test]
    fn no_step_is_told_twice() {
        let steps: Vec<_> = documented().map(|rule| (rule.outer, rule.inner)).collect();
        let different: std::collections::BTreeSet<_> = steps.iter().collect();
        assert_eq!(steps.len(), different.len());
    }

    #[test]
    fn what_sleeps_is_not_wanted_under_what_spins() {
        for rule in documented() {
            let sleeps = |key: LockKey| key.class.kind().sleeps();
            assert!(sleeps(rule.outer) || !sleeps(rule.inner), "{} under {}", rule.inner, rule.outer);
        }
    }

    #[test]
    fn the_map_of_this_folder_shows_the_order() {
        let map = include_str!("mod.rs");
        let (_, rest) = map.split_once("//! ```text\n").expect("the order is drawn");
        let (drawn, _) = rest.split_once("\n//! ```").expect("the drawing ends");
        let drawn: Vec<_> = drawn.lines().map(|line| line.strip_prefix("//! ").unwrap_or(line)).collect();
        assert_eq!(drawn.join("\n"), tree());
    }
}
