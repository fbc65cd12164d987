//! The list of invariants, and evaluating them.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::platform::Platform;

use super::layout::Quiet;
use super::{cow, files, folios, ghost, huge, hugetlb, ledgers, rights, tables, tlb};

/// A statement about an address space at rest.
pub struct Invariant<P: Platform> {
    /// Its number.
    pub id: &'static str,
    /// The statement.
    pub words: &'static str,
    check: fn(&Quiet<'_, P>) -> Result<u64, String>,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{id}: {words}; but {detail}")]
pub struct Broken {
    /// Its number.
    pub id: &'static str,
    /// The statement.
    pub words: &'static str,
    /// What was found instead.
    pub detail: String,
}

/// How many facts each invariant was evaluated on.
pub type Evaluated = BTreeMap<&'static str, u64>;

/// What holds whenever nobody runs.
pub fn at_rest<P: Platform>() -> Vec<Invariant<P>> {
    let invariant = |id, words, check| Invariant { id, words, check };
    let mut all = of_the_pool();
    all.extend([
        invariant("D1", "a table page has exactly one owner", tables::one_owner::<P>),
        invariant("D2", "a PMD entry is empty, a table or a huge page", huge::one_of_three::<P>),
        invariant("D5", "a linked table was set up before it was linked", tables::set_up::<P>),
        invariant("D8", "pgtables_bytes counts the tables below the root", tables::pgtables_bytes::<P>),
        invariant("D9", "each anonymous huge entry has one deposited table, which is empty", huge::one_deposit::<P>),
        invariant("D14", "a huge entry names an allocated folio of its size", huge::allocated::<P>),
        invariant("D14", "a present entry names an allocated page", folios::allocated::<P>),
        invariant("D15", "mapcount is the number of entries that map the page", folios::mapcount::<P>),
        invariant("D16", "refcount is at least mapcount", folios::refcount_covers_mapcount::<P>),
        invariant("D17", "refcount is mapcount, and one more for each page in the page cache", folios::refcount::<P>),
        invariant("D18", "RSS counts the pages that are mapped, zero pages apart", folios::rss::<P>),
        // Before D22 and D37, of which it is a part: it says where the value came from.
        invariant("D38", "a store after a fork is not seen in the other process", cow::isolated::<P>),
        invariant("D22", "a page is zeroed before an entry shows it", folios::contents::<P>),
        invariant(
            "D24",
            "a mapped page is findable, through its anon_vma or its file and on an LRU list",
            folios::findable::<P>,
        ),
        invariant("D24", "a folio that a huge entry maps is findable", huge::findable::<P>),
        invariant("D25", "the huge zero page is mapped read-only", huge::zero_page::<P>),
        invariant("D25", "the zero page is mapped special and read-only", folios::zero_page::<P>),
        invariant("D26", "a folio that a huge entry lets write is exclusive", huge::writable_is_exclusive::<P>),
        invariant("D26", "a writable anonymous page is exclusive", cow::writable_is_exclusive::<P>),
        invariant("D27", "an exclusive page has exactly one mapping", cow::exclusive_is_mapped_once::<P>),
        invariant("D32", "an entry allows no more than its VMA", rights::no_more_than_the_vma::<P>),
        invariant("D33", "no private mapping can write to a page of its file", files::private_is_read_only::<P>),
        invariant("D34", "a shared page that can be written is known to be dirty", files::writable_is_dirty::<P>),
        invariant("D35", "no CPU remembers more than the tables say", tlb::agrees_with_the_tables::<P>),
        invariant("D37", "a page that differs from its disk is known to be dirty", files::stores_reach_the_file::<P>),
        invariant("D37", "no completed store is lost", ghost::no_lost_write::<P>),
        invariant("D40", "a page that was written is marked so", rights::marks_are_kept::<P>),
        invariant("D40", "a CPU that does not mark a page as written finds it marked", tlb::dirty_is_set::<P>),
        invariant("D42", "no entry shows a page beyond the end of its file", files::below_the_end::<P>),
        invariant("D42", "no huge entry shows a page beyond the end of its file", huge::below_the_end::<P>),
        invariant("D44", "no entry is under migration once the migration is over", rights::none_under_migration::<P>),
        invariant(
            "D47",
            "a page keeps the rights of its VMA, or is marked as not accessible",
            rights::rights_of_the_vma::<P>,
        ),
        invariant("D51", "no VMA is write-locked when nobody writes", ledgers::no_vma_write_locked::<P>),
        invariant("D52", "each fault releases the fault lock exactly once", ledgers::fault_lock::<P>),
        invariant("D54", "each fault is counted exactly once", ledgers::counted_once::<P>),
        invariant("D57", "no charge leaks", files::charges::<P>),
    ]);
    all
}

/// What holds of the hugetlb pool and its folios.
fn of_the_pool<P: Platform>() -> Vec<Invariant<P>> {
    let invariant = |id, words, check| Invariant { id, words, check };
    vec![
        invariant(
            "D14",
            "a hugetlb entry names a folio of the pool that is in use",
            hugetlb::only_folios_of_the_pool::<P>,
        ),
        invariant(
            "D15",
            "mapcount of a folio of the pool is the number of entries that map it",
            hugetlb::mapcount::<P>,
        ),
        invariant(
            "D17",
            "a folio of the pool has no reference but its entries' and its file's",
            hugetlb::refcount::<P>,
        ),
        invariant("D18", "hugetlb_usage counts the pages that the pool's folios map", hugetlb::usage::<P>),
        invariant("D24", "a folio of the pool that is mapped is findable", hugetlb::findable::<P>),
        invariant(
            "D26",
            "who can write to a folio of the pool has it for himself, or shares it",
            hugetlb::writable::<P>,
        ),
        invariant(
            "D27",
            "an exclusive folio of the pool has exactly one mapping",
            hugetlb::exclusive_is_mapped_once::<P>,
        ),
        invariant("D57", "a folio of the pool is free or in use", hugetlb::pool::<P>),
        invariant("D57", "no reservation of the pool leaks", hugetlb::reservations::<P>),
    ]
}

/// What holds after the address space is gone.
pub fn after_exit<P: Platform>() -> Vec<Invariant<P>> {
    vec![Invariant { id: "D13", words: "after exit nothing is left", check: ledgers::nothing_left::<P> }]
}

/// Evaluates `invariants`, and adds how often each was to `evaluated`.
///
/// # Errors
/// The first one that does not hold.
pub fn verify<P: Platform>(
    invariants: &[Invariant<P>],
    quiet: &Quiet<'_, P>,
    evaluated: &mut Evaluated,
) -> Result<(), Broken> {
    for Invariant { id, words, check } in invariants {
        let facts = check(quiet).map_err(|detail| Broken { id, words, detail })?;
        *evaluated.entry(id).or_default() += facts;
    }
    Ok(())
}
