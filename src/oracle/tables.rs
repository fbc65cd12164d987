//! Invariants of page tables: D1, D5, D8.

use std::collections::BTreeSet;

use crate::phys::PageState;
use crate::platform::Platform;

use super::layout::Quiet;

pub(super) fn one_owner<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let mut owned: BTreeSet<_> = quiet.layouts().filter_map(|layout| layout.root).collect();
    for (table, level) in quiet.layouts().flat_map(|layout| &layout.tables) {
        if !owned.insert(*table) {
            return Err(format!("two entries point to table {table} of level {level}"));
        }
    }
    for table in quiet.layouts().flat_map(|layout| &layout.deposits) {
        if !owned.insert(*table) {
            return Err(format!("table {table} is deposited, and somebody else's too"));
        }
    }
    for (pfn, page) in quiet.mm.memory().pages() {
        if matches!(page.state(), PageState::Table { .. }) && !owned.contains(&pfn) {
            return Err(format!("nobody owns table {pfn}"));
        }
    }
    Ok(owned.len() as u64)
}

pub(super) fn set_up<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    for (table, level) in &quiet.layout.tables {
        let state = quiet.mm.memory().page(*table).state();
        if state != (PageState::Table { level: *level }) {
            return Err(format!("the table {table} of level {level} is {state:?}"));
        }
    }
    Ok(quiet.layout.tables.len() as u64)
}

pub(super) fn pgtables_bytes<P: Platform>(quiet: &Quiet<'_, P>) -> Result<u64, String> {
    let counted = quiet.mm.pgtables_bytes();
    let tables = (quiet.layout.tables.len() + quiet.layout.deposits.len()) as u64;
    let linked = (tables * P::GEOMETRY.page_size()) as i64;
    if counted == linked { Ok(1) } else { Err(format!("it is {counted}, and {tables} tables are {linked} bytes")) }
}
