//! A write to a write-protected page of a shared mapping (`mm/memory.c`, `wp_page_shared`, `wp_pfn_shared`).

use crate::platform::Platform;
use crate::x86::PteVal;

use super::pte_table::LockedTable;
use super::vmf::{VmFault, Vmf};
use super::wp_page::wp_page_reuse;

/// Lets the page itself be written. No mapping here has an object that wants to know (`page_mkwrite`,
/// `pfn_mkwrite`), so the entry just becomes writable, under the lock that is held.
pub(super) fn wp_page_shared<'m, P: Platform>(
    vmf: Vmf<'m, P>,
    table: LockedTable<'m, P>,
    orig: PteVal,
) -> VmFault<'m, P> {
    wp_page_reuse(vmf, table, orig)
}
