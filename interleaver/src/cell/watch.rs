//! What is known of watched data, and the comparison of an access with earlier ones.

use crate::engine::exec::{Exec, Status};
use crate::engine::happens::{Conflict, PlainAccess};
use crate::engine::op::Place;
use crate::engine::rt;
use crate::report::Reason;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identity of watched data in the present execution.
pub(super) struct Watch {
    key: AtomicU64,
    label: Option<&'static str>,
}

/// The same, apart from the data: an execution, and which cell of it.
#[derive(Clone, Copy)]
pub(super) struct Watched {
    epoch: u64,
    cell: usize,
    label: Option<&'static str>,
}

const INDEX_BITS: u32 = 24;

impl Watch {
    pub(super) const fn new(label: Option<&'static str>) -> Watch {
        Watch { key: AtomicU64::new(0), label }
    }

    /// Making the value is a write like any other: who finds the cell through a relaxed pointer races with it.
    #[track_caller]
    pub(super) fn made(label: Option<&'static str>) -> Watch {
        let watch = Watch::new(label);
        watch.check(PlainAccess::Write, Location::caller());
        watch
    }

    /// Compares the access with earlier ones; does not return if it races. `None` when nobody watches.
    pub(super) fn check(&self, access: PlainAccess, place: Place) -> Option<Watched> {
        let exec = watching()?;
        // ORDER none: a cell is used by one OS thread at a time.
        let key = self.key.load(Ordering::Relaxed);
        let cell = if key >> INDEX_BITS == exec.epoch {
            (key & ((1 << INDEX_BITS) - 1)) as usize
        } else {
            let cell = exec.happens.add_cell();
            exec.happens.cell_mut(cell).label = self.label;
            // ORDER none: as above.
            self.key.store(exec.epoch << INDEX_BITS | cell as u64, Ordering::Relaxed);
            cell
        };
        let watched = Watched { epoch: exec.epoch, cell, label: self.label };
        watched.check(access, place);
        Some(watched)
    }
}

impl Watched {
    /// As `Watch::check`, for an access that goes on: it may be over after its execution, or its cell.
    pub(super) fn check(self, access: PlainAccess, place: Place) {
        let Some(exec) = watching().filter(|x| x.epoch == self.epoch) else { return };
        let tid = exec.current;
        if let Some(conflict) = exec.happens.access(tid, self.cell, access, place) {
            let reason = self.race(exec, conflict, access, place);
            exec.fail(reason);
            rt::mode();
        }
    }

    fn race(self, exec: &Exec, conflict: Conflict, access: PlainAccess, place: Place) -> Reason {
        let word = |access: PlainAccess| if access == PlainAccess::Read { "read" } else { "write" };
        let title = exec.thread_title(conflict.earlier.tid);
        let name = self.label.map_or_else(|| format!("cell #{}", self.cell), |l| format!("`{l}`"));
        let earlier = format!("{} of {name} by {title} at {}", word(conflict.earlier_access), conflict.earlier.place);
        let later = format!("{} of {name} by {} at {place}", word(access), exec.thread_title(exec.current));
        Reason::DataRace { earlier, later }
    }
}

/// The execution whose threads are watched now.
fn watching() -> Option<&'static mut Exec> {
    let exec = &mut rt::try_runtime()?.exec;
    (exec.status == Status::Running && exec.peeking.is_none()).then_some(exec)
}
